"""Overview: from a photo to a sentence, in one picture."""

from pages.shared.learning.overview import show

show()
