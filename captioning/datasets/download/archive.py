"""Unpack an untrusted zip archive.

All members are checked before the first byte is written.  An archive with paths outside its folder,
links, encrypted members or an extreme compression ratio is refused; members that no data set needs
are skipped.
"""

import lzma
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from captioning.datasets.download.places import require_room
from captioning.datasets.download.progress import Hooks, Progress, RateMeter, gigabytes
from captioning.datasets.photo_files import is_photo
from captioning.errors import DatasetError, DownloadError
from captioning.zip_files import name_in_zip, open_zip

_TEXT_SUFFIXES = (
    *(".txt", ".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".token", ".caption"),
    *(".xlsx", ".parquet"),
)
_CHUNK = 1 << 20
_MARGIN = 100_000_000


@dataclass(frozen=True)
class Limits:
    """Limits on the contents of an archive.

    Attributes:
        members: Number of files and folders.  Flickr8k has 8,092, COCO's train2017 118,287.
        total: Unpacked size in bytes.
        ratio: Unpacked bytes per packed byte, in total and for each large file.  Photos have a
            ratio of 1, captions of about 4.
    """

    members: int = 300_000
    total: int = 40_000_000_000
    ratio: float = 100.0


LIMITS = Limits()


def unpack(archive: Path, into: Path, hooks: Hooks, limits: Limits = LIMITS) -> int:
    """Unpack photos and caption files of a zip archive into an empty folder.

    Args:
        archive: The zip file.
        into: An existing, empty folder.
        hooks: Report progress and may stop it.
        limits: Limits on the contents.

    Returns:
        The number of files written.

    Raises:
        DatasetError: It is not a zip archive, damaged, encrypted, or over the limits.
        DownloadError: There is not enough disk space.
        DownloadStopped: A person stopped it.
    """
    with _told(archive), open_zip(archive) as opened:
        members = opened.infolist()
        for member in members:
            member.filename = name_in_zip(member)
        _check(archive, members, limits)
        wanted = [member for member in members if _is_wanted(member.filename)]
        if not wanted:
            raise DatasetError(f"The archive '{archive.name}' contains no photos and no captions.")
        total = sum(member.file_size for member in wanted)
        require_room(into, total + _MARGIN)
        meter, done = RateMeter(), 0
        for member in wanted:
            done += _write(opened, member, into / member.filename, hooks)
            hooks.report(Progress("unpacking", done, total, meter.rate(done)))
    return len(wanted)


def _check(archive: Path, members: Sequence[zipfile.ZipInfo], limits: Limits) -> None:
    """Refuse an archive because of its total size or because of one member."""
    if len(members) > limits.members:
        raise _refused(archive, f"it has {len(members):,} members, more than {limits.members:,}")
    total = sum(member.file_size for member in members)
    if total > limits.total:
        raise _refused(archive, f"it would fill {gigabytes(total)}")
    packed = max(archive.stat().st_size, 1)
    if total > _MARGIN and total > limits.ratio * packed:
        raise _refused(archive, f"it would grow to {total / packed:,.0f} times its size")
    seen: set[str] = set()
    for member in members:
        if reason := _fault(member, limits):
            raise _refused(archive, f"its member '{member.filename[:80]}' {reason}")
        name = member.filename.rstrip("/").lower()
        if name in seen:
            raise _refused(archive, f"its member '{member.filename[:80]}' occurs twice")
        seen.add(name)


def _fault(member: zipfile.ZipInfo, limits: Limits) -> str | None:
    """Return what is wrong with a member, or None."""
    name = member.orig_filename
    if name.startswith(("/", "\\")) or re.match(r"[a-zA-Z]:", name):
        return "has an absolute path"
    if ".." in re.split(r"[/\\]", name):
        return "points outside the folder"
    if re.search(r"[\\:\x00-\x1f]", name):
        return "has a character in its name that some systems do not allow"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device, not a file"
    if member.flag_bits & 0x1:
        return "is encrypted, which is not supported"
    if member.file_size > _CHUNK and member.file_size > limits.ratio * max(member.compress_size, 1):
        return (
            f"would grow to {member.file_size / max(member.compress_size, 1):,.0f} times its size"
        )
    return None


def _is_wanted(name: str) -> bool:
    """Return whether a data set may need a member: a photo or a text, not hidden."""
    parts = name.split("/")
    if not parts[-1] or any(part.startswith((".", "__MACOSX")) for part in parts):
        return False
    return is_photo(parts[-1]) or parts[-1].lower().endswith(_TEXT_SUFFIXES)


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, hooks: Hooks) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    # "x": never write through an existing file or link.
    with opened.open(member) as source, open(path, "xb") as target:
        while chunk := source.read(_CHUNK):
            target.write(chunk)
            hooks.check()
        return target.tell()


@contextmanager
def _told(archive: Path) -> Iterator[None]:
    """Convert the exceptions of reading an archive to errors for users."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise DatasetError(
            f"'{archive.name}' is not a complete zip archive ({error}). Perhaps the download was "
            "interrupted; download it again."
        ) from error
    except (NotImplementedError, RuntimeError) as error:
        raise DatasetError(
            f"'{archive.name}' uses an unsupported compression ({error}). Unpack it "
            "with another program and enter the folder."
        ) from error
    except MemoryError as error:  # the dictionary of LZMA has the size that the archive says
        raise _refused(archive, "it takes too much memory to unpack") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise DownloadError(f"'{archive.name}' cannot be unpacked ({reason}).") from error


def _refused(archive: Path, reason: str) -> DatasetError:
    return DatasetError(
        f"The archive '{archive.name}' is refused: {reason}. If you trust it, unpack it with "
        "another program and enter the folder."
    )
