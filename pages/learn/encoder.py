"""The encoder: how a CNN turns pixels into regions."""

from pages.shared.learning.encoder import show

show()
