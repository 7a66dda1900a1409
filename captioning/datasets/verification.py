"""Opening every photo of a data set, so that what cannot be read is known beforehand."""

from collections.abc import Callable
from dataclasses import dataclass

from captioning.datasets.dataset import CaptionDataset
from captioning.errors import ImageError
from captioning.images import read_image

__all__ = ["VerificationReport", "verify"]


@dataclass(frozen=True)
class VerificationReport:
    """What opening every photo of a data set gave.

    Attributes:
        checked: How many photos were opened.
        unreadable: The name of each photo that could not be read, with the sentence that says why.
    """

    checked: int
    unreadable: tuple[tuple[str, str], ...]

    @property
    def ok(self) -> bool:
        """Whether every photo can be read."""
        return not self.unreadable

    def sentences(self) -> list[str]:
        """Return the outcome for a person: one sentence, and one more per unreadable photo."""
        total = f"{self.checked:,} photos"
        if self.ok:
            return [f"{self.checked:,} of {total} can be read."]
        return [
            f"{len(self.unreadable):,} of {total} cannot be read:",
            *(reason for _, reason in self.unreadable),
        ]


def verify(
    dataset: CaptionDataset, on_progress: Callable[[int, int], object] | None = None
) -> VerificationReport:
    """Decode every photo of `dataset` and list those that cannot be read.

    Args:
        dataset: A data set; its files are read, nothing is changed.
        on_progress: Called after each photo with the photos done and their total.
    """
    unreadable = []
    for done, photo in enumerate(dataset.photos, start=1):
        try:
            read_image(dataset.path(photo))
        except ImageError as error:
            unreadable.append((photo.name, str(error)))
        if on_progress is not None:
            on_progress(done, len(dataset))
    return VerificationReport(len(dataset), tuple(unreadable))
