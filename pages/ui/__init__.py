"""What two or more sections use: caches, session keys, parts of pages, prose."""
