"""Correct and accept the captions of many photos; each change is kept and can be undone."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from captioning.batch.captioning import Row


@dataclass(frozen=True)
class Change:
    """A caption before and after a correction.

    Attributes:
        before: the row before.
        after: the row after.
        replaced: whether the correction replaced words in all captions at once.
    """

    before: Row
    after: Row
    replaced: bool = False


class Corrections:
    """The rows of many photos, and the corrections made to them.

    Attributes:
        rows: by photo, in the order in which they were added.
        accepted: photos whose caption a person has read and accepted as it is.
    """

    def __init__(self) -> None:
        """Begin without rows."""
        self.rows: dict[str, Row] = {}
        self.accepted: set[str] = set()
        self._steps: list[list[Change]] = []

    @property
    def changes(self) -> list[Change]:
        """The corrections that are not undone, the last one first."""
        return [change for step in reversed(self._steps) for change in reversed(step)]

    def add(self, row: Row) -> None:
        """Add the row of a photo."""
        self.rows[row.photo] = row

    def accept(self, photo: str) -> None:
        """Mark the caption of a photo as read and right.

        Raises:
            KeyError: no row is of this photo.
        """
        self.accepted.add(self.rows[photo].photo)

    def history(self, photo: str) -> list[Change]:
        """Return the corrections of one photo that are not undone, the first one first."""
        return [c for step in self._steps for c in step if c.after.photo == photo]

    def correct(self, photo: str, caption: str) -> bool:
        """Store a person's caption of a photo; an empty or equal one changes nothing.

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
            The number of captions that changed; `undo` reverts all of them at once.
        """
        words = words.strip()
        if not words:
            return 0
        pattern = re.compile(rf"(?<!\w){re.escape(words)}(?!\w)", re.IGNORECASE)
        changes = []
        for row in self.rows.values():
            caption = " ".join(pattern.sub(lambda _: by.strip(), row.caption).split())
            if caption and caption != row.caption:
                changes.append(Change(row, row.corrected(caption), replaced=True))
        self._step(changes)
        return len(changes)

    def undo(self) -> int:
        """Revert the last correction, or the last replacement in all captions.

        Returns:
            The number of captions that were reverted.
        """
        changes = self._steps.pop() if self._steps else []
        self.rows |= {change.before.photo: change.before for change in changes}
        self.accepted -= {change.before.photo for change in changes}
        return len(changes)

    def clear(self) -> None:
        """Forget all rows and corrections."""
        self.rows.clear()
        self.accepted.clear()
        self._steps.clear()

    def _step(self, changes: Iterable[Change]) -> None:
        step = list(changes)
        if step:
            self._steps.append(step)
            self.rows |= {change.after.photo: change.after for change in step}
            self.accepted -= {change.after.photo for change in step}
