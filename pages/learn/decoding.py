"""Decoding: how a sentence is chosen, word by word."""

from pages.shared.learning.decoding import show

show()
