"""Attention: where the model looks for each word."""

from pages.shared.learning.attention import show

show()
