"""`caption FOLDER --write FORM`: captions of a whole folder, written where programs find them."""

import argparse
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from captioning.cli.terminal import clock, print_json, progress_line
from captioning.errors import ImageError

if TYPE_CHECKING:
    from captioning.batch import Row
    from captioning.batch.library import CsvTable, Form, Outcome
    from captioning.captioner import Captioner
    from captioning.config import DecodingConfig

__all__ = ["add_options", "check_options", "run"]

_FORMS = ("sidecar", "embed", "csv", "txt")
_WATCH_SECONDS = 10.0
_LINE_SECONDS = 60.0
_WINDOW_SECONDS = 30.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `--write`."""
    group = parser.add_argument_group(
        "captions for a whole folder",
        "Photos that are done are left out, so the command may be stopped and run again. "
        "A description that a person wrote is never replaced. See docs/library.md.",
    )
    group.add_argument(
        "--write",
        choices=_FORMS,
        help="sidecar: photo.jpg.xmp next to each photo; embed: into the photo file; csv: one "
        "table, captions.csv or --out; txt: photo.txt next to each photo",
    )
    group.add_argument("--dry-run", action="store_true", help="only print what would be written")
    group.add_argument(
        "--undo", action="store_true", help="restore the files as they were before --write"
    )
    group.add_argument(
        "--watch",
        nargs="?",
        type=float,
        const=_WATCH_SECONDS,
        metavar="SECONDS",
        help=f"go on with new photos; looks every {_WATCH_SECONDS:.0f} seconds by default",
    )
    group.add_argument(
        "--min-confidence",
        metavar="LEVEL",
        help="write no caption below: sure, fairly-sure, or a number from 0 to 1",
    )


def check_options(arguments: argparse.Namespace) -> None:
    """End with a message if the options of `--write` do not fit together."""
    error = arguments.parser.error
    used = [
        option
        for option in ("--dry-run", "--undo", "--watch", "--min-confidence")
        if getattr(arguments, option[2:].replace("-", "_")) not in (None, False)
    ]
    if not arguments.write:
        if used:
            error(f"{used[0]} needs --write")
        return
    if arguments.out and arguments.write != "csv":
        error("--out goes with --write csv alone")
    if len(arguments.photos) != 1:
        error("--write takes one folder")
    if arguments.watch is not None and (arguments.watch <= 0 or "--undo" in used):
        error("--watch takes a number above 0, and does not go with --undo")


def run(
    arguments: argparse.Namespace, load: "Callable[[], tuple[Captioner, DecodingConfig]]"
) -> int:
    """Caption the folder, or take back what was written.

    Args:
        arguments: of the command.
        load: returns the model and how to choose sentences.
    """
    folder = Path(arguments.photos[0])
    if not folder.is_dir():
        raise ImageError(f"There is no folder '{folder}'. --write takes a folder of photos.")
    if arguments.undo:
        return _undo(arguments, folder)
    return _Work(arguments, folder).run(load)


def _undo(arguments: argparse.Namespace, folder: Path) -> int:
    from captioning.batch.library import LibraryLog, log_folder, undo

    table = _table(arguments, folder)
    log = LibraryLog(log_folder(folder, arguments.write, table), lambda result, row: True)
    if not log.exists:
        print(f"Nothing is written for '{folder}' with --write {arguments.write}.")
        return 0
    found = undo(log, table=table, dry_run=arguments.dry_run)
    for file in sorted(found.changed):
        print(f"{file} was changed since and is left as it is.", file=sys.stderr)
    done = "would be restored" if arguments.dry_run else "restored"
    print(f"{_files(len(found.restored))} {done}, {len(found.changed)} changed since.")
    return int(bool(found.changed))


def _table(arguments: argparse.Namespace, folder: Path) -> Path | None:
    if arguments.write != "csv":
        return None
    return Path(arguments.out) if arguments.out else folder / "captions.csv"


def _files(count: int) -> str:
    return f"{count:,} file" + "s" * (count != 1)


class _Work:
    """One run of the command."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        from captioning.batch.library import LibraryLog, MinConfidence, log_folder
        from captioning.bundle import default_model, read_bundle

        self.arguments, self.folder = arguments, folder
        self.table = _table(arguments, folder)
        text = arguments.min_confidence
        self.least = None if text is None else MinConfidence.parse(text)
        self.model = read_bundle(arguments.model or default_model()).name
        self.log = LibraryLog(log_folder(folder, arguments.write, self.table), self._is_done)
        self.counts: Counter[str] = Counter()
        self.before = 0
        self.seen: dict[str, tuple[int, int]] = {}

    def run(self, load: "Callable[[], tuple[Captioner, DecodingConfig]]") -> int:
        """Caption what is there, and with `--watch` what comes."""
        names = self._names()
        self.before = sum(name in self.log.results for name in names)
        if self.before == len(names) and self.arguments.watch is None:
            progress_line(self._summary(), done=True)
            return 0
        progress_line(f"{self.before:,} of {len(names):,} photos are done; loading the model")
        captioner, decoding = load()
        try:
            if self.arguments.dry_run:
                self._caption(captioner, decoding, names)
            else:
                facts = {"folder": str(self.folder.resolve()), "write": self.arguments.write}
                with self.log.working(facts):
                    self._caption(captioner, decoding, names)
                    self._watch(captioner, decoding)
        except KeyboardInterrupt:
            if self.arguments.watch is None:
                raise
        finally:
            progress_line(self._summary(), done=True)
        return int(self.counts["failed"] > 0)

    def _watch(self, captioner: "Captioner", decoding: "DecodingConfig") -> None:
        """Caption new photos until the person stops it; returns at once without `--watch`."""
        while self.arguments.watch is not None:
            time.sleep(self.arguments.watch)
            if names := self._settled(self._names()):
                self._caption(captioner, decoding, names)

    def _is_done(self, result: str, row: "Row") -> bool:
        """Return whether a photo of an earlier run needs no retry."""
        if result == "unsure":
            return row.by == self.model and not (self.least is None or self.least.allows(row))
        return result == "left" or (result == "written" and row.by == self.model)

    def _names(self) -> list[str]:
        from captioning.batch import photo_names

        def tell(error: OSError) -> None:
            print(f"'{error.filename}' cannot be read: {error.strerror}.", file=sys.stderr)

        return photo_names(self.folder, on_error=tell)

    def _settled(self, names: Sequence[str]) -> list[str]:
        """Return the new photos that have not changed since the last look: none is half copied."""
        found = {}
        for name in names:
            if name not in self.log.results:
                try:
                    status = (self.folder / name).stat()
                except OSError:
                    continue  # deleted in this moment
                found[name] = (status.st_size, status.st_mtime_ns)
        before, self.seen = self.seen, found
        return [name for name in found if before.get(name) == found[name]]

    def _form(self, names: Sequence[str]) -> "Form | CsvTable":
        from captioning.batch.library import CsvTable, form_of

        if self.table is not None:
            return CsvTable(self.table, self.log)
        photos = (self.folder / name for name in names)
        return form_of(self.arguments.write, photos, self.log.wrote)

    def _caption(
        self, captioner: "Captioner", decoding: "DecodingConfig", names: Sequence[str]
    ) -> None:
        from captioning.batch.library import caption_library

        outcomes = caption_library(
            captioner,
            self.folder,
            names,
            self._form(names),
            self.log,
            decoding=decoding,
            min_confidence=self.least,
            dry_run=self.arguments.dry_run,
        )
        for outcome in self._with_progress(outcomes, names):
            self.counts[outcome.result] += 1
            self._tell(outcome)

    def _with_progress(
        self, outcomes: "Iterator[Outcome]", names: Sequence[str]
    ) -> "Iterator[Outcome]":
        """Show how many photos are done, by all processes, how fast, and the time left."""
        total, at_first = len(names), len(self.log.results)
        before = sum(name in self.log.results for name in names)
        marks = deque([(time.monotonic(), before)])
        told = 0.0
        for own, outcome in enumerate(outcomes, 1):
            yield outcome
            now = time.monotonic()
            done = before + max(own, len(self.log.results) - at_first)
            marks.append((now, done))
            while len(marks) > 2 and now - marks[0][0] > _WINDOW_SECONDS:
                marks.popleft()
            rate = (done - marks[0][1]) / max(now - marks[0][0], 1e-9)
            left = clock(max(total - done, 0) / max(rate, 1e-9))
            text = f"{done:,}/{total:,} photos, {rate:.1f} a second, {left} left"
            # In a log file a line now and then shows that it goes on.
            as_line = not sys.stderr.isatty() and now - told > _LINE_SECONDS
            told = now if as_line else told
            progress_line(text, done=as_line)

    def _tell(self, outcome: "Outcome") -> None:
        row, file = outcome.row, outcome.file
        if self.arguments.json:
            file_name = None if file is None else str(file)
            print_json({**row.to_dict(), "result": outcome.result, "file": file_name})
        elif outcome.result == "failed":
            print(row.error, file=sys.stderr)
        elif self.arguments.dry_run and outcome.result == "written":
            print(f"{file}: {'Not sure: ' if row.doubtful else ''}{row.caption}", flush=True)
        elif self.arguments.dry_run:
            print(f"{self.folder / row.photo}: {row.error or 'not sure enough'}", flush=True)

    def _summary(self) -> str:
        written = self.counts["written"]
        rest = {
            "left alone, described by a person": self.counts["left"],
            "below the minimum confidence": self.counts["unsure"],
            "failed": self.counts["failed"],
            "done before": self.before,
        }
        word = "would be written" if self.arguments.dry_run else "written"
        parts = [f"{written:,} caption{'s' * (written != 1)} {word}"]
        return "; ".join(parts + [f"{count:,} {text}" for text, count in rest.items() if count])
