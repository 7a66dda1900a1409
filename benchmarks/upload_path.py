"""Through which files of the project a photo runs, from its upload to its caption.

    python benchmarks/upload_path.py [PHOTO ...]

Counts the files of which a function is called while the Caption page runs again with another photo;
the model is loaded, and nothing is cached for this photo.
"""

import argparse
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = [ROOT / "assets" / "photos" / name for name in ("cat.jpg", "dogs.jpg")]


class Trace:
    """Counts the calls in each file of the project, and how often the file changes."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.changes = 0
        self._last = ""

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """Note a call, as `threading.setprofile` asks for it."""
        code = frame.f_code
        if event != "call" or code.co_name == "<module>":
            return
        path = Path(code.co_filename)
        if path.is_relative_to(ROOT) and ".venv" not in path.parts:
            name = path.relative_to(ROOT).as_posix()
            self.calls[name] += 1
            self.changes += name != self._last
            self._last = name


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the files and how many there are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="*", type=Path, metavar="PHOTO", help="the last is traced")
    photos: list[Path] = [*SAMPLES, *parser.parse_args(arguments).photos]
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    for photo in photos[:-1]:
        _upload(app, photo)
    trace = Trace()
    threading.setprofile(trace)
    _upload(app, photos[-1])
    threading.setprofile(None)
    for name, calls in sorted(trace.calls.items()):
        print(f"{calls:6,}  {name}")
    library = sum(name.startswith("captioning/") for name in trace.calls)
    print(
        f"{len(trace.calls)} files ({library} of the library), {trace.calls.total():,} calls, "
        f"{trace.changes:,} changes of file"
    )
    return 0


def _upload(app: AppTest, photo: Path) -> None:
    app.file_uploader[0].set_value([(photo.name, photo.read_bytes(), "image/jpeg")]).run()
    if app.exception:
        raise SystemExit(app.exception[0].message)


if __name__ == "__main__":
    sys.exit(main())
