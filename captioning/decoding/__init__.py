"""Choosing a sentence from a decoder's probabilities: greedy, beam search, sampling."""

from captioning.decoding.hypotheses import Hypothesis, Trace, read_hypotheses
from captioning.decoding.search import CaptionSearch

__all__ = ["CaptionSearch", "Hypothesis", "Trace", "read_hypotheses"]
