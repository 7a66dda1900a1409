"""Choosing a sentence from a decoder's probabilities: greedy, beam search, sampling, steering."""

from captioning.decoding.forced import ForcedReading, Reading
from captioning.decoding.hypotheses import Hypothesis, Trace, read_hypotheses
from captioning.decoding.likelihood import SentenceLikelihood
from captioning.decoding.search import CaptionSearch
from captioning.decoding.step import Beginning, Step, StepModel, unsayable
from captioning.decoding.tree import Node, read_tree

__all__ = [
    "Beginning",
    "CaptionSearch",
    "ForcedReading",
    "Hypothesis",
    "Node",
    "Reading",
    "SentenceLikelihood",
    "Step",
    "StepModel",
    "Trace",
    "read_hypotheses",
    "read_tree",
    "unsayable",
]
