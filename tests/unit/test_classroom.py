"""On a class server a visitor can hurt nobody: the key, folders, the quota, and paths."""

import dataclasses
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from captioning import classroom
from captioning.__main__ import main
from captioning.cli.classroom import invitation, server_command
from captioning.config import TrainingConfig
from captioning.datasets import load_folder
from captioning.errors import DatasetError, RunError
from captioning.runs import Estimate, Runs
from captioning.training.sentences import read_sentences

SMALL = Estimate(10, 0, 1000, 0.0, 60.0, 10**8, 10**6, measured=False)


@pytest.fixture(autouse=True)
def class_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CAPTIONING_TEACHER_KEY", "a-key")
    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path / "data"))


@pytest.mark.parametrize("key", ["", "a-ke", "A-KEY", "a-key2", "ß"])
def test_another_key_gives_no_rights(key: str) -> None:
    assert classroom.is_teachers_key(" a-key\n")
    assert not classroom.is_teachers_key(key)


def test_without_a_class_no_key_opens_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAPTIONING_TEACHER_KEY")
    assert not classroom.is_visited()
    assert not classroom.is_teachers_key("")


def test_folders_lie_below_the_data_folder_or_a_root(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CAPTIONING_ROOTS", str(tmp_path / "root"))
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to("/etc")
    for inside in ("data/flickr8k", "root", "root/photos"):
        assert classroom.allowed_folder(str(tmp_path / inside)) == tmp_path / inside
    outside = (tmp_path, tmp_path / "rooted", tmp_path / "root/../other", tmp_path / "root/link")
    for folder in (*outside, "/", "~", "", "a\0b"):
        with pytest.raises(DatasetError, match="only its data folder"):
            classroom.allowed_folder(str(folder))


def test_any_folder_may_be_named_where_nobody_visits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAPTIONING_TEACHER_KEY")
    assert classroom.allowed_folder("/anywhere") == Path("/anywhere")


@pytest.mark.parametrize(
    "change",
    [{"training_seconds": 1e4}, {"memory_bytes": 10**11}, {"disk_bytes": 10**10}],
)
def test_a_visitor_s_run_is_small(tmp_path: Path, change: dict[str, float]) -> None:
    classroom.check_quota(Runs(tmp_path), "10.0.0.1", SMALL)
    with pytest.raises(RunError, match="too large for a visitor"):
        classroom.check_quota(Runs(tmp_path), "10.0.0.1", dataclasses.replace(SMALL, **change))


def test_a_visitor_has_one_run_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(tmp_path)
    config = TrainingConfig(name="try", data="shapes")
    run = runs.create(config, origin={"visitor": "10.0.0.1"})
    assert classroom.visitor_of(run) == "10.0.0.1"
    assert classroom.visitor_of(runs.create(config)) is None
    classroom.check_quota(runs, "10.0.0.1", SMALL)  # it has not been started
    run.write_status(run.status.replace(state="queued"))
    with pytest.raises(RunError, match="You already have a run"):
        classroom.check_quota(runs, "10.0.0.1", SMALL)
    classroom.check_quota(runs, "10.0.0.2", SMALL)
    monkeypatch.setattr(classroom, "MOST_WAITING", 0)
    with pytest.raises(RunError, match="1 runs are waiting"):
        classroom.check_quota(runs, "10.0.0.2", SMALL)


def test_tabs_that_start_at_the_same_time_share_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, ready = Runs(tmp_path), threading.Barrier(2)
    config = TrainingConfig(name="try", data="shapes")

    def start(_: int) -> bool:
        ready.wait()
        try:
            with classroom.within_quota(runs, "10.0.0.1", SMALL):
                run = runs.create(config, origin={"visitor": "10.0.0.1"})
                run.write_status(run.status.replace(state="queued"))
        except RunError:
            return False
        return True

    with ThreadPoolExecutor(2) as tabs:
        assert sorted(tabs.map(start, range(2))) == [False, True]


def test_a_visitor_s_runs_take_a_share_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(tmp_path)
    run = runs.create(TrainingConfig(name="try", data="shapes"), origin={"visitor": "10.0.0.1"})
    (run.folder / "checkpoint").write_bytes(b"x" * 3_000_000)
    monkeypatch.setattr(classroom, "MOST_STORED_BYTES", 2_000_000 + SMALL.disk_bytes)
    with pytest.raises(RunError, match="take 3 MB on the disk"):
        classroom.check_quota(runs, "10.0.0.1", SMALL)
    classroom.check_quota(runs, "10.0.0.2", SMALL)


@pytest.mark.parametrize("text", ["~nobodyhere", "~nobodyhere/photos"])
def test_a_home_that_does_not_exist_is_an_ordinary_folder(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.delenv(classroom.KEY_VARIABLE, raising=False)
    assert classroom.allowed_folder(text) == Path(text)
    with pytest.raises(DatasetError):
        load_folder(Path(text))
    with pytest.raises(DatasetError):
        read_sentences(text)


def test_a_visitor_reads_no_places_of_the_server(tmp_path: Path) -> None:
    text = f"{tmp_path / 'data' / 'runs' / 'x'} and {Path.home() / 'notes.txt'} cannot be read."
    assert str(tmp_path) not in classroom.without_paths(text)
    assert str(Path.home()) not in classroom.without_paths(text)
    assert "data/runs/x".replace("/", "") in classroom.without_paths(text).replace("/", "")


def test_keys_are_long_and_differ() -> None:
    keys = {classroom.new_key() for _ in range(50)}
    assert len(keys) == 50
    assert {len(key) for key in keys} == {12}


def test_the_server_answers_to_its_names_alone() -> None:
    command = server_command(80, ["localhost", "10.0.0.9", "localhost"])
    hosts = [command[i + 1] for i, part in enumerate(command) if part == "--server.allowedHosts"]
    assert hosts == ["localhost", "10.0.0.9"]


def test_the_address_is_drawn_to_be_scanned() -> None:
    drawn = invitation("http://10.0.0.9:8501")
    assert drawn.endswith("Visitors open http://10.0.0.9:8501")
    assert drawn.count("\n") > 10


def test_the_pages_know_the_address_of_a_class_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPTIONING_ADDRESS", "http://10.0.0.9:8501")
    assert classroom.visitors_address() == "http://10.0.0.9:8501"
    monkeypatch.delenv("CAPTIONING_TEACHER_KEY")
    assert classroom.visitors_address() is None


def test_the_code_is_a_picture_large_enough_to_project() -> None:
    picture = Image.open(io.BytesIO(classroom.qr_code("http://10.0.0.9:8501")))
    assert picture.format == "PNG"
    assert min(picture.size) > 300


def test_the_api_is_off_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def run(command: list[str], *, env: dict[str, str], **options: object) -> SimpleNamespace:
        started.append(env["CAPTIONING_API"])
        assert env["CAPTIONING_ADDRESS"].endswith(":8501")
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr("captioning.cli.classroom.subprocess.run", run)
    monkeypatch.setenv("CAPTIONING_API", "1")  # what a class server inherits does not count
    assert main(["class"]) == main(["class", "--api"]) == 0
    assert started == ["0", "1"]
    assert classroom.offers_api()
    monkeypatch.delenv("CAPTIONING_API")
    assert not classroom.offers_api()
