"""Words: how words become numbers, and rows to learn from."""

from pages.shared.learning.words import show

show()
