"""Joining captions to photos takes a time in proportion to their number."""

from captioning.datasets.assembly import assemble
from captioning.datasets.data_issues import Oddities


class Counted(str):
    """A text that counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__

    def strip(self, chars: str | None = None, /) -> "Counted":
        return self


def test_thousands_of_captions_of_one_photo_are_not_compared_each_with_each() -> None:
    rows = [("a.jpg", Counted(f"caption {number}")) for number in range(2000)]
    (photo,) = assemble(rows, ["a.jpg"], {}, Oddities(), captions_each=None)
    assert len(photo.captions) == 2000
    assert Counted.compared < 10 * 2000
