"""One caption in detail: why this sentence, the search tree, other models, export."""
