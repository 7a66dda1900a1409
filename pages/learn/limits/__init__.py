"""Lesson 9: the limits of the model."""
