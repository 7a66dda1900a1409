"""Parts for a worksheet that several lessons print."""

from collections.abc import Sequence

from captioning.lessons.worksheet import Table

__all__ = ["listed"]


def listed(title: str, sentences: Sequence[str]) -> Table:
    """Return sentences as a numbered table."""
    return Table(["", title], [(str(n), text) for n, text in enumerate(sentences, start=1)])
