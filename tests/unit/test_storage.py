"""Files are written whole or not at all, and a lock ends with the process that holds it."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from captioning import processes, storage
from captioning.errors import StorageError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_and_nothing_else_stays(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "new" / "text.txt"
    storage.write_text(path, "one\r\n", durable=durable)
    storage.write_text(path, "größer\n", durable=durable)
    assert path.read_bytes() == "größer\n".encode()
    assert names(path.parent) == ["text.txt"]


def test_a_block_that_raises_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), storage.replacing(path) as part:
        part.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["text.txt"]


def test_threads_that_write_one_file_leave_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"

    def write(number: int) -> None:
        for _ in range(50):
            storage.write_json(path, [number] * 500)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            assert len(set(storage.read_json(path, list))) == 1
    assert names(tmp_path) == ["numbers.json"]


def test_a_folder_that_a_kill_left_moved_away_is_put_back(tmp_path: Path) -> None:
    folder, old = tmp_path / "bundle", tmp_path / ".bundle.old"
    old.mkdir()
    (old / "file").write_text("old")
    with pytest.raises(OSError, match="full"), storage.replacing_folder(folder):
        raise OSError("full")
    assert names(folder) == ["file"]
    storage.restore_replaced(folder)  # there is nothing to do
    assert names(tmp_path) == ["bundle"]


@pytest.mark.parametrize("durable", [False, True])
def test_a_folder_is_replaced_as_one(tmp_path: Path, durable: bool) -> None:
    folder = tmp_path / "model"
    for text in ("one", "two"):
        with storage.replacing_folder(folder, durable=durable) as part:
            (part / "inner").mkdir()
            (part / "inner" / text).write_text(text)
    assert names(folder / "inner") == ["two"]
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("fault", ["block", "move"])
def test_a_folder_that_cannot_be_replaced_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old").touch()
    move = storage._move

    def fail(source: Path, target: Path) -> None:
        if fault == "move" and source.name.endswith(".part"):
            raise OSError(28, "No space left on device")
        move(source, target)

    monkeypatch.setattr(storage, "_move", fail)
    with pytest.raises(OSError, match="No space"), storage.replacing_folder(folder):
        if fault == "block":
            raise OSError(28, "No space left on device")
    assert names(folder) == ["old"]
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is missing"),
        (b"{", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b"[1]", "expected a JSON object, found list"),
    ],
)
def test_what_is_no_json_object_is_a_typed_error(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "status.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StorageError, match=message):
        storage.read_json(path, dict)


def test_a_folder_and_a_giant_file_are_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(StorageError, match="cannot be read"):
        storage.read_json(tmp_path / "folder.json", dict)
    storage.write_json(tmp_path / "giant.json", {"text": "x" * 20_000_000})
    with pytest.raises(StorageError, match="more than 20 MB"):
        storage.read_json(tmp_path / "giant.json", dict)
    assert storage.read_json(tmp_path / "giant.json", dict, max_bytes=20_000_100)


@pytest.mark.parametrize(
    ("text", "message"),
    [("[" + "[]," * 5_000_000 + "0]", "lists and obj"), ("[" + "0," * 15_000_001 + "0]", "values")],
    ids=["lists", "values"],
)
def test_a_document_much_larger_in_memory_than_on_the_disk_is_refused_unparsed(
    text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(StorageError, match=f"more than [0-9,]+ {message}"):
        storage.read_json(tmp_path / "a.json", list, max_bytes=storage.MAX_INDEX_BYTES)
    assert storage.parse_json('{"a": [1, {}]}') == {"a": [1, {}]}


def test_a_line_cut_short_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert storage.read_json_lines(path, 100) == []
    storage.append_json_line(path, {"epoch": 1, "text": "ä"})
    with path.open("ab") as file:
        file.write(b'{"epoch": 2, "te')
    storage.append_json_line(path, {"epoch": 3})
    storage.append_json_line(path, [4])
    assert storage.read_json_lines(path, 100) == [{"epoch": 1, "text": "ä"}, {"epoch": 3}]
    assert len(path.read_bytes().splitlines()) == 4
    with pytest.raises(StorageError, match="more than"):
        storage.read_json_lines(path, 10)


def test_the_end_of_a_long_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.jsonl"
    assert storage.read_long_json_lines(path, list) == []
    for number in range(10, 30):
        storage.append_json_line(path, {"epoch": number})
        with path.open("ab") as file:
            file.write(b"\n" * 50 + b"9" * 30 + b"\n")
    length, lines, size = len('{"epoch": 10}'), 52, path.stat().st_size // 20
    for name, limit, first in (
        ("_MOST_LINE_BYTES", 20, 10),
        ("_MOST_SELECTED_BYTES", 6 * length - 1, 25),
        ("_MOST_LINES", 3 * lines + 1, 27),
        ("MAX_INDEX_BYTES", 3 * size - 1, 28),
    ):
        monkeypatch.setattr(storage, name, limit)
        found = storage.read_long_json_lines(path, list)
        assert [row["epoch"] for row in found] == list(range(first, 30))


def test_one_at_a_time_holds_a_lock(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    assert not processes.is_held(path)
    with processes.lock(path):
        assert processes.is_held(path)
        assert processes.hold(path) is None
    held = processes.hold(path)
    assert held is not None
    thread = threading.Thread(target=held.release)  # another thread may release it
    thread.start()
    thread.join()
    assert not processes.is_held(path)


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    program = (
        "import sys; from pathlib import Path; from captioning import processes\n"
        "held = processes.hold(Path(sys.argv[1])); print('held', flush=True); input()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(storage.__file__).parents[1],
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip() == b"held"
    assert processes.is_held(path)
    child.kill()
    child.communicate()
    assert not processes.is_held(path)


def test_data_lie_in_the_checkout_or_where_the_platform_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CAPTIONING_DATA")
    root = Path(storage.__file__).resolve().parents[1]
    assert storage.data_folder() == root / "data"
    assert storage.app_file() == root / "app.py"
    assert json.loads((storage.shipped_configs() / "shapes-two-minutes.json").read_text())
    monkeypatch.setattr(storage, "_SHIPPED", tmp_path)  # as in an installed package
    assert storage.data_folder().name == "captioning"
    assert root not in storage.data_folder().parents
    assert storage.shipped_models() == tmp_path / "models"


@pytest.mark.parametrize("durable", [False, True])
def test_only_a_durable_folder_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    flushed: list[str] = []
    monkeypatch.setattr(storage, "flush_to_disk", lambda path: flushed.append(path.name))
    with storage.replacing_folder(tmp_path / "folder", durable=durable) as part:
        (part / "file").write_text("content")
    assert ("file" in flushed) == durable
