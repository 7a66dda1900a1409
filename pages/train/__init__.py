"""Parts of the Train pages: the form of a run's settings, its curves, its buttons."""
