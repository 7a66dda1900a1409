"""What a caption is written as: an XMP sidecar, the photo's own metadata, or a text file.

A form says what a file should hold; it writes nothing.  A file with a description by a person is
left alone, and so is a text file that this program did not write.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from captioning.batch.captioning import Row
from captioning.errors import ImageError
from captioning.image_metadata import has_words_of_a_person, write_caption, write_sidecar
from captioning.image_metadata.containers import container_of
from captioning.images import MAX_BYTES
from captioning.storage import read_regular_file

_MOST_SIDECAR_BYTES = 10_000_000


class LeftAloneError(ImageError):
    """A file has a description that a person wrote."""


@dataclass(frozen=True)
class Draft:
    """A file as it is and as it should be.

    Attributes:
        path: the file.
        old: its bytes; None if it is not there.
        new: its bytes with the caption.
        modified: when it was changed last, in nanoseconds.
        mode: its permissions.
    """

    path: Path
    old: bytes | None
    new: bytes
    modified: int = 0
    mode: int = 0

    @classmethod
    def of(cls, path: Path, old: bytes | None, new: bytes) -> "Draft":
        """Make a draft with the facts of the file that is there."""
        if old is None:
            return cls(path, old, new)
        status = path.stat()
        return cls(path, old, new, status.st_mtime_ns, status.st_mode & 0o7777)


class Form(Protocol):
    """One of `FORMS`."""

    def check(self, photo: Path, data: bytes) -> None:
        """Find out before captioning whether a caption may be written.

        Args:
            photo: the file.
            data: its bytes.

        Raises:
            LeftAloneError: a person described the photo.
            ImageError: no caption can be written.
        """

    def draft(self, photo: Path, row: Row, version: str) -> Draft:
        """Return the file that should be written; raises as `check`."""


class Sidecar:
    """`photo.jpg.xmp` next to the photo, or the `photo.xmp` that is there already."""

    def check(self, photo: Path, data: bytes) -> None:
        """As `Form.check`."""
        if has_words_of_a_person(photo=data):
            raise LeftAloneError(f"'{photo.name}' has a description by a person.")
        self._old(photo)

    def draft(self, photo: Path, row: Row, version: str) -> Draft:
        """As `Form.draft`."""
        path, old = self._old(photo)
        new = write_sidecar(
            old,
            row.caption,
            writer=row.by,
            version=version,
            confidence=row.confidence,
            doubtful=row.doubtful,
        )
        return Draft.of(path, old, new)

    def _old(self, photo: Path) -> tuple[Path, bytes | None]:
        own = photo.with_name(photo.name + ".xmp")
        old = _read(own)
        if old is not None and has_words_of_a_person(sidecar=old):
            raise LeftAloneError(f"'{own.name}' has a description by a person.")
        # Lightroom's name of a sidecar.  Programs that read both prefer ours, so a new one would
        # hide what stands in the old one.
        shared = photo.with_suffix(".xmp")
        if old is None and (found := _read(shared)) is not None:
            if b"description" in found:
                raise LeftAloneError(f"'{shared.name}' has a description already.")
            return shared, found
        return own, old


class Embedded:
    """The metadata of the photo file itself."""

    def check(self, photo: Path, data: bytes) -> None:
        """As `Form.check`."""
        if photo.is_symlink():
            raise ImageError(f"'{photo.name}' is a link, and no caption is written through links.")
        if container_of(data) is None:
            raise ImageError(
                f"'{photo.name}': captions are written into JPEG, PNG, WebP, GIF and TIFF files "
                "alone. --write sidecar works with every photo."
            )
        if has_words_of_a_person(photo=data):
            raise LeftAloneError(f"'{photo.name}' has a description by a person.")

    def draft(self, photo: Path, row: Row, version: str) -> Draft:
        """As `Form.draft`."""
        old = read_regular_file(photo, MAX_BYTES)
        self.check(photo, old)
        new = write_caption(
            old,
            row.caption,
            writer=row.by,
            version=version,
            confidence=row.confidence,
            doubtful=row.doubtful,
        )
        return Draft.of(photo, old, new.data)


class TextFile:
    """`photo.txt` next to the photo, as training tools expect; `photo.jpg.txt` if two share it.

    Args:
        photos: all of them, to see which differ in their endings alone.
        wrote: returns whether this program wrote a file with a given digest.
    """

    def __init__(self, photos: Iterable[Path], wrote: Callable[[Path, str], bool]) -> None:
        stems = Counter(photo.with_suffix("") for photo in photos)
        self._shared = {stem for stem, count in stems.items() if count > 1}
        self._wrote = wrote

    def check(self, photo: Path, data: bytes) -> None:
        """As `Form.check`."""
        self._old(photo)

    def draft(self, photo: Path, row: Row, version: str) -> Draft:
        """As `Form.draft`."""
        path, old = self._old(photo)
        return Draft.of(path, old, (row.caption + "\n").encode())

    def _old(self, photo: Path) -> tuple[Path, bytes | None]:
        shared = photo.with_suffix("") in self._shared
        path = photo.with_name(photo.name + ".txt") if shared else photo.with_suffix(".txt")
        old = _read(path)
        if old is not None and not self._wrote(path, digest(old)):
            raise LeftAloneError(f"'{path.name}' is there already.")
        return path, old


FORMS = ("sidecar", "embed", "txt", "csv")


def form_of(name: str, photos: Iterable[Path], wrote: Callable[[Path, str], bool]) -> Form:
    """Return a form by its name, one of `FORMS` except "csv".

    Args:
        name: which.
        photos: all of them.
        wrote: returns whether this program wrote a file with a given digest.
    """
    if name == "txt":
        return TextFile(photos, wrote)
    return Sidecar() if name == "sidecar" else Embedded()


def digest(data: bytes) -> str:
    """Return 32 digits by which a file's content is known again."""
    return hashlib.sha256(data).hexdigest()[:32]


def _read(path: Path) -> bytes | None:
    try:
        return read_regular_file(path, _MOST_SIDECAR_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ImageError(f"'{path.name}' cannot be read: {error.strerror}.") from error
