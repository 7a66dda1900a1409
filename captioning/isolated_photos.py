"""HEIC, AVIF and TIFF photos, opened in a process of their own.

    python -I isolated_photos.py LABEL MAX_MEMORY MAX_CPU_SECONDS MAX_PIXELS

Such a file lists its parts by their places, and thousands of entries may name the same one, so a
small file can cost hours and gigabytes.  Their decoders are large C libraries, too.  The process
has limits on memory and CPU time if the system has them, so a malicious file ends only it.

It reads the photo from standard input and writes to standard output: a line of JSON, and the pixels
of the upright picture, three bytes each.  With MAX_PIXELS 0, the blocks of metadata that the line
announces follow instead.
"""

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

MAX_MEMORY = 1_300_000_000
MAX_CPU_SECONDS = 9
MAX_METADATA = 10_000_000
"""Most bytes of a block of metadata; larger ones are left out."""

_MAX_SECONDS = 60
_BLOCKS = ("exif", "icc_profile", "xmp")


@dataclass(frozen=True)
class PhotoMetadata:
    """What a photo file holds besides its pixels.

    Attributes:
        format: Pillow's name of its format.
        frames: number of pictures in it.
        blocks: by Pillow's names: `exif`, `icc_profile`, `xmp`.
    """

    format: str
    frames: int
    blocks: dict[str, bytes]


def decode_isolated(data: bytes, label: str, max_pixels: int) -> "Image.Image":
    """Decode a photo in a process of its own.

    Args:
        data: the file.
        label: the photo's name as error messages start with it.
        max_pixels: as for `captioning.images.read_image`.

    Returns:
        The upright RGB image.

    Raises:
        ImageError: as `read_image`, or the photo takes too long or too much memory.
    """
    from PIL import Image

    found, pixels = _run(data, label, max_pixels)
    width, height = found["size"]
    return Image.frombytes("RGB", (width, height), pixels)


def metadata_isolated(data: bytes, label: str) -> PhotoMetadata:
    """Read a photo's metadata in a process of its own; arguments and errors as `decode_isolated`.

    A photo that is damaged is an `ImageError`, too.
    """
    found, content = _run(data, label)
    blocks = {}
    for name, length in found["blocks"].items():
        blocks[name], content = bytes(content[:length]), content[length:]
    return PhotoMetadata(found["format"], found["frames"], blocks)


def _run(data: bytes, label: str, max_pixels: int = 0) -> tuple[dict[str, Any], memoryview]:
    """Run this file and return the line and the bytes that it writes."""
    from captioning.errors import ImageError

    limits = map(str, (MAX_MEMORY, MAX_CPU_SECONDS, max_pixels))
    command = [sys.executable, "-I", __file__, label, *limits]
    # Each thread of a linear algebra library takes address space, which is limited there.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    try:
        ended = subprocess.run(  # noqa: S603 - nothing in it is run but this file
            command,
            input=data,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=_MAX_SECONDS,
        )
        line = ended.stdout.partition(b"\n")[0]
        found: dict[str, Any] = json.loads(line)
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        raise ImageError(
            f"{label} is refused: it is damaged, or takes too long or too much memory to "
            "read. Save it as JPEG."
        ) from error
    if "error" in found:
        raise ImageError(found["error"])
    return found, memoryview(ended.stdout)[len(line) + 1 :]


def limit(memory: int, cpu_seconds: int) -> None:
    """Limit this process's memory, in bytes, and CPU time, if the system can."""
    try:
        import resource
    except ImportError:  # Windows: the parent process limits its time
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(label: str, max_pixels: int) -> None:
    """Read the photo from standard input and write what the functions above read."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from captioning.errors import ImageError

    data = sys.stdin.buffer.read()
    try:
        found, content = _pixels(data, label, max_pixels) if max_pixels else _metadata(data)
    except ImageError as error:
        found, content = {"error": str(error)}, b""
    sys.stdout.buffer.write(json.dumps(found).encode() + b"\n")
    sys.stdout.buffer.write(content)


def _pixels(data: bytes, label: str, max_pixels: int) -> tuple[dict[str, Any], bytes]:
    from captioning.images import decode_here

    picture = decode_here(data, label, max_pixels)
    return {"size": picture.size}, picture.tobytes()


def _metadata(data: bytes) -> tuple[dict[str, Any], bytes]:
    from PIL import Image

    from captioning.image_formats import formats_of

    with Image.open(io.BytesIO(data), formats=formats_of(data)) as opened:
        blocks = {name: opened.info.get(name) for name in _BLOCKS}
        kept = {n: b for n, b in blocks.items() if isinstance(b, bytes) and len(b) <= MAX_METADATA}
        lengths = {name: len(block) for name, block in kept.items()}
        frames = getattr(opened, "n_frames", 1)
        found = {"format": opened.format, "frames": frames, "blocks": lengths}
        return found, b"".join(kept.values())


if __name__ == "__main__":
    limit(*map(int, sys.argv[2:4]))
    main(sys.argv[1], int(sys.argv[4]))
