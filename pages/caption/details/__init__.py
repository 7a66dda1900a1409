"""One caption in depth: why this sentence, the search's tree, other models, taking it along."""
