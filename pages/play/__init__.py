"""The class game: a round that a teacher leads and pupils play on their phones."""
