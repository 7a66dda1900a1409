"""Torn or wrong files in the folders of runs and searches: the others are shown all the same."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from captioning.config import TrainingConfig
from captioning.errors import ConfigError
from captioning.runs import (
    Run,
    Runs,
    alarms_of,
    compare_runs,
    epochs_csv,
    html_report,
    read_curves,
    tensorboard_events,
)
from captioning.tuning import Studies, StudyConfig

CONFIG = TrainingConfig(name="try", data="shapes")
FILES = "config.json status.json events.jsonl queue.json origin.json note.txt log.txt".split()
DEEP = "[" * 100_000
EPOCH = {"event": "epoch", "epoch": 1, "loss": 3.0, "dev_loss": 3.1, "cider": 9.0, "bleu_4": 8.0}
EPOCH |= {"seconds": 4.0, "learning_rate": 0.001, "time": 1e9, "forced_bleu_4": 5.0, "n": 4}
CONTENTS = {
    "nothing": "",
    "half of it": '{"state": "run',
    "binary": b"\xff\xfe\x00\x80",
    "nested deeply": DEEP,
    "a list": "[1, 2]",
    "a number": "3",
    "null": "null",
    "wrong types": '{"state": ["x"], "created": "today", "epoch": {}, "name": 3}',
    "strange times": '{"state": "ready", "created": 1e300, "begun": NaN}',
    "numbers out of range": '{"state": "running", "pid": -1, "seconds_left": NaN}\n'
    + "".join(
        json.dumps({**EPOCH, name: value}) + "\n"
        for name in EPOCH
        for value in (-1, 10**400, -1e300, float("nan"), True, "x")
    ),
    "events without fields": '{"event": "step"}\n{"event": "epoch", "epoch": "1"}\n{"event": []}\n'
    '{"event": "filmstrip", "epoch": 1, "photos": [1, 2], "captions": [null]}\n'
    '{"event": "resume"}\n{"event": "damaged"}\n{"event": "given up"}\n{"trial": 1}\n'
    '{"trial": 1, "settings": 3}\n{"trial": 2, "settings": {}, "scores": 4}\n',
}


def look_through(runs: Runs) -> list[Run]:
    """Read all that pages read of the runs."""
    runs.reconcile()
    found = runs.all()
    compare_runs(found)
    for run in (*found, *runs.queue()):
        curves = read_curves(run)
        alarms_of(curves.epochs, run.status.message)
        html_report(run, {})
        epochs_csv(curves)
        tensorboard_events(curves)
        assert isinstance(run.origin, dict)
        assert isinstance(run.log() + run.note + str(run.checkpoints()), str)
    return found


def spoil(path: Path, content: str | bytes) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_a_torn_file_of_a_run_hides_no_other_run(tmp_path: Path, name: str, content: str) -> None:
    runs = Runs(tmp_path)
    torn, good = runs.create(CONFIG), runs.create(CONFIG)
    spoil((runs.folder if name == "queue.json" else torn.folder) / name, content)
    seen = {run.id for run in look_through(runs)}
    damaged = runs.damaged()
    assert good.id in seen
    assert seen | set(damaged) == {torn.id, good.id}
    assert not set(damaged) or name == "config.json"
    runs.delete(torn.id)
    assert [run.id for run in runs.all()] == [good.id]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("make", [os.mkdir, getattr(os, "mkfifo", os.mkdir)])
def test_what_is_no_file_hides_no_other_run(tmp_path: Path, name: str, make) -> None:
    runs = Runs(tmp_path)
    torn, good = runs.create(CONFIG), runs.create(CONFIG)
    path = (runs.folder if name == "queue.json" else torn.folder) / name
    path.unlink(missing_ok=True)
    make(path)
    assert good.id in {run.id for run in look_through(runs)}
    if name == "config.json":
        assert "is not a file" in runs.damaged()[torn.id]
        with pytest.raises(ConfigError):
            _ = runs.get(torn.id).config


STUDY = StudyConfig(base=CONFIG, fields=("learning_rate=1e-5:1e-1:log",), trials=2)


@pytest.mark.parametrize("name", ["config.json", "status.json", "trials.jsonl"])
@pytest.mark.parametrize("content", [*CONTENTS.values(), None], ids=[*CONTENTS, "a folder"])
def test_a_torn_file_of_a_search_hides_no_other_search(tmp_path, name, content) -> None:
    studies = Studies(tmp_path)
    torn, good = studies.create(STUDY), studies.create(STUDY)
    path = torn.folder / name
    if content is None:
        path.unlink(missing_ok=True)
        path.mkdir()
    else:
        spoil(path, content)
    studies.reconcile()
    seen = {study.id: study for study in studies.all()}
    assert good.id in seen
    assert set(seen) | set(studies.damaged()) == {torn.id, good.id}
    assert [study.best for study in seen.values()] == [None] * len(seen)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from("state created epoch steps loss message event trial settings".split()),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    runs = Runs(tmp_path_factory.mktemp("data"))
    return runs, runs.create(CONFIG), runs.create(CONFIG)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(FILES), content=ANYTHING)
def test_any_json_in_any_file_hides_no_other_run(two_runs, name, content) -> None:
    runs, torn, good = two_runs
    path = (runs.folder if name == "queue.json" else torn.folder) / name
    kept = path.read_bytes() if path.exists() else b""
    path.write_text(json.dumps(content))
    try:
        assert good.id in {run.id for run in look_through(runs)}
    finally:
        path.write_bytes(kept)
