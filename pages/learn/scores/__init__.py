"""Lesson 7: what BLEU and CIDEr count, and what they miss."""
