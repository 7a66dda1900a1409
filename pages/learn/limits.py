"""Limits: what the model counted rather than saw."""

from pages.shared.learning.limits import show

show()
