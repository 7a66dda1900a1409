"""Lesson 4: one LSTM cell."""
