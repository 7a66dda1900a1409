"""Problems in the files of a data set: counted while reading, reported later."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

_EXAMPLES_KEPT = 3


@dataclass
class Tally:
    """A count of one kind of problem, with a few examples."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        """Count one more, and keep `example` if there are few."""
        self.count += 1
        if len(self.examples) < _EXAMPLES_KEPT and example not in self.examples:
            self.examples.append(example)

    def __bool__(self) -> bool:
        """Return whether anything was counted."""
        return self.count > 0

    def counted(self, one: str, many: str) -> str:
        """Return the count with its noun, as in "3 captions" or "1 caption"."""
        return f"{self.count:,} {one if self.count == 1 else many}"

    def shown(self) -> str:
        """Return the examples in brackets, as in "(such as a.jpg and b.jpg)"."""
        *first, last = self.examples
        return f"(such as {', '.join(first)} and {last})" if first else f"({last})"


@dataclass(frozen=True)
class Oddities:
    """All problems found while reading a data set.

    Attributes:
        misnamed: Captions under a name such as `x.jpg.1`, a known error in Flickr8k's token
            file.  Left out.
        captions_without_photo: Captions whose photo is not in the folder.  Left out.
        photos_without_captions: Photos without captions.  Kept, but in no split.
        repeats_kept: Captions equal to another of the same photo; two people may write the same.
        repeats_dropped: Such captions beyond the expected number.  Left out.
        empty_captions: Rows with a photo but no text.  Left out.
        unreadable_rows: Rows that are blank or malformed.  Left out.
        long_rows: Rows of a table with more cells than the first line: commas without quotes.
        wrong_caption_count: Photos with an unexpected number of captions.
        listed_without_photo: Names in the split lists whose photo is not in the folder.
        listed_twice: Names in more than one split list; test has priority over dev over train.
        lists_differ: Names whose split in the folder's lists differs from the official one.
        ambiguous_names: Names that match several photos in different folders.  Their captions are
            left out.
        unknown_splits: Photos with an unknown split.  In no split.
        loose_names: Names that differ from their file only in extension, leading zeros or
            percent-encoding.  Matched.
        decisions: Sentences about choices made where the files are ambiguous.
        rows: Number of captions in the file per split; None for no split.
        rows_left_out: Number of them that are left out, without a photo or malformed.
    """

    misnamed: Tally = field(default_factory=Tally)
    captions_without_photo: Tally = field(default_factory=Tally)
    photos_without_captions: Tally = field(default_factory=Tally)
    repeats_kept: Tally = field(default_factory=Tally)
    repeats_dropped: Tally = field(default_factory=Tally)
    empty_captions: Tally = field(default_factory=Tally)
    unreadable_rows: Tally = field(default_factory=Tally)
    long_rows: Tally = field(default_factory=Tally)
    wrong_caption_count: Tally = field(default_factory=Tally)
    listed_without_photo: Tally = field(default_factory=Tally)
    listed_twice: Tally = field(default_factory=Tally)
    lists_differ: Tally = field(default_factory=Tally)
    ambiguous_names: Tally = field(default_factory=Tally)
    unknown_splits: Tally = field(default_factory=Tally)
    loose_names: Tally = field(default_factory=Tally)
    decisions: list[str] = field(default_factory=list)
    rows: Counter[str | None] = field(default_factory=Counter)
    rows_left_out: Counter[str | None] = field(default_factory=Counter)

    def count_row(self, split: str | None, *, kept: bool) -> None:
        """Count a caption of the caption file, and whether it is used."""
        self.rows[split] += 1
        self.rows_left_out[split] += not kept

    def add_unreadable(self, place: str, *, blank: bool = False) -> None:
        """Count a row that is blank or malformed; only the latter counts as left out."""
        self.unreadable_rows.add(place)
        if not blank:
            self.count_row(None, kept=False)

    def losses(self, splits: Collection[str]) -> tuple[int, int, list[str]]:
        """Count the captions left out of some splits; captions without a split count for all.

        Returns:
            The captions left out, their total, and the splits that have lost all captions.
        """
        counted = [*splits, None]
        lost, rows = (sum(c[s] for s in counted) for c in (self.rows_left_out, self.rows))
        gone = [s for s in splits if self.rows[s] and self.rows_left_out[s] == self.rows[s]]
        return lost, rows, gone

    def sentences(self) -> list[str]:
        """Return one sentence per decision and kind of problem."""
        return [
            *self.decisions,
            *self.about_captions(),
            *self._about_photos(),
            *self._about_splits(),
        ]

    def about_captions(self) -> Iterator[str]:
        """Yield one sentence per kind of problem with captions and their names."""
        if t := self.misnamed:
            yield (
                f"{t.counted('caption has', 'captions have')} a file name with an extra ending "
                f"{t.shown()}, a known error in the caption file; left out."
            )
        if t := self.captions_without_photo:
            yield (
                f"{t.counted('caption is', 'captions are')} left out because the photo is not in "
                f"the folder {t.shown()}."
            )
        if t := self.ambiguous_names:
            yield (
                f"{t.counted('name matches', 'names match')} several photos in different folders "
                f"{t.shown()}; their captions are left out."
            )
        if t := self.loose_names:
            yield (
                f"{t.counted('name differs from its file', 'names differ from their files')} in "
                f"extension, leading zeros or encoding {t.shown()}; matched."
            )
        if t := self.repeats_kept:
            yield (
                f"{t.counted('caption repeats', 'captions repeat')} another of the same photo "
                f"word for word {t.shown()}; kept, because two people may write the same."
            )
        if t := self.repeats_dropped:
            yield (
                f"{t.counted('row repeats', 'rows repeat')} a caption of a photo that already has "
                f"all its captions {t.shown()}; left out."
            )
        if t := self.empty_captions:
            yield f"{t.counted('caption is', 'captions are')} empty {t.shown()}; left out."
        if t := self.long_rows:
            yield (
                f"{t.counted('row has', 'rows have')} more cells than the first line {t.shown()}; "
                "put captions with commas in quotes."
            )
        if t := self.unreadable_rows:
            yield (
                f"{t.counted('row is', 'rows are')} blank or malformed {t.shown()} in the caption "
                "file; left out."
            )

    def _about_photos(self) -> Iterator[str]:
        if t := self.photos_without_captions:
            yield (
                f"{t.counted('photo has', 'photos have')} no caption {t.shown()}; kept, but in "
                "no split."
            )
        if t := self.wrong_caption_count:
            yield (
                f"{t.counted('photo has', 'photos have')} more or fewer captions than the "
                f"others {t.shown()}; kept."
            )

    def _about_splits(self) -> Iterator[str]:
        if t := self.listed_without_photo:
            yield (
                f"{t.counted('name', 'names')} in the split lists {t.shown()} "
                f"{'has' if t.count == 1 else 'have'} no photo in the folder."
            )
        if t := self.listed_twice:
            yield (
                f"{t.counted('photo is', 'photos are')} in more than one split list {t.shown()}; "
                "test has priority over dev, dev over train."
            )
        if t := self.lists_differ:
            yield (
                "The folder's split lists are used; they differ from the official ones for "
                f"{t.counted('photo', 'photos')} {t.shown()}."
            )
        if t := self.unknown_splits:
            yield (
                f"{t.counted('photo has', 'photos have')} a split other than train, dev, val "
                f"and test {t.shown()}; kept, but in no split."
            )
