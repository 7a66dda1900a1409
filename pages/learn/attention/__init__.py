"""Lesson 5: where the model looks for each word."""
