"""Runs as processes: queue, pause, stop, kill, resume.  What they do is a stand-in for training."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from captioning import storage
from captioning.config import TrainingConfig
from captioning.errors import BundleError, ConfigError, RunError
from captioning.runs import Run, Runs, control, read_curves
from captioning.runs.control import Slot

pytestmark = pytest.mark.process

STANDIN = str(Path(__file__).with_name("standin.py"))
PATIENCE = 120.0


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(control, "COMMAND", [sys.executable, STANDIN])
    runs = Runs(tmp_path)
    yield runs
    for run in runs.all():
        if run.live and run.status.pid:
            os.kill(run.status.pid, signal.SIGKILL)
    until(lambda: not any(child.poll() is None for child in control._CHILDREN))
    control._CHILDREN.clear()


def make(runs: Runs, note: str = "", **settings: object) -> Run:
    return runs.create(TrainingConfig(name="try", data="shapes", **settings), note=note)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def wait_for(runs: Runs, run: Run, *states: str) -> Run:
    def reached() -> bool:
        runs.reconcile()
        return runs.get(run.id).status.state in states

    until(reached)
    return runs.get(run.id)


def losses(run: Run) -> list[float]:
    return [row["loss"] for row in read_curves(run).epochs]


def test_a_run_goes_to_its_end_in_a_process_of_its_own(runs: Runs) -> None:
    run = runs.start(make(runs, epochs=2).id)
    assert run.status.state == "starting"
    run = wait_for(runs, run, "finished")
    assert run.status.pid is None
    assert len(losses(run)) == 2
    with pytest.raises(RunError, match="Clone it"):
        runs.start(run.id)


def test_settings_and_notes_come_back(runs: Runs) -> None:
    run = make(runs, note="a first try", epochs=7)
    runs.note(run.id, "größer\nund länger")
    again = runs.get(run.id)
    assert again.config.epochs == 7
    assert again.note == "größer\nund länger"
    assert runs.clone(run.id, {"epochs": 9}).config.epochs == 9
    with pytest.raises(ConfigError):
        runs.clone(run.id, {"epochs": 0})


@pytest.mark.slow
def test_one_at_a_time_in_the_order_of_the_queue_without_a_server(runs: Runs) -> None:
    first = runs.start(make(runs, "slow", epochs=1).id)
    others = [runs.start(make(runs, epochs=1).id) for _ in range(3)]
    assert [run.id for run in runs.queue()] == [run.id for run in others]
    runs.move(others[2].id, 0)
    assert [run.id for run in runs.queue()] == [others[n].id for n in (2, 0, 1)]
    with pytest.raises(RunError, match="not in the queue"):
        runs.move(first.id, 0)
    # Nobody calls reconcile: each process starts the next one as it ends.
    until(lambda: all(run.status.state == "finished" for run in runs.all()))
    begun = {run.id: run.status.begun for run in runs.all()}
    assert sorted(begun, key=lambda name: begun[name]) == [
        first.id,
        *(others[n].id for n in (2, 0, 1)),
    ]


@pytest.mark.slow
def test_a_lost_queue_file_loses_no_run(runs: Runs) -> None:
    first = runs.start(make(runs, "slow", epochs=5).id)
    second = runs.start(make(runs, epochs=1).id)
    (runs.folder / "queue.json").write_text("{broken")
    assert [run.id for run in runs.queue()] == [second.id]
    wait_for(runs, first, "running")
    runs.stop(first.id)
    wait_for(runs, second, "finished")


@pytest.mark.slow
def test_stop_keeps_a_checkpoint_and_resume_goes_on_exactly(runs: Runs) -> None:
    whole = wait_for(runs, runs.start(make(runs, epochs=3).id), "finished")
    run = runs.start(make(runs, "slow", epochs=3).id)
    until(lambda: read_curves(runs.get(run.id)).steps)
    runs.stop(run.id)
    run = wait_for(runs, run, "stopped")
    assert "Resume continues" in run.status.message
    assert len(losses(run)) < 3
    runs.note(run.id, "fast")
    run = wait_for(runs, runs.start(run.id), "finished")
    assert losses(run) == losses(whole)
    assert len(read_curves(run).resumed) == 1


def test_a_run_that_hears_nothing_is_stopped_all_the_same(runs: Runs) -> None:
    run = runs.start(make(runs, "slow deaf", epochs=100).id)
    wait_for(runs, run, "running")
    runs.stop(run.id)
    assert "middle of a step" in wait_for(runs, run, "stopped").status.message


def test_pause_keeps_the_place_and_the_process(runs: Runs) -> None:
    run = runs.start(make(runs, "slow", epochs=3).id)
    waiting = runs.start(make(runs, epochs=1).id)
    until(lambda: read_curves(run).steps)
    runs.pause(run.id)
    paused = wait_for(runs, run, "paused")
    steps = len(read_curves(paused).steps)
    time.sleep(0.4)
    assert len(read_curves(paused).steps) == steps
    assert runs.get(waiting.id).status.state == "queued"
    runs.proceed(run.id)
    assert wait_for(runs, run, "running").status.pid == paused.status.pid
    runs.pause(run.id)
    wait_for(runs, run, "paused")
    runs.stop(run.id)
    wait_for(runs, run, "stopped")
    wait_for(runs, waiting, "finished")


def test_what_cannot_be_asked_is_refused_in_words(runs: Runs) -> None:
    run = make(runs, "slow", epochs=5)
    for ask in (runs.stop, runs.pause, runs.proceed):
        with pytest.raises(RunError, match="no process"):
            ask(run.id)
    runs.start(run.id)
    with pytest.raises(RunError, match="already"):
        runs.start(run.id)
    with pytest.raises(RunError, match="stop it first"):
        runs.delete(run.id)
    runs.stop(run.id)
    wait_for(runs, run, "stopped")
    runs.delete(run.id)
    assert runs.all() == []
    for name in ("../escape", ".lock", "", run.id):
        with pytest.raises(RunError):
            runs.get(name)


def test_a_queued_run_is_taken_out_of_the_queue_by_stop(runs: Runs) -> None:
    first = runs.start(make(runs, "slow", epochs=5).id)
    second = runs.start(make(runs).id)
    runs.stop(second.id)
    assert runs.get(second.id).status.state == "ready"
    assert runs.queue() == []
    wait_for(runs, first, "running")
    runs.stop(first.id)
    wait_for(runs, first, "stopped")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("note", "text"),
    [
        ("fails", "The loss became nan"),
        ("raises", "ZeroDivisionError"),
        ("full", "No space left on device.*resume"),
    ],
)
def test_a_failed_run_says_why_and_lets_the_next_one_begin(
    runs: Runs, note: str, text: str
) -> None:
    run = runs.start(make(runs, note).id)
    after = runs.start(make(runs, epochs=1).id)
    run = wait_for(runs, run, "failed")
    assert re.search(text, run.status.message)
    assert re.search("Error|nan|No space", run.log())
    wait_for(runs, after, "finished")


@pytest.mark.slow
def test_kills_at_random_moments_lose_nothing(runs: Runs) -> None:
    """The quick sister of tests/chaos/kill_runs.py."""
    whole = wait_for(runs, runs.start(make(runs, epochs=4).id), "finished")
    run = make(runs, "slow", epochs=4)
    draw = random.Random(5)
    for _ in range(3):
        runs.start(run.id)
        time.sleep(draw.uniform(0.0, 0.8))
        kill(runs)
        assert wait_for(runs, run, "died").status.message
    runs.note(run.id, "")
    run = wait_for(runs, runs.start(run.id), "finished")
    assert losses(run) == losses(whole)
    assert [row["loss"] for row in read_curves(run).steps] == [
        row["loss"] for row in read_curves(whole).steps
    ]


def kill(runs: Runs) -> None:
    """Kill whichever process has the slot, by the number that holds the lock's file open."""
    for child in control._CHILDREN:
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def test_a_process_that_has_just_started_has_the_slot_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "slot"
    child = sleeper()
    Slot.reserve(path, "a-run", child.pid)
    assert Slot.holder(path) == "a-run"
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert Slot.holder(path) is None  # it is still in the list of processes
    child.communicate()
    assert Slot.holder(path) is None


def test_another_process_with_the_same_number_has_no_slot(tmp_path: Path) -> None:
    child = sleeper()
    Slot.reserve(tmp_path / "slot", "a-run", child.pid)
    holder = storage.read_json(tmp_path / "slot.json", dict)
    storage.write_json(tmp_path / "slot.json", {**holder, "started": holder["started"] - 60})
    assert Slot.holder(tmp_path / "slot") is None
    child.kill()
    child.communicate()


def test_a_slot_is_one_process_s_and_names_its_run(tmp_path: Path) -> None:
    path = tmp_path / "slot"
    slot = Slot.take(path, "a-run")
    assert slot is not None
    assert Slot.take(path, "another") is None
    assert Slot.holder(path) == "a-run"
    slot.close()
    assert Slot.holder(path) is None


def test_a_second_process_of_a_run_is_refused(runs: Runs) -> None:
    run = runs.start(make(runs, "slow", epochs=1000).id)
    wait_for(runs, run, "running")
    second = subprocess.run(
        [sys.executable, STANDIN, str(make(runs).folder)], capture_output=True, text=True
    )
    assert second.returncode != 0
    assert "Another run is under way" in second.stderr
    runs.stop(run.id)
    wait_for(runs, run, "stopped")


def test_torn_files_are_read_as_far_as_they_go(runs: Runs) -> None:
    run = wait_for(runs, runs.start(make(runs, epochs=1).id), "finished")
    with open(run.folder / "events.jsonl", "ab") as file:
        file.write(b'{"event": "epoch", "epo')
    assert len(losses(run)) == 1
    (run.folder / "status.json").write_text("{")
    assert "cannot be read" in runs.get(run.id).status.message
    assert wait_for(runs, runs.start(run.id), "finished").status.message == ""
    lines = (run.folder / "events.jsonl").read_bytes().splitlines()
    assert sum(1 for line in lines if not _is_json(line)) == 1


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def test_publish_copies_the_model_and_replaces_none_unasked(
    runs: Runs, tmp_path: Path, write_tiny_bundle: Callable[[Path], object]
) -> None:
    run = make(runs)
    with pytest.raises(RunError, match="no model yet"):
        runs.publish(run.id, "mine")
    write_tiny_bundle(run.bundle_folder)
    assert runs.publish(run.id, "mine").name == "mine"
    with pytest.raises(BundleError, match="already"):
        runs.publish(run.id, "mine")
    assert runs.publish(run.id, "mine", replace=True).folder == tmp_path / "models" / "mine"
    for name in ("../up", "", "a/b", ".hidden"):
        with pytest.raises(ConfigError, match="name must consist"):
            runs.publish(run.id, name)
