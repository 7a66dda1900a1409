"""The LSTM: one cell, opened at any word of the sentence."""

from pages.shared.learning.lstm import show

show()
