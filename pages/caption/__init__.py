"""The Caption page: one photo and its caption in detail."""
