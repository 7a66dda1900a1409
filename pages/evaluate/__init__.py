"""The Evaluate page: the scores of a model, and how reliable they are."""
