"""An archive is opened if its directory has a size that real archives have."""

import io
import struct
import zipfile
from pathlib import Path

import pytest

from captioning import zip_files
from captioning.zip_files import open_zip


def archive(names: list[str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as written:
        for name in names:
            written.writestr(name, b"a")
        written.comment = b"a comment"
    return buffer.getvalue()


def test_an_archive_is_opened_from_a_path_or_a_file(tmp_path: Path) -> None:
    data = archive(["a.jpg", "b.jpg"])
    (tmp_path / "a.zip").write_bytes(data)
    for source in (tmp_path / "a.zip", io.BytesIO(data)):
        with open_zip(source) as opened:
            assert opened.namelist() == ["a.jpg", "b.jpg"]
            assert opened.read("b.jpg") == b"a"


def test_an_archive_of_endless_files_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    data = archive([f"{n:05}" for n in range(100)])
    length = 100 * (46 + len("00001"))
    monkeypatch.setattr(zip_files, "MAX_DIRECTORY", length)
    with open_zip(io.BytesIO(data)) as opened:
        assert len(opened.infolist()) == 100
    monkeypatch.setattr(zip_files, "MAX_DIRECTORY", length - 1)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(zipfile.BadZipFile, match="the list of its files"):
        open_zip(io.BytesIO(data))


def test_the_directory_of_a_large_archive_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    end = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 9, 9, 10**10, 0)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, 0, 1)
    small = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 9, 9, 100, 0, 0)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(zipfile.BadZipFile, match="the list of its files"):
        open_zip(io.BytesIO(end + locator + small))


def test_what_is_no_archive_is_refused() -> None:
    for data in (b"", b"PK", b"a" * 100_000):
        with pytest.raises(zipfile.BadZipFile, match="not a zip"):
            open_zip(io.BytesIO(data))


def test_an_end_hidden_in_the_end_does_not_hide_the_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = bytearray(archive([f"{n:05}" for n in range(100)]).removesuffix(b"a comment"))
    data[-2:] = bytes(2)  # no comment
    data[-18:-14] = b"PK\5\6"  # looks like another end, and its directory like an empty one
    data[-6:-2] = bytes(4)
    with open_zip(io.BytesIO(data)) as opened:
        assert len(opened.infolist()) == 100
    monkeypatch.setattr(zip_files, "MAX_DIRECTORY", 1000)
    with pytest.raises(zipfile.BadZipFile, match="the list of its files"):
        open_zip(io.BytesIO(data))
