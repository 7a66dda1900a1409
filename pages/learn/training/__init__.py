"""Lesson 8: what one training step changes, and overfitting."""
