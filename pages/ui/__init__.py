"""What several pages are made of: caches, session keys, parts of pages, prose."""
