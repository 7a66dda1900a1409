"""Lesson 6: from probabilities to a sentence."""
