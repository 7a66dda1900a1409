"""Getting Flickr8k from a server of these tests' own, from archives of every sort, from folders."""

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import stat
import threading
import time
import zipfile
from collections import namedtuple
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from PIL import Image

from captioning.__main__ import main
from captioning.datasets import available_datasets, load
from captioning.datasets.catalog import remembered_folders
from captioning.datasets.download import (
    Progress,
    background,
    download_state,
    fetch_flickr8k,
    install_folder,
    install_zip,
    installing,
    places,
    run_download,
    start_download,
    stop_download,
)
from captioning.datasets.download.archive import Limits
from captioning.datasets.download.progress import RateMeter
from captioning.datasets.download.transfer import Patience
from captioning.datasets.splitting import official_splits
from captioning.errors import DatasetError, DownloadError, DownloadStopped

HASTY = Patience(answer=2, silence=2, attempts=3, pause=0.01)
BRIEF = Patience(answer=0.3, silence=0.3, attempts=3, pause=0.01)
NAMES = tuple(list(official_splits())[:10])
Usage = namedtuple("Usage", "total used free")


@cache
def photo(size=64):
    out = io.BytesIO()
    Image.radial_gradient("L").resize((size, size)).convert("RGB").save(out, "JPEG", quality=99)
    return out.getvalue()


def caption_table(names, each=5):
    rows = [f"{name},A caption , number {i} ." for name in names for i in range(each)]
    return "\n".join(["image,caption", *rows, ""])


def make_zip(names=NAMES, above="", captions=None, extra=(), size=64):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(f"{above}Images/{name}", photo(size))
        table = caption_table(names) if captions is None else captions
        archive.writestr(f"{above}captions.txt", table, zipfile.ZIP_DEFLATED)
        for name, content in extra:
            archive.writestr(name, content)
    return out.getvalue()


@cache
def whole_zip():
    """An archive with as many photos as Flickr8k has."""
    official = list(official_splits())
    return make_zip((*official, *(f"{n}_more.jpg" for n in range(8091 - len(official)))), size=8)


@dataclass
class Behaviour:
    """What the server of these tests does next; the tests change it."""

    content: bytes = b""
    etag: str | None = '"one"'
    ranges: bool = True
    tells_length: bool = True
    statuses: list[int] = field(default_factory=list)  # of the next answers, in place of the file
    cuts: list[int] = field(default_factory=list)  # after how many bytes the next answers break
    stall_at: int | None = None  # stop sending there until `go` is set
    redirects: bool = False
    asked: list[str | None] = field(default_factory=list)  # the Range of each request for the file
    go: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        do = self.server.behaviour
        if do.redirects and self.path == "/":
            self.send_response(302)
            self.send_header("Location", "/elsewhere.zip")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        wanted = self.headers.get("Range")
        do.asked.append(wanted)
        if do.statuses:
            self.send_response(do.statuses.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and do.ranges else 0
        self.send_head(do, start, bool(wanted and do.ranges))
        self.send_body(do, start)

    def send_head(self, do, start, partly):
        total = len(do.content)
        if partly and start >= total:
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if partly else 200)
        if partly:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if do.etag:
            self.send_header("ETag", do.etag)
        if do.tells_length:
            self.send_header("Content-Length", str(total - start))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()

    def send_body(self, do, start):
        end = min(len(do.content), start + (do.cuts.pop(0) if do.cuts else len(do.content)))
        with contextlib.suppress(OSError):
            if do.stall_at is not None and start < do.stall_at:
                self.wfile.write(do.content[start : do.stall_at])
                self.wfile.flush()
                do.go.wait(30)
                start = do.stall_at
            self.wfile.write(do.content[start:end])
        if end < len(do.content):
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def log_message(self, *_):
        pass


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that hang up are part of the tests


@pytest.fixture
def server(monkeypatch):
    with QuietServer(("127.0.0.1", 0), Handler) as running:
        running.behaviour = Behaviour(make_zip())
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv(
            "CAPTIONING_FLICKR8K_URL", f"http://127.0.0.1:{running.server_address[1]}/"
        )
        yield running.behaviour
        running.behaviour.go.set()
        running.shutdown()


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """A data folder of the test's own, roomy, in which ten photos make a whole Flickr8k."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub"))
    monkeypatch.setattr(places, "PHOTOS", len(NAMES))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, 10**12))
    return tmp_path / "data"


@pytest.fixture
def nowhere(monkeypatch):
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    monkeypatch.setenv("CAPTIONING_FLICKR8K_URL", url)
    return url


def fetch(patience=HASTY, **options):
    return fetch_flickr8k(patience=patience, **options)


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def part(data):
    return data / "downloads" / "flickr8k.zip.part"


# --- fetching ----------------------------------------------------------------------------------


def test_flickr8k_is_fetched_checked_and_in_its_place(server, data):
    seen = []
    installed = fetch(on_progress=seen.append)
    assert installed.dataset.root == data / "flickr8k"
    assert installed.dataset.name == "flickr8k"
    assert files_below(data) == {
        "flickr8k/captions.txt",
        *(f"flickr8k/Images/{name}" for name in NAMES),
    }
    assert (data / "flickr8k" / "Images" / NAMES[0]).read_bytes() == photo()
    stages = list(dict.fromkeys(progress.stage for progress in seen))
    assert stages == ["connecting", "downloading", "unpacking", "checking"]
    for stage in ("downloading", "unpacking"):
        steps = [progress for progress in seen if progress.stage == stage]
        assert steps[-1].done == steps[-1].total
        assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[-1].fraction == 1.0


def test_a_whole_copy_is_not_fetched_again(server):
    fetch()
    again = fetch()
    assert "already" in again.sentences()[-1]
    assert len(server.asked) == 1


def test_redirections_are_followed_with_the_range(server, data):
    server.redirects = True
    server.cuts = [500]
    fetch()
    assert server.asked == [None, "bytes=500-"]


def test_a_broken_transfer_goes_on_where_it_broke(server, data):
    server.cuts = [1000, 700, 1]
    seen = []
    fetch(on_progress=seen.append)
    assert server.asked == [None, "bytes=1000-", "bytes=1700-", "bytes=1701-"]
    done = [progress.done for progress in seen if progress.stage == "downloading"]
    assert done == sorted(done)
    assert load(data / "flickr8k").name == "flickr8k"


def test_a_later_start_goes_on_where_an_earlier_one_gave_up(server, data):
    server.cuts = [1000, 0, 0, 0]
    with pytest.raises(DownloadError, match="3 times in a row") as caught:
        fetch()
    assert "are kept" in str(caught.value)
    assert part(data).read_bytes() == server.content[:1000]
    server.asked.clear()
    fetch()
    assert server.asked == ["bytes=1000-"]


def test_breaks_that_bring_something_new_do_not_count(server):
    server.cuts = [100] * 8
    fetch()
    assert len(server.asked) == 9


@pytest.mark.parametrize("other", ["etag", "size", "both"])
def test_another_file_by_then_is_fetched_from_its_start(server, data, other):
    server.cuts = [1000, 0, 0, 0]
    with pytest.raises(DownloadError):
        fetch()
    server.etag = '"two"' if other != "size" else server.etag
    server.content = make_zip(extra=[("x.txt", "x")]) if other != "etag" else make_zip()
    server.asked.clear()
    fetch()
    assert server.asked == ["bytes=1000-", None]
    assert load(data / "flickr8k").name == "flickr8k"


def test_a_file_that_shrank_is_fetched_from_its_start(server):
    server.content = make_zip(extra=[("pad.txt", os.urandom(40_000))])
    server.cuts = [len(server.content) - 5, 0, 0, 0]
    with pytest.raises(DownloadError):
        fetch()
    server.content, server.etag = make_zip(), '"two"'
    server.asked.clear()
    fetch()
    assert server.asked[-1] is None  # after a 416


def test_a_server_without_ranges_starts_again(server):
    server.ranges, server.cuts = False, [1000]
    fetch()
    assert server.asked == [None, "bytes=1000-"]


def test_a_server_that_does_not_tell_the_size_is_put_up_with(server, data):
    server.tells_length = False
    fetch()
    assert (data / "flickr8k").is_dir()
    assert list((data / "downloads").iterdir()) == []


@pytest.mark.parametrize("note", [b"", b"\xff\0", b"[]", b"{}", b'{"url": 1}'])
def test_a_damaged_note_costs_the_part_not_the_download(server, data, note):
    (data / "downloads").mkdir(parents=True)
    part(data).write_bytes(b"x" * 1000)
    part(data).with_name("flickr8k.zip.part.json").write_bytes(note)
    fetch()
    assert server.asked == [None]


def test_a_part_of_another_address_is_not_gone_on_with(server, data):
    (data / "downloads").mkdir(parents=True)
    part(data).write_bytes(b"x" * 1000)
    note = {"url": "http://other/", "etag": server.etag, "total": len(server.content)}
    part(data).with_name("flickr8k.zip.part.json").write_text(json.dumps(note))
    fetch()
    assert server.asked == [None]


def test_a_part_that_is_whole_is_not_asked_for(server, data, monkeypatch):
    (data / "downloads").mkdir(parents=True)
    part(data).write_bytes(server.content)
    url = os.environ["CAPTIONING_FLICKR8K_URL"]
    note = {"url": url, "etag": server.etag, "total": len(server.content)}
    part(data).with_name("flickr8k.zip.part.json").write_text(json.dumps(note))
    fetch()
    assert server.asked == []


def test_a_passing_fault_is_outlasted_once_something_has_come(server):
    server.cuts, server.statuses = [1000], []
    original = server.asked

    class Asked(list):
        def append(self, wanted):
            super().append(wanted)
            if len(self) == 2:
                server.statuses = [503]

    server.asked = Asked(original)
    fetch()
    assert server.asked == [None, "bytes=1000-", "bytes=1000-"]


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429, 500, 503])
def test_a_refusal_says_what_to_do_by_hand(server, status):
    server.statuses = [status]
    with pytest.raises(DownloadError) as caught:
        fetch()
    assert f"status {status}" in str(caught.value)
    assert "by hand" in str(caught.value)
    assert len(server.asked) == 1


def test_a_missing_network_says_what_to_do_by_hand(nowhere, data):
    with pytest.raises(DownloadError) as caught:
        fetch()
    text = str(caught.value)
    for part_of_it in (
        "no network",
        places.KAGGLE_PAGE,
        str(data / "flickr8k.zip"),
        str(data / "flickr8k"),
        "--zip FILE",
        "--folder DIR",
    ):
        assert part_of_it in text
    assert not (data / "flickr8k").exists()


def test_a_server_that_never_answers_is_given_up(data, monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setenv("CAPTIONING_FLICKR8K_URL", url)
        with pytest.raises(DownloadError, match="does not answer"):
            fetch(BRIEF)


def test_an_address_that_takes_long_to_look_up_is_given_up(monkeypatch):
    gate = threading.Event()

    def look_up(*_):
        gate.wait(20)
        raise socket.gaierror

    monkeypatch.setenv("CAPTIONING_FLICKR8K_URL", "http://nowhere.invalid/")
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(DownloadError, match="does not answer"):
        fetch(BRIEF)
    gate.set()


def test_a_server_that_falls_silent_is_asked_again(server, data):
    server.stall_at = 1000
    fetch(BRIEF)
    assert server.asked == [None, "bytes=1000-"]
    assert load(data / "flickr8k").name == "flickr8k"


@pytest.mark.parametrize("url", ["ftp://host/x.zip", "no address", "http://"])
def test_an_invalid_address_is_reported(url, monkeypatch):
    monkeypatch.setenv("CAPTIONING_FLICKR8K_URL", url)
    with pytest.raises(DownloadError, match="by hand"):
        fetch()


def test_an_untrusted_certificate_is_reported(monkeypatch, nowhere):
    def refuse(*_, **__):
        raise requests.exceptions.SSLError("self-signed")

    monkeypatch.setattr(requests, "get", refuse)
    with pytest.raises(DownloadError, match="certificate"):
        fetch()


def test_a_sign_in_page_is_not_taken_for_the_archive(server, data):
    server.content = b"<!doctype html><title>Welcome to the airport</title>"
    with pytest.raises(DownloadError, match="a web page instead of the archive"):
        fetch()
    assert not part(data).exists()


def test_a_file_far_too_large_is_refused(server, data, monkeypatch):
    monkeypatch.setattr(installing, "MOST_BYTES", 2000)
    with pytest.raises(DownloadError, match="another file"):
        fetch()
    server.tells_length = False
    with pytest.raises(DownloadError, match="sends more"):
        fetch()
    assert not part(data).exists()


def test_too_little_room_is_reported_before_anything_is_written(server, data, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, 150_000_000))
    with pytest.raises(DownloadError, match="not enough space") as caught:
        fetch()
    assert "0.1 GB are free" in str(caught.value) or "0.2 GB are free" in str(caught.value)
    assert not part(data).exists()


def test_room_for_the_archive_and_for_what_is_in_it_is_asked_for(server, data, monkeypatch):
    needed = []
    monkeypatch.setattr(installing, "require_room", lambda folder, count: needed.append(count))
    server.cuts = [1000]
    fetch()
    size = len(server.content)
    margin = installing._MARGIN
    assert needed == [2 * size + margin, 2 * size - 1000 + margin]


def test_a_disk_that_fills_up_meanwhile_is_reported(server, data, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("captioning.datasets.download.transfer.RateMeter.rate", full)
    with pytest.raises(DownloadError, match="No space left on device"):
        fetch()


def test_a_data_folder_that_is_a_file_is_reported(server, data):
    data.write_text("not a folder")
    with pytest.raises(DownloadError, match="cannot be created"):
        fetch()
    assert data.read_text() == "not a folder"


@pytest.mark.parametrize("stage", ["connecting", "downloading", "unpacking", "checking"])
def test_it_stops_when_asked_and_goes_on_when_started_again(server, data, stage):
    seen = []
    with pytest.raises(DownloadStopped):
        fetch(on_progress=seen.append, should_stop=lambda: seen and seen[-1].stage == stage)
    assert not (data / "flickr8k").exists()
    assert not list(data.glob(".unpacking*"))
    before = len(server.asked)
    fetch()
    if stage in ("unpacking", "checking"):
        assert len(server.asked) == before  # the archive was there
    assert load(data / "flickr8k").name == "flickr8k"


def test_it_stops_while_it_waits_for_an_answer(monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setenv("CAPTIONING_FLICKR8K_URL", url)
        asked = []
        with pytest.raises(DownloadStopped):
            fetch(Patience(answer=30), should_stop=lambda: asked.append(1) or len(asked) > 2)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (make_zip(NAMES[:9]), "9 photos, but Flickr8k has 10"),
        (make_zip(captions=caption_table(NAMES, 4)), "another number of captions than 5"),
        (make_zip(captions="image,caption\n"), "contains no captions"),
        (make_zip([f"{number}.jpg" for number in range(10)]), "another data set"),
    ],
)
def test_what_is_not_whole_is_refused_and_fetched_again_next_time(server, data, content, reason):
    server.content = content
    with pytest.raises(DatasetError, match=reason):
        fetch()
    assert not (data / "flickr8k").exists()
    server.content = make_zip()
    fetch()
    assert load(data / "flickr8k").name == "flickr8k"


def test_a_file_that_changed_on_its_way_is_found_by_its_checksum(server, data):
    damaged = bytearray(server.content)
    damaged[len(damaged) // 2] ^= 0xFF
    server.content = bytes(damaged)
    with pytest.raises(DatasetError, match="not a complete zip archive"):
        fetch()
    assert not (data / "flickr8k").exists()


def test_a_broken_copy_in_the_place_is_replaced_and_kept(server, data):
    (data / "flickr8k" / "Images").mkdir(parents=True)
    (data / "flickr8k" / "notes.txt").write_text("mine")
    installed = fetch()
    (remark,) = installed.remarks
    (kept,) = (data / "downloads").glob("flickr8k-before-*")
    assert str(kept) in remark
    assert (kept / "notes.txt").read_text() == "mine"
    assert [dataset.name for dataset in available_datasets()] == ["flickr8k"]


@pytest.mark.parametrize("name", ["flickr8k.zip", "archive.zip"])
def test_a_zip_put_into_the_data_folder_is_used_and_kept(nowhere, data, name):
    data.mkdir()
    content = make_zip()
    (data / name).write_bytes(content)
    assert fetch().dataset.root == data / "flickr8k"
    assert (data / name).read_bytes() == content


def test_a_bad_zip_put_into_the_data_folder_is_reported_and_kept(nowhere, data):
    data.mkdir()
    (data / "flickr8k.zip").write_bytes(b"noise")
    with pytest.raises(DatasetError, match="'flickr8k.zip' is not a complete zip archive"):
        fetch()
    assert (data / "flickr8k.zip").read_bytes() == b"noise"


def kagglehub_copy(tmp_path, version, names=NAMES, complete=True):
    folder = tmp_path / "kagglehub" / "datasets" / "adityajn105" / "flickr8k"
    with zipfile.ZipFile(io.BytesIO(make_zip(names))) as archive:
        archive.extractall(folder / "versions" / str(version))
    if complete:
        (folder / f"{version}.complete").touch()
    return folder / "versions" / str(version)


def test_a_copy_that_kagglehub_keeps_is_used_where_it_lies(nowhere, tmp_path):
    kagglehub_copy(tmp_path, 2)
    latest = kagglehub_copy(tmp_path, 10)
    kagglehub_copy(tmp_path, 11, complete=False)
    assert fetch().dataset.root == latest
    (available,) = available_datasets()
    assert (available.name, available.folder, available.remembered) == ("flickr8k", latest, True)


def test_a_copy_of_kagglehub_that_is_not_whole_is_passed_over(server, tmp_path, data):
    kagglehub_copy(tmp_path, 1, NAMES[:3])
    assert fetch().dataset.root == data / "flickr8k"


# --- archives ----------------------------------------------------------------------------------


def zip_file(tmp_path, content, name="given.zip"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def zip_of(*members, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for member, content in members:
            archive.writestr(member, content)
    return out.getvalue()


def link(name, target):
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member, target


def device(name):
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFCHR | 0o666) << 16
    return member, b""


def encrypted(content):
    """Set the flag of encryption in the headers of an archive of one member."""
    data = bytearray(content)
    data[data.index(b"PK\x03\x04") + 6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def lying_about_size(content):
    """Say in both headers of an archive of one member that it is 10 bytes when unpacked."""
    data = bytearray(content)
    local, central = data.index(b"PK\x03\x04"), data.index(b"PK\x01\x02")
    data[local + 22 : local + 26] = data[central + 24 : central + 28] = (10).to_bytes(4, "little")
    return bytes(data)


HOSTILE = {
    "above": (zip_of(("../evil.jpg", photo())), "points outside"),
    "above, deeper": (zip_of(("Images/../../evil.jpg", photo())), "points outside"),
    "above, of Windows": (zip_of(("Images\\..\\..\\evil.jpg", photo())), "points outside"),
    "absolute": (zip_of(("/tmp/evil.jpg", photo())), "absolute path"),
    "absolute, of Windows": (zip_of(("C:\\evil.jpg", photo())), "absolute path"),
    "of a drive": (zip_of(("c:evil.jpg", photo())), "absolute path"),
    "on a share": (zip_of(("\\\\host\\evil.jpg", photo())), "absolute path"),
    "a stream": (zip_of(("captions.txt:evil.jpg", photo())), "a character in its name"),
    "a link": (zip_of(link("Images", "/tmp"), ("Images/evil.jpg", photo())), "is a link"),
    "a link to a file": (zip_of(link("captions.txt", "/etc/passwd")), "is a link"),
    "a device": (zip_of(device("evil.jpg")), "a link or a device"),
    "a bomb": (zip_of(("a.txt", bytes(3_000_000)), method=8), "times its size"),
    "a lie about size": (
        lying_about_size(zip_of(("a.txt", bytes(3_000_000)), method=8)),
        "not a complete zip",
    ),
    "the same twice": (zip_of(("a.jpg", b"1"), ("A.JPG", b"2")), "occurs twice"),
    "a file as a folder": (zip_of(("a.txt", b"1"), ("a.txt/b.jpg", b"2")), "cannot be unpacked"),
    "encrypted": (encrypted(zip_of(("a.jpg", photo()))), "encrypted"),
    "noise": (bytes(range(256)) * 50, "not a complete zip"),
    "empty": (b"", "not a complete zip"),
    "cut": (make_zip()[:-100], "not a complete zip"),
    "damaged LZMA": (
        zip_of(("a.txt", b"a dog" * 100), method=14).replace(b"\x5d\0\0", b"\xff\0\0", 1),
        "not a complete zip",
    ),
    "nothing in it": (zip_of(), "no photos and no captions"),
    "programs alone": (zip_of(("setup.exe", b"MZ"), ("x.py", b"import os")), "no photos and no"),
    "no captions": (zip_of(("Images/a.jpg", photo())), "cannot be used"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_or_useless_archive_gives_a_sentence_and_leaves_no_trace(tmp_path, data, case):
    content, reason = HOSTILE[case]
    given = zip_file(tmp_path, content)
    (data / "flickr8k").mkdir(parents=True)
    (data / "flickr8k" / "notes.txt").write_text("mine")
    before = files_below(tmp_path)
    with pytest.raises(DatasetError, match=reason) as caught:
        install_zip(given)
    assert ".unpacking" not in str(caught.value)
    assert files_below(tmp_path) == before
    assert not list(tmp_path.rglob("*evil*"))
    assert sorted(path.name for path in data.iterdir()) == ["flickr8k"]
    assert not Path("/tmp/evil.jpg").exists()


def test_an_archive_that_takes_too_much_memory_is_refused(tmp_path, data, monkeypatch):
    """LZMA's dictionary has the size that the archive says, up to 4 GB."""

    def open_member(self, member):
        raise MemoryError

    given = zip_file(tmp_path, make_zip())
    monkeypatch.setattr(zipfile.ZipFile, "open", open_member)
    with pytest.raises(DatasetError, match="too much memory"):
        install_zip(given)
    assert list(data.iterdir()) == []


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(members=11), "12 members, more than 11"),
        (Limits(members=11), "has 12 members"),
        (Limits(total=1000), "would fill"),
    ],
)
def test_limits_hold_for_members_and_their_sum(tmp_path, limits, reason):
    content = make_zip(extra=[("x.txt", "x")])
    with pytest.raises(DatasetError, match=reason):
        install_zip(zip_file(tmp_path, content), limits=limits)


def test_many_small_files_that_grow_out_of_proportion_are_a_bomb_too(tmp_path):
    members = [(f"{n}.txt", bytes(1_000_000)) for n in range(110)]
    with pytest.raises(DatasetError, match="times its size"):
        install_zip(zip_file(tmp_path, zip_of(*members, method=8)))


def test_too_little_room_for_what_is_in_an_archive_is_reported(tmp_path, data, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, 1000))
    with pytest.raises(DownloadError, match="not enough space"):
        install_zip(zip_file(tmp_path, make_zip()))
    assert list(data.iterdir()) == []


@pytest.mark.parametrize("above", ["", "archive/", "flickr8k-master/"])
def test_an_archive_from_a_browser_is_installed(tmp_path, data, above):
    extra = [
        (f"{above}setup.exe", b"MZ"),
        ("__MACOSX/Images/._x.jpg", b"x"),
        (f"{above}.hidden/x.jpg", b"x"),
        (f"{above}Images/Thumbs.db", b"x"),
    ]
    seen = []
    installed = install_zip(
        zip_file(tmp_path, make_zip(above=above, extra=extra)), on_progress=seen.append
    )
    assert installed.dataset.root == data / "flickr8k"
    assert files_below(data) == {
        "flickr8k/captions.txt",
        *(f"flickr8k/Images/{name}" for name in NAMES),
    }
    assert [progress.stage for progress in seen][-1] == "checking"
    mode = stat.S_IMODE((data / "flickr8k").stat().st_mode)
    assert mode == stat.S_IMODE(data.stat().st_mode)  # others may read it as they may the rest


def test_an_archive_of_own_photos_is_a_data_set_under_its_name(tmp_path, data):
    content = zip_of(("a.jpg", photo()), ("captions.csv", "image,caption\na.jpg,A cat .\n"))
    installed = install_zip(zip_file(tmp_path, content, "My cats (2024).zip"))
    assert installed.dataset.root == data / "My-cats-2024"
    assert [dataset.name for dataset in available_datasets()] == ["My-cats-2024"]
    again = install_zip(zip_file(tmp_path, content, "runs.zip"))
    assert again.dataset.root == data / "runs-data"


def test_an_archive_that_is_a_folder_or_nothing_is_reported(tmp_path):
    with pytest.raises(DatasetError, match="is a folder"):
        install_zip(tmp_path)
    with pytest.raises(DatasetError, match="There is no file"):
        install_zip(tmp_path / "missing.zip")


def test_leftovers_of_a_process_that_died_are_cleared_after_a_day(tmp_path, data):
    for name, age in ((".unpacking-old", 100_000), (".unpacking-new", 100)):
        (data / name).mkdir(parents=True)
        os.utime(data / name, (time.time() - age,) * 2)
    install_zip(zip_file(tmp_path, make_zip()))
    assert sorted(path.name for path in data.glob(".unpacking*")) == [".unpacking-new"]


# --- folders -----------------------------------------------------------------------------------


def unpacked(folder, names=NAMES, captions=None):
    with zipfile.ZipFile(io.BytesIO(make_zip(names, captions=captions))) as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.parametrize("given", ["", "Images", ".."])
def test_a_folder_is_checked_and_remembered_where_it_lies(tmp_path, data, given):
    folder = unpacked(tmp_path / "elsewhere" / "copy")
    before = files_below(folder)
    installed = install_folder(folder / given)
    assert installed.remarks == ()
    assert installed.dataset.root == folder
    assert remembered_folders() == [folder]
    assert files_below(folder) == before
    assert files_below(data) == {"datasets.json"}
    assert load(available_datasets()[0].folder).fingerprint == installed.dataset.fingerprint


def test_a_part_of_flickr8k_is_taken_and_what_is_missing_reported(tmp_path):
    installed = install_folder(unpacked(tmp_path / "part", NAMES[:4]))
    assert "4 photos, but Flickr8k has 10" in " ".join(installed.sentences())
    (tmp_path / "part" / "Images" / NAMES[0]).write_bytes(b"")
    assert "are empty files" in " ".join(install_folder(tmp_path / "part").remarks)


def test_a_folder_of_no_use_is_not_remembered(tmp_path, data):
    folder = unpacked(tmp_path / "copy", captions="image,caption\nother.jpg,A cat .\n")
    for path in (folder, tmp_path / "missing", "", tmp_path / "copy" / "captions.txt"):
        with pytest.raises(DatasetError):
            install_folder(path)
    assert remembered_folders() == []


# --- in a process of its own, and from the command line ----------------------------------------


@pytest.fixture
def whole(server, monkeypatch):
    monkeypatch.setattr(places, "PHOTOS", 8091)
    server.content = whole_zip()
    return server


def wait_until(condition):
    deadline = time.monotonic() + 240
    while not (found := condition()):
        assert time.monotonic() < deadline, download_state()
        time.sleep(0.02)
    return found


@pytest.fixture
def children():
    yield background._children
    for child in background._children:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        child.wait()
    background._children.clear()


@pytest.mark.slow
@pytest.mark.process
def test_a_download_in_the_background_is_watched_stopped_and_gone_on_with(whole, data, children):
    assert download_state().status == "none"
    whole.stall_at = 500_000
    assert start_download().running
    state = wait_until(lambda: (s := download_state()).progress and s.progress.done > 0 and s)
    assert state.running
    assert state.progress.stage == "downloading"
    assert state.progress.total == len(whole.content)
    assert start_download().running  # and no second process
    assert len(children) == 1
    with pytest.raises(DownloadError, match="already running"):
        run_download()
    stop_download()
    whole.go.set()
    state = wait_until(lambda: (s := download_state()).status != "running" and s)
    assert state.status == "stopped"
    assert "to resume" in state.message
    kept = part(data).stat().st_size
    assert kept > 0
    whole.stall_at = None
    start_download()
    state = wait_until(lambda: (s := download_state()).status != "running" and s)
    assert state.status == "done", state.message
    assert whole.asked[-1] == f"bytes={kept}-"
    assert state.folder == data / "flickr8k"
    assert "8,091 photos with 40,455 captions" in state.message
    assert [dataset.name for dataset in available_datasets()] == ["flickr8k"]


@pytest.mark.process
def test_a_process_that_dies_is_known_to_have_died(whole, data, children):
    whole.stall_at = 500_000
    start_download()
    wait_until(lambda: (s := download_state()).progress and s.progress.done > 0)
    os.kill(children[0].pid, signal.SIGKILL)
    state = wait_until(lambda: (s := download_state()).status != "running" and s)
    assert state.status == "failed"
    assert "ended unexpectedly" in state.message


@pytest.mark.process
def test_a_background_download_without_network_says_what_to_do(nowhere, children):
    start_download()
    state = wait_until(lambda: (s := download_state()).status != "running" and s)
    assert state.status == "failed"
    assert places.KAGGLE_PAGE in state.message


@pytest.mark.process
def test_a_zip_is_unpacked_in_the_background(tmp_path, data, children, nowhere, monkeypatch):
    given = zip_file(tmp_path, zip_of(("a.jpg", photo()), ("c.csv", "image,caption\na.jpg,A .\n")))
    monkeypatch.chdir(tmp_path)
    start_download(Path("given.zip"))
    state = wait_until(lambda: (s := download_state()).status != "running" and s)
    assert state.status == "done", state.message
    assert state.folder == data / given.stem


@pytest.mark.parametrize("content", [b"", b"\xff\0\1", b"[]", b'{"status": "done"}', b"{}"])
def test_a_damaged_state_is_no_state(data, content):
    (data / "downloads").mkdir(parents=True)
    (data / "downloads" / "flickr8k.json").write_bytes(content)
    assert download_state().status == "none"
    stop_download()
    assert not (data / "downloads" / "flickr8k.stop").exists()


def test_state_follows_a_download_in_this_process(server, data):
    states = []
    installed = run_download(on_progress=lambda progress: states.append(download_state()))
    assert {state.status for state in states} == {"running"}
    state = download_state()
    assert (state.status, state.folder) == ("done", installed.dataset.root)
    assert not list((data / "downloads").glob(".*"))


def test_an_unforeseen_error_is_reported_and_not_swallowed(server, monkeypatch):
    def fail(**_):
        raise ZeroDivisionError

    monkeypatch.setattr(background, "fetch_flickr8k", fail)
    with pytest.raises(ZeroDivisionError):
        run_download()
    assert download_state().status == "failed"
    assert "ZeroDivisionError" in download_state().message


def test_command_without_network_fails_with_what_to_do(nowhere, capsys):
    assert main(["data", "download"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "by hand" in printed.err
    assert places.KAGGLE_PAGE in printed.err


def test_command_fetches_unpacks_and_remembers(server, data, tmp_path, capsys):
    assert main(["data", "download"]) == 0
    assert "flickr8k: 10 photos with 50 captions" in capsys.readouterr().out
    assert main(["data", "download", "--zip", str(zip_file(tmp_path, make_zip()))]) == 0
    assert "are kept in" in capsys.readouterr().out
    assert main(["data", "download", "--folder", str(unpacked(tmp_path / "mine"))]) == 0
    capsys.readouterr()
    assert main(["data", "list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == ["flickr8k", "flickr8k-2"]
    assert listed[1].endswith(str(tmp_path / "mine"))
    with pytest.raises(SystemExit):
        main(["data", "download", "--zip", "a", "--folder", "b"])


# --- parts -------------------------------------------------------------------------------------


def test_progress_says_what_is_known():
    assert Progress("connecting").sentence() == "Connecting"
    assert Progress("downloading", 5_000_000).sentence() == "Downloading: 5 MB"
    half = Progress("downloading", 500, 1000, 100.0)
    assert (half.fraction, half.seconds_left) == (0.5, 5.0)
    assert "less than a minute left" in half.sentence()
    assert Progress("unpacking", 0, 0).fraction is None
    assert Progress("downloading", 1, 10**9, 0.0).seconds_left is None


def test_rate_is_bytes_over_the_last_seconds(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    meter = RateMeter(seconds=5)
    assert meter.rate(1000) is None
    for second in range(1, 20):
        now = 100.0 + second
        rate = meter.rate(1000 + 50 * second)
        assert rate == pytest.approx(50)
    now += 10  # a stall
    assert meter.rate(1000 + 50 * 19) < 10


@pytest.mark.parametrize("seconds", [3600, 1e9])
def test_a_clock_set_back_keeps_no_dead_download_running(data, seconds):
    (data / "downloads").mkdir(parents=True)
    background._write(background.DownloadState("running", updated=time.time() + seconds))
    assert download_state().status == "failed"
