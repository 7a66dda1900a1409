"""What a caption file holds that a data set should not: counted while reading, reported later."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

__all__ = ["Oddities", "Tally"]

_EXAMPLES_KEPT = 3


@dataclass
class Tally:
    """How often something was met, with the first few different names it was met under."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        """Count one more, and remember `example` if there is room."""
        self.count += 1
        if len(self.examples) < _EXAMPLES_KEPT and example not in self.examples:
            self.examples.append(example)

    def __bool__(self) -> bool:
        """Tell whether anything was counted."""
        return self.count > 0

    def counted(self, one: str, many: str) -> str:
        """Return "3 captions" or "1 caption": the count with the right word behind it."""
        return f"{self.count:,} {one if self.count == 1 else many}"

    def shown(self) -> str:
        """Return the examples in brackets, as in "(such as a.jpg and b.jpg)"."""
        *first, last = self.examples
        return f"(such as {', '.join(first)} and {last})" if first else f"({last})"


@dataclass(frozen=True)
class Oddities:
    """Everything out of the ordinary that reading a data set met.

    Attributes:
        misnamed: Captions under a name such as `x.jpg.1`, the known slip of Flickr8k's token
            file.  Left out.
        captions_without_photo: Captions whose photo is not in the folder.  Left out.
        photos_without_captions: Photos nobody described.  Kept, but in no split.
        repeats_kept: Captions equal to another of their photo, which two people may well write.
        repeats_dropped: Such captions beyond the number a photo should have.  Left out.
        empty_captions: Rows that name a photo and say nothing.  Left out.
        unreadable_rows: Rows that are blank or do not have the form of a row.  Left out.
        long_rows: Rows of a table with more cells than the first line: commas without quotes.
        wrong_caption_count: Photos with some captions, but not the number the data set states.
        listed_without_photo: Names in the split lists whose photo is not in the folder.
        listed_twice: Names in more than one split list; test counts before dev before train.
        lists_differ: Names that the folder's own split lists place elsewhere than the official
            ones.
        ambiguous_names: Names that fit several photos in different folders.  Their captions are
            left out.
        unknown_splits: Photos whose split is a word that stands for none.  In no split.
        loose_names: Names that are not their file's but for the ending, leading zeros or
            percent-encoding.  Matched.
        decisions: Sentences on what was decided where the folder leaves it open.
        rows: How many captions the caption file has for each split; None stands for no split.
        rows_left_out: How many of them are left out, since they have no photo or no form.
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
        """Count a caption of the caption file, and whether the data set has it."""
        self.rows[split] += 1
        self.rows_left_out[split] += not kept

    def add_unreadable(self, place: str, *, blank: bool = False) -> None:
        """Count a row that is blank or has another form; only the latter is a loss."""
        self.unreadable_rows.add(place)
        if not blank:
            self.count_row(None, kept=False)

    def losses(self, splits: Collection[str]) -> tuple[int, int, list[str]]:
        """Count the captions left out of some splits; captions of no split count for all.

        Returns:
            How many are left out, of how many, and the splits that nothing is left of.
        """
        counted = [*splits, None]
        lost, rows = (sum(c[s] for s in counted) for c in (self.rows_left_out, self.rows))
        gone = [s for s in splits if self.rows[s] and self.rows_left_out[s] == self.rows[s]]
        return lost, rows, gone

    def sentences(self) -> list[str]:
        """Return one sentence per decision and kind of oddity that was met, for a person."""
        return [
            *self.decisions,
            *self.about_captions(),
            *self._about_photos(),
            *self._about_splits(),
        ]

    def about_captions(self) -> Iterator[str]:
        """Yield one sentence per kind of oddity that captions and their names have."""
        if t := self.misnamed:
            yield (
                f"{t.counted('caption stands', 'captions stand')} under a name with an ending too "
                f"many {t.shown()}, a known slip of the caption file, and left out."
            )
        if t := self.captions_without_photo:
            yield (
                f"{t.counted('caption is', 'captions are')} left out because the photo is not in "
                f"the folder {t.shown()}."
            )
        if t := self.ambiguous_names:
            yield (
                f"{t.counted('name fits', 'names fit')} several photos in different folders "
                f"{t.shown()}; their captions are left out."
            )
        if t := self.loose_names:
            yield (
                f"{t.counted('name differs from its file', 'names differ from their files')} in "
                f"ending, leading zeros or encoding {t.shown()}; matched."
            )
        if t := self.repeats_kept:
            yield (
                f"{t.counted('caption repeats', 'captions repeat')} another of the same photo "
                f"word for word {t.shown()}; kept, since two people may write the same."
            )
        if t := self.repeats_dropped:
            yield (
                f"{t.counted('row repeats', 'rows repeat')} a caption that the photo already has "
                f"in full number {t.shown()}; left out."
            )
        if t := self.empty_captions:
            yield f"{t.counted('caption is', 'captions are')} empty {t.shown()}; left out."
        if t := self.long_rows:
            yield (
                f"{t.counted('row has', 'rows have')} more cells than the first line {t.shown()}; "
                "put captions that hold commas in quotes."
            )
        if t := self.unreadable_rows:
            yield (
                f"{t.counted('row is', 'rows are')} blank or garbled {t.shown()} in the caption "
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
                f"{t.counted('photo has', 'photos have')} more or fewer captions than the data "
                f"set states {t.shown()}; kept."
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
                "test counts before dev, dev before train."
            )
        if t := self.lists_differ:
            yield (
                "The folder's own split lists are used; they place "
                f"{t.counted('photo', 'photos')} elsewhere than the official ones {t.shown()}."
            )
        if t := self.unknown_splits:
            yield (
                f"{t.counted('photo has', 'photos have')} a split that is none of train, dev, val "
                f"and test {t.shown()}; kept, but in no split."
            )
