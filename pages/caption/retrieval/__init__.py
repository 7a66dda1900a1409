"""Parts of the Find photos page."""
