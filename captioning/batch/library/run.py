"""Captioning a library: photos are claimed, captioned, and their captions written, in batches."""

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from captioning.batch.captioning import BATCH, Row, caption_batches
from captioning.batch.library.changes import Draft
from captioning.batch.library.forms import CsvTable, Form, LeftAloneError
from captioning.batch.library.log import LibraryLog, Result
from captioning.batch.sources import AlbumPhoto
from captioning.calibration import Level
from captioning.config import DecodingConfig
from captioning.errors import ConfigError, ImageError, StorageError
from captioning.images import read_photo_file
from captioning.storage import replacing

if TYPE_CHECKING:
    from captioning.captioner import Captioner

_LEVELS: tuple[Level, ...] = get_args(Level)
_NO_ROOM = {errno.ENOSPC, errno.EROFS, errno.EDQUOT}


@dataclass(frozen=True)
class MinConfidence:
    """How sure the model has to be.

    Attributes:
        least: 0 to 1, or a level, "sure", "fairly sure" or "not sure".
    """

    least: float | Level

    @classmethod
    def parse(cls, text: str) -> "MinConfidence":
        """Read what a person wrote; "fairly-sure" is a level too.

        Raises:
            ConfigError: it is neither a level nor a number from 0 to 1.
        """
        level = next((name for name in _LEVELS if name == text.replace("-", " ")), None)
        if level is not None:
            return cls(level)
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            raise ConfigError(
                f"--min-confidence must be {', '.join(_LEVELS)} or a number from 0 to 1, "
                f"not {text!r}."
            )
        return cls(number)

    def allows(self, row: Row) -> bool:
        """Tell whether a caption is sure enough; about what is no photo the model is never sure."""
        if row.kind not in ("", "photo"):
            return self.least in (0.0, "not sure")
        if isinstance(self.least, str):
            return row.level in _LEVELS[: _LEVELS.index(self.least) + 1]
        return row.confidence is not None and row.confidence >= self.least


@dataclass(frozen=True)
class Outcome:
    """What became of one photo.

    Attributes:
        row: its caption, or why there is none.
        result: "written"; "left" if a person described the photo; "unsure" if the model was not
            sure enough; "failed".
        file: that holds the caption; None if it was not written.
    """

    row: Row
    result: Result
    file: Path | None = None


def caption_library(
    captioner: "Captioner",
    folder: Path,
    names: Iterable[str],
    form: Form | CsvTable,
    log: LibraryLog,
    *,
    decoding: DecodingConfig | None = None,
    min_confidence: MinConfidence | None = None,
    dry_run: bool = False,
) -> Iterator[Outcome]:
    """Caption the photos of a library that are not done, together with other processes.

    Args:
        captioner: the model.
        folder: the library.
        names: of its photos, as `photo_names` lists them.
        form: what captions are written as.
        log: of the library; inside its `working` unless `dry_run`.
        decoding: how to choose sentences; by default as the bundle says.
        min_confidence: captions of which the model is less sure are not written.
        dry_run: write nothing.

    Yields:
        What became of each photo.  A photo that cannot be read does not stop the others.

    Raises:
        StorageError: the disk is full or read-only, or the folder is gone.
        ConfigError: as for `caption_album`.
    """
    if min_confidence is not None and captioner.calibration is None:
        raise ConfigError(
            f"The model '{captioner.name}' does not know how sure it is, so --min-confidence "
            "cannot be used with it."
        )
    left: set[str] = set()
    waiting = log.unclaimed(names)
    take = partial(_some, waiting) if dry_run else partial(log.claim, waiting, BATCH)
    batches = ([_photo(folder, name, form, left) for name in some] for some in iter(take, []))
    for rows in caption_batches(captioner, batches, decoding):
        outcomes = [_judged(row, folder, form, captioner, left, min_confidence) for row in rows]
        if any(outcome.result == "failed" for outcome, _ in outcomes) and not folder.is_dir():
            raise StorageError(f"The folder {folder} is no longer there.")
        yield from (
            [outcome for outcome, _ in outcomes]
            if dry_run
            else _written(outcomes, form, log, captioner.name)
        )


def _some(names: Iterator[str]) -> list[str]:
    return list(islice(names, BATCH))


def _photo(folder: Path, name: str, form: Form | CsvTable, left: set[str]) -> AlbumPhoto:
    """Return a photo that is checked as it is read; `left` gains it if a person described it."""
    path = folder / name

    def read() -> bytes:
        data = read_photo_file(path)
        try:
            form.check(path, data)
        except LeftAloneError:
            left.add(name)
            raise
        return data

    return AlbumPhoto(name, read)


def _judged(
    row: Row,
    folder: Path,
    form: Form | CsvTable,
    captioner: "Captioner",
    left: set[str],
    min_confidence: MinConfidence | None,
) -> tuple[Outcome, Draft | None]:
    """Decide what becomes of a row, and with which file."""
    if row.error:
        return Outcome(row, "left" if row.photo in left else "failed"), None
    if not row.caption or (min_confidence is not None and not min_confidence.allows(row)):
        return Outcome(row, "unsure"), None
    if isinstance(form, CsvTable):
        return Outcome(row, "written", form.path), None
    try:
        draft = form.draft(folder / row.photo, row, captioner.bundle.version)
    except LeftAloneError as error:
        return Outcome(Row(row.photo, error=str(error)), "left"), None
    except (ImageError, OSError) as error:
        return Outcome(Row(row.photo, error=f"'{row.photo}': {error}"), "failed"), None
    return Outcome(row, "written", draft.path), draft


def _written(
    outcomes: Sequence[tuple[Outcome, Draft | None]],
    form: Form | CsvTable,
    log: LibraryLog,
    by: str,
) -> list[Outcome]:
    """Write the files of a batch, and what became of its photos into the log."""
    if isinstance(form, CsvTable):
        form.append([(outcome.row, outcome.result) for outcome, _ in outcomes], by)
        return [outcome for outcome, _ in outcomes]
    drafts = [draft for _, draft in outcomes if draft and draft.old != draft.new]
    if drafts:
        log.announce(drafts)
    done = [
        _write(outcome, draft) if draft and draft.old != draft.new else outcome
        for outcome, draft in outcomes
    ]
    log.finish([(outcome.row, outcome.result) for outcome in done], by)
    return done


def _write(outcome: Outcome, draft: Draft) -> Outcome:
    try:
        with replacing(draft.path) as part:
            part.write_bytes(draft.new)
            if draft.mode:
                os.chmod(part, draft.mode)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageError(f"{draft.path} cannot be written: {error.strerror}.") from error
        told = f"{draft.path} cannot be written: {error.strerror}."
        return Outcome(Row(outcome.row.photo, error=told), "failed")
    return outcome
