"""Decoding: greedy search, beam search, sampling, and constraints on words.

The search is NumPy code that calls the decoder once per word (`StepModel`), so any engine can run
the network.
"""

from captioning.decoding.hypotheses import Hypothesis, Node, Trace, read_hypotheses, read_tree
from captioning.decoding.search import CaptionSearch
from captioning.decoding.step import (
    Beginning,
    Reading,
    Step,
    StepModel,
    read_sentence,
    sentence_likelihoods,
    unsayable,
)

__all__ = [
    "Beginning",
    "CaptionSearch",
    "Hypothesis",
    "Node",
    "Reading",
    "Step",
    "StepModel",
    "Trace",
    "read_hypotheses",
    "read_sentence",
    "read_tree",
    "sentence_likelihoods",
    "unsayable",
]
