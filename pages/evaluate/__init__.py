"""The Evaluate page: the scores of a model, and how far to trust them."""
