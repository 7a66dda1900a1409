"""Training: what one step changes, and overfitting."""

from pages.shared.learning.training import show

show()
