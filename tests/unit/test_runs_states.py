"""Run folders as a state machine: whatever happens to some of them, all others are shown."""

import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from captioning.bundle import find_bundles, rename_bundle, unpublish_bundle
from captioning.config import TrainingConfig
from captioning.errors import CaptioningError
from captioning.runs import LIVE, Runs, alarms_of, compare_runs, control, read_curves
from captioning.storage import append_json_line, shipped_models

CONFIG = TrainingConfig(name="try", data="shapes")
FILES = ("status.json", "events.jsonl", "origin.json", "note.txt", "log.txt", "request.json")
TORN = (b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"state": 3}', b"[" * 100_000, None)
"""What is left of a file; None is a folder in its place."""
EVENTS = (
    {"event": "step", "epoch": 1, "step": 1, "steps": 2, "loss": 0.5, "rate": 1.0},
    {"event": "epoch", "epoch": 1, "loss": 3.0, "dev_loss": 3.0, "cider": 1.0},
    {"event": "filmstrip", "epoch": 1, "photos": ["a"], "captions": ["a dog"]},
    {"event": "epoch"},
)
NAMES = st.sampled_from(["one", "two", "three"])


def tear(path: Path, content: bytes | None) -> None:
    if path.is_dir():
        path.rmdir()
    if content is None:
        path.unlink(missing_ok=True)
        path.mkdir()
    else:
        path.write_bytes(content)


class RunFolders(RuleBasedStateMachine):
    """Any order of what people, processes and a failing disk do to runs."""

    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        os.environ["CAPTIONING_DATA"] = str(self.home)
        self.runs = Runs(self.home)
        self.intact: set[str] = set()
        self.broken: set[str] = set()
        self.published: set[str] = set()

    def teardown(self) -> None:
        shutil.rmtree(self.home)

    @rule(target=made)
    def create(self) -> str:
        run = self.runs.create(CONFIG)
        self.intact.add(run.id)
        return run.id

    @rule(name=made, ask=st.sampled_from(["start", "stop", "pause", "proceed"]))
    def ask(self, name: str, ask: str) -> None:
        self._try(lambda: getattr(self.runs, ask)(name))

    @rule(state=st.sampled_from(["finished", "stopped", "killed"]))
    def end(self, state: str) -> None:
        holder = control.Slot.holder(self.runs.slot_path)
        self.runs.slot_path.with_name(".slot.json").unlink(missing_ok=True)
        if holder in self.intact and state != "killed":
            run = self.runs.get(holder)
            if run.live:
                run.write_status(run.status.replace(state=state))

    @rule(name=made, event=st.sampled_from(EVENTS))
    def write_event(self, name: str, event: dict) -> None:
        path = self.runs.folder / name / "events.jsonl"
        if name in self.intact and not path.is_dir():
            append_json_line(path, event)

    @rule(name=made, file=st.sampled_from(FILES), content=st.sampled_from(TORN))
    def tear_a_file(self, name: str, file: str, content: bytes | None) -> None:
        if name in self.intact:
            tear(self.runs.folder / name / file, content)

    @rule(content=st.sampled_from(TORN))
    def tear_the_queue(self, content: bytes | None) -> None:
        self.runs.folder.mkdir(exist_ok=True)
        tear(self.runs.folder / "queue.json", content)

    @rule(name=made, content=st.sampled_from(TORN), lost=st.booleans())
    def tear_the_settings(self, name: str, content: bytes | None, lost: bool) -> None:
        if name in self.intact | self.broken:
            tear(self.runs.folder / name / "config.json", b"" if lost else content)
            if lost:
                (self.runs.folder / name / "config.json").unlink()
            self.intact.discard(name)
            self.broken.add(name)

    @rule(name=made, model=NAMES, torn=st.booleans())
    def publish(self, name: str, model: str, torn: bool) -> None:
        if name not in self.intact:
            return
        folder = self.runs.folder / name / "bundle"
        folder.mkdir(exist_ok=True)
        for file in ("config.json", "vocabulary.json"):
            shutil.copy(shipped_models() / "shapes" / file, folder)
        (folder / "decoder.safetensors").touch()
        if torn:
            (folder / "vocabulary.json").write_bytes(b"{")
        if self._try(lambda: self.runs.publish(name, model, by="Ada")) and not torn:
            self.published.add(model)

    @rule(model=NAMES, new_name=NAMES)
    def rename(self, model: str, new_name: str) -> None:
        if self._try(lambda: rename_bundle(model, new_name)):
            self.published = self.published - {model} | {new_name}

    @rule(model=NAMES)
    def unpublish(self, model: str) -> None:
        if self._try(lambda: unpublish_bundle(model)):
            self.published.discard(model)

    @rule(name=made)
    def delete(self, name: str) -> None:
        if self._try(lambda: self.runs.delete(name)):
            self.intact.discard(name)
            self.broken.discard(name)

    @invariant()
    def every_intact_run_is_shown_and_every_broken_one_named(self) -> None:
        self.runs.reconcile()
        shown = self.runs.all()
        assert {run.id for run in shown} == self.intact
        assert set(self.runs.damaged()) == self.broken
        assert {run.id for run in self.runs.queue()} <= self.intact
        assert sum(run.status.state in LIVE for run in shown) <= 1
        for run in shown:
            alarms_of(read_curves(run).epochs)
            assert isinstance((run.log(), run.note, run.origin), tuple)
        compare_runs(shown)

    @invariant()
    def the_published_models_are_offered(self) -> None:
        found = {bundle.name for bundle in find_bundles() if bundle.published is not None}
        assert found == self.published

    def _try(self, act) -> bool:
        """Do something that may be refused with a sentence; return whether it was done."""
        try:
            act()
        except CaptioningError as error:
            assert str(error)
            return False
        return True


@pytest.mark.slow
def test_no_order_of_events_hides_an_intact_run(monkeypatch: pytest.MonkeyPatch) -> None:
    process = SimpleNamespace(pid=os.getpid(), poll=lambda: None)  # holds the slot until `end`
    monkeypatch.setattr(control, "_launch", lambda run, data: process)
    monkeypatch.setattr(control, "_CHILDREN", [])
    monkeypatch.setenv("CAPTIONING_DATA", "")  # so that it is restored
    run_state_machine_as_test(
        RunFolders,
        settings=settings(
            max_examples=20,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
