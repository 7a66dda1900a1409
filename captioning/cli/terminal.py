"""Terminal output shared by the commands: a progress line, JSON, quiet imports."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any


def add_encoding(parser: argparse.ArgumentParser) -> None:
    """Declare `--encoding`, the encoding of a data set's caption files."""
    parser.add_argument(
        "--encoding",
        metavar="NAME",
        help="encoding of the caption files, such as gb18030; detected by default",
    )


def add_allow_missing(parser: argparse.ArgumentParser) -> None:
    """Declare `--allow-missing`, which accepts a data set that lacks many photos."""
    parser.add_argument(
        "--allow-missing", action="store_true", help="go on even if many photos are missing"
    )


def print_json(value: Any) -> None:
    """Print one JSON value on one line."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def progress_line(text: str, *, done: bool = False) -> None:
    """Show progress on stderr: in place on a terminal, only the last line in a log file."""
    if sys.stderr.isatty():
        print(f"\r{text:<78}", end="\n" if done else "", file=sys.stderr, flush=True)
    elif done:
        print(text, file=sys.stderr, flush=True)


def count_of(what: str) -> Callable[[int, int], None]:
    """Return a function that shows how many are done: `count_of("photos")(3, 8)`."""
    return lambda done, total: progress_line(f"{done:,} of {total:,} {what}", done=done == total)


def clock(seconds: float) -> str:
    """Format a duration as minutes and seconds, with hours if needed.

    >>> clock(75), clock(3700)
    ('1:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Silence stderr, including native code, while TensorFlow is imported.

    TensorFlow prints its CPU features before any setting can stop it.  Errors are still raised.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
