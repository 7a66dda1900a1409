"""Correcting the captions of many photos, with every change kept so that it can be undone."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from captioning.batch.captioning import Row

__all__ = ["Change", "Corrections"]


@dataclass(frozen=True)
class Change:
    """A caption before and after a correction."""

    before: Row
    after: Row


class Corrections:
    """The rows of many photos, and the corrections made to them.

    Attributes:
        rows: by photo, in the order in which they were added.
    """

    def __init__(self) -> None:
        """Begin without rows."""
        self.rows: dict[str, Row] = {}
        self._steps: list[list[Change]] = []

    @property
    def changes(self) -> list[Change]:
        """The corrections that are not undone, the last one first."""
        return [change for step in reversed(self._steps) for change in reversed(step)]

    def add(self, row: Row) -> None:
        """Add the row of a photo."""
        self.rows[row.photo] = row

    def correct(self, photo: str, caption: str) -> bool:
        """Take a person's caption for a photo; an empty or equal one changes nothing.

        Returns:
            Whether the caption changed.

        Raises:
            KeyError: no row is of this photo.
        """
        before, caption = self.rows[photo], caption.strip()
        if not caption or caption == before.caption:
            return False
        self._step([Change(before, before.corrected(caption))])
        return True

    def replace(self, words: str, by: str) -> int:
        """Replace words in all captions, whole words only, in capitals or not.

        Returns:
            In how many captions they occurred; `undo` takes all of them back at once.
        """
        words = words.strip()
        if not words:
            return 0
        pattern = re.compile(rf"(?<!\w){re.escape(words)}(?!\w)", re.IGNORECASE)
        changes = []
        for row in self.rows.values():
            caption = " ".join(pattern.sub(lambda _: by.strip(), row.caption).split())
            if caption and caption != row.caption:
                changes.append(Change(row, row.corrected(caption)))
        self._step(changes)
        return len(changes)

    def undo(self) -> int:
        """Take back the last correction, or the last replacement in all captions.

        Returns:
            How many captions are as they were before it.
        """
        changes = self._steps.pop() if self._steps else []
        self.rows |= {change.before.photo: change.before for change in changes}
        return len(changes)

    def clear(self) -> None:
        """Forget all rows and corrections."""
        self.rows.clear()
        self._steps.clear()

    def _step(self, changes: Iterable[Change]) -> None:
        step = list(changes)
        if step:
            self._steps.append(step)
            self.rows |= {change.after.photo: change.after for change in step}
