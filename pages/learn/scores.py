"""Scores: what BLEU and CIDEr count, and what they miss."""

from pages.shared.learning.scores import show

show()
