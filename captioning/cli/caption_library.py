"""`caption FOLDER --write FORM`: captions of a whole folder, written where programs find them."""

import argparse
import contextlib
import os
import subprocess
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
    group.add_argument(
        "--processes",
        type=int,
        default=1,
        metavar="N",
        help="share the work among N processes; one per core is the fastest, each takes 400 MB",
    )


def check_options(arguments: argparse.Namespace) -> None:
    """End with a message if the options of `--write` do not fit together."""
    error = arguments.parser.error
    used = [
        option
        for option in ("--dry-run", "--undo", "--watch", "--min-confidence")
        if getattr(arguments, option[2:].replace("-", "_")) not in (None, False)
    ]
    if arguments.processes != 1:
        used.append("--processes")
        others = [o for o in ("--dry-run", "--undo") if o in used] + ["--json"] * arguments.json
        if arguments.processes < 1 or others:
            error(f"--processes takes a number above 0, and does not go with {(others or used)[0]}")
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
        loaded = load() if self.arguments.processes == 1 else None
        try:
            if loaded is None:
                self._share(names)
            if loaded is not None or self._is_left(names):  # such as after a process was killed
                self._work(names, *(loaded or load()))
        except KeyboardInterrupt:
            if self.arguments.watch is None:
                raise
        finally:
            progress_line(self._summary(), done=True)
        return int(self.counts["failed"] > 0)

    def _is_left(self, names: Sequence[str]) -> bool:
        return any(name not in self.log.results for name in names)

    def _work(
        self, names: Sequence[str], captioner: "Captioner", decoding: "DecodingConfig"
    ) -> None:
        """Caption in this process."""
        if self.arguments.dry_run:
            self._caption(captioner, decoding, names)
            return
        facts = {"folder": str(self.folder.resolve()), "write": self.arguments.write}
        with self.log.working(facts):
            self._caption(captioner, decoding, names)
            self._watch(captioner, decoding)

    def _share(self, names: Sequence[str]) -> None:
        """Run the command in several processes, and count what they do until all have ended."""
        progress = _Progress(len(names), self.before)
        known = set(self.log.results)
        try:
            with self._processes() as processes:
                while any(process.poll() is None for process in processes):
                    time.sleep(0.2)
                    self.log.refresh()
                    progress.show(self.before + len(self.log.results) - len(known))
        finally:  # --watch ends by an interrupt
            self.log.refresh()
            new = self.log.results.keys() - known
            self.counts.update(self.log.results[name] for name in new)
        if failed := self.counts["failed"]:
            print(
                f"{failed:,} photo{'s' * (failed != 1)} failed. Run the command again without "
                "--processes to read the reasons.",
                file=sys.stderr,
            )

    @contextlib.contextmanager
    def _processes(self) -> "Iterator[list[subprocess.Popen[bytes]]]":
        """Run the same command in processes of their own inside the block, with a share each."""
        count = self.arguments.processes
        command = [sys.executable, "-m", "captioning", *self.arguments.given, "--processes", "1"]
        package = str(Path(__file__).parents[2])
        share = {
            "PYTHONPATH": os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH")))),
            # Two processes of one thread each are 1.4 times as fast as one with two.
            "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // count)),
        }
        silent = subprocess.DEVNULL
        processes = [
            subprocess.Popen(  # noqa: S603 - what the person typed
                command, env={**os.environ, **share}, stdin=silent, stdout=silent, stderr=silent
            )
            for _ in range(count)
        ]
        try:
            yield processes
        finally:
            for process in processes:
                process.terminate()
                process.wait()

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
        at_first = len(self.log.results)
        before = sum(name in self.log.results for name in names)
        progress = _Progress(len(names), before)
        for own, outcome in enumerate(outcomes, 1):
            yield outcome
            progress.show(before + max(own, len(self.log.results) - at_first))

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


class _Progress:
    """The line that says how many photos are done, how fast, and the time left."""

    def __init__(self, total: int, done: int) -> None:
        self.total = total
        self.marks = deque([(time.monotonic(), done)])
        self.told = 0.0

    def show(self, done: int) -> None:
        """Show it."""
        now = time.monotonic()
        self.marks.append((now, done))
        while len(self.marks) > 2 and now - self.marks[0][0] > _WINDOW_SECONDS:
            self.marks.popleft()
        rate = (done - self.marks[0][1]) / max(now - self.marks[0][0], 1e-9)
        if not rate:
            return
        left = clock(max(self.total - done, 0) / rate)
        text = f"{done:,}/{self.total:,} photos, {rate:.1f} a second, {left} left"
        # In a log file a line now and then shows that it goes on.
        as_line = not sys.stderr.isatty() and now - self.told > _LINE_SECONDS
        self.told = now if as_line else self.told
        progress_line(text, done=as_line)
