"""What is made of a run's folder: curves, alarms, comparison, exports, estimate."""

import csv
import io
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from captioning.config import TrainingConfig, read_training_config
from captioning.errors import ConfigError, DatasetError, RunError
from captioning.runs import (
    DataSizes,
    Run,
    Runs,
    alarms_of,
    compare_runs,
    data_sizes,
    epochs_csv,
    estimate_run,
    html_report,
    presets,
    read_curves,
    tensorboard_events,
)
from captioning.runs.estimate import remember_rates


def epoch(number: int, loss: float, dev_loss: float, cider: float = 10.0) -> dict:
    figures = {"loss": loss, "dev_loss": dev_loss, "cider": cider, "bleu_4": 20.0, "n": 10}
    more = {"forced_bleu_4": 30.0, "learning_rate": 0.001, "seconds": 10.0 * number}
    return {"event": "epoch", "epoch": number, **figures, **more, "time": 1e9 + number}


def step(of: int, number: int, loss: float) -> dict:
    place = {"epoch": of, "step": number, "steps": 10}
    return {"event": "step", **place, "loss": loss, "rate": 5.0, "learning_rate": 0.001}


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def make(runs: Runs, events: list[dict], **settings: object) -> Run:
    config = TrainingConfig.from_dict({"name": "try", "data": "shapes", **settings})
    run = runs.create(config, note="<b>first</b>")
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (run.folder / "events.jsonl").write_text(lines)
    return run


def test_a_very_long_file_of_events_is_read_in_part(runs: Runs, monkeypatch) -> None:
    monkeypatch.setattr("captioning.runs.record.MOST_STEP_EVENTS", 10)
    steps = [step(1, number, 3.0 - number / 100) for number in range(95)]
    run = make(runs, [{"event": "data", "sentences": ["a"]}, *steps, epoch(1, 2.0, 2.0)])
    curves = read_curves(run)
    assert [row["step"] for row in curves.steps] == list(range(4, 95, 10))
    assert curves.data == ["a"] and len(curves.epochs) == 1


def test_events_that_no_run_writes_are_left_out_quickly(runs: Runs) -> None:
    run = make(runs, [])
    known = json.dumps(epoch(1, 2.0, 2.0)).encode() + b"\n"
    lists = b'{"event": [' + b"[]," * 1_000_000 + b"0]}\n"
    (run.folder / "events.jsonl").write_bytes(b"\n" * 40_000_000 + lists + known)
    started = time.process_time()
    assert [event["event"] for event in run.events()] == ["epoch"]
    assert time.process_time() - started < 5


def test_steps_taken_again_after_a_kill_are_there_once(runs: Runs) -> None:
    resume = {"event": "resume", "epoch": 1, "step": 5, "steps": 10}
    run = make(runs, [step(1, 5, 3.0), step(1, 8, 2.5), resume, step(1, 8, 2.5), step(1, 9, 2.4)])
    curves = read_curves(run)
    assert [row["loss"] for row in curves.steps] == [3.0, 2.5, 2.4]
    assert [row["done"] for row in curves.steps] == [0.5, 0.8, 0.9]
    assert curves.resumed == [0.5]


def test_the_report_on_a_run_s_data_set_is_kept(runs: Runs) -> None:
    message = ["try: 10 photos with 50 captions.", "2 photos cannot be read."]
    assert read_curves(make(runs, [{"event": "data", "sentences": message}])).data == message


def test_only_overfitting_is_reported_with_its_figures() -> None:
    worse = [epoch(1, 3.0, 3.0), epoch(2, 2.5, 2.7), epoch(3, 2.0, 2.8), epoch(4, 1.5, 2.95)]
    (alarm,) = alarms_of(worse)
    assert alarm.kind == "overfitting"
    for figure in ("2.700", "2.950", "epoch 2", "epoch 4", "2.500", "1.500"):
        assert figure in alarm.text
    assert alarms_of(worse[:3]) == []
    assert alarms_of([epoch(n, 4.0 - n, 4.0 - n) for n in (1, 2, 3)]) == []
    (nan,) = alarms_of([], "The loss became nan in epoch 1, step 2.")
    assert nan.kind == "not a number"


def test_runs_are_compared_by_what_differs(runs: Runs) -> None:
    a = make(runs, [epoch(1, 3, 3, cider=5), epoch(2, 2, 2, cider=4)], epochs=2)
    b = make(runs, [], decoder={"kind": "merge", "units": 256}, epochs=2)
    found = compare_runs([a, b])
    assert found.settings == {"decoder.kind": ("attention", "merge"), "decoder.units": (384, 256)}
    assert found.results[0]["best_epoch"] == 1
    assert found.results[0]["seconds"] == 20.0
    assert found.results[1]["cider"] is None


def test_csv_has_a_line_for_each_epoch(runs: Runs) -> None:
    run = make(runs, [epoch(1, 3, 3), epoch(2, 2, 2.5)])
    rows = list(csv.DictReader(io.StringIO(epochs_csv(read_curves(run)))))
    assert [float(row["dev_loss"]) for row in rows] == [3.0, 2.5]


def test_tensorboard_reads_the_event_file(runs: Runs, tmp_path: Path) -> None:
    run = make(runs, [epoch(1, 3, 3.25), epoch(200, 2, 2.5)])
    path = tmp_path / "events.out.tfevents.1.run"
    path.write_bytes(tensorboard_events(read_curves(run)))
    from tensorflow.compat.v1.train import summary_iterator

    version, *events = summary_iterator(str(path))
    assert version.file_version == "brain.Event:2"
    found = {(e.step, v.tag): v.simple_value for e in events for v in e.summary.value}
    assert found[1, "loss/dev"] == 3.25
    assert found[200, "dev/bleu_4"] == 20.0
    assert events[1].wall_time == 1e9 + 200


def test_the_report_is_one_file_that_asks_for_nothing(runs: Runs) -> None:
    strip = {"event": "filmstrip", "epoch": 1, "photos": ["a.jpg"], "captions": ["<i>a kite"]}
    run = make(runs, [strip, epoch(1, 3, 3)])
    text = html_report(run, {"a.jpg": b"jpeg"})
    assert "http" not in text.replace("http-equiv", "")
    assert "<script" not in text
    assert "<b>first" not in text
    assert "&lt;i&gt;a kite" in text
    assert "data:image/jpeg;base64,anBlZw==" in text
    assert "decoder.units" in text
    assert "<svg" in text
    assert "<svg" not in html_report(make(runs, []))


def test_presets_are_whole_and_named() -> None:
    found = presets()
    titles = [preset.title for preset in found]
    assert titles[:2] == ["Two minutes on shapes", "Ten minutes on Flickr8k"]
    assert {"The tutorials' model", "VGG16, sequence to sequence", "Attention, full"} < set(titles)
    assert all(preset.about for preset in found)


SIZES = DataSizes(photos=40, train=32, dev=4, words=50, encoded=0)


def test_an_estimate_follows_what_was_measured(runs: Runs) -> None:
    config = read_training_config("configs/shapes-two-minutes.json")
    before = estimate_run(config, SIZES, runs.data)
    assert before.problems == ()
    assert before.photos == 32
    assert not before.measured
    start = {"event": "start", "epoch": 1, "step": 0, "steps": 10, "words": 50}
    settings = {k: v for k, v in config.to_dict().items() if k != "name"}
    slow = make(runs, [start, {**step(1, 5, 3.0), "rate": 0.01}], **settings)
    remember_rates(runs.data, slow)
    after = estimate_run(config, SIZES, runs.data)
    assert after.measured
    steps = 2 * config.epochs
    assert after.training_seconds == pytest.approx(steps / 0.01, rel=0.1)
    twice = estimate_run(config.replace(epochs=12), SIZES, runs.data)
    assert twice.training_seconds == pytest.approx(2 * after.training_seconds)


def test_an_unfilled_last_batch_is_a_whole_step(runs: Runs) -> None:
    config = read_training_config("configs/shapes-two-minutes.json")
    config = config.replace(images_per_batch=16, epochs=1)

    def seconds(train: int) -> float:
        return estimate_run(config, replace(SIZES, train=train, dev=0), runs.data).training_seconds

    assert seconds(33) == seconds(48) == pytest.approx(1.5 * seconds(32))


def test_what_cannot_fit_is_refused_in_words(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    config = read_training_config("configs/shapes-two-minutes.json")
    monkeypatch.setattr("captioning.runs.estimate.available_memory", lambda: 10_000_000)
    (problem,) = estimate_run(config, SIZES, runs.data).problems
    assert "10 MB are free" in problem
    monkeypatch.setattr("captioning.runs.estimate.available_memory", lambda: None)
    wide = config.replace(train_encoder=False, encoder={"name": "vgg16", "layer": "block5_conv3"})
    estimate = estimate_run(wide, SIZES, runs.data)
    assert estimate.to_encode == 40
    assert estimate.disk_bytes > 40 * 14 * 14 * 512 * 2
    stored = estimate_run(wide, DataSizes(40, 32, 4, 50, encoded=40), runs.data)
    assert stored.to_encode == 0
    mirrored = wide.replace(horizontal_flip=True)
    half = estimate_run(mirrored, DataSizes(40, 32, 4, 50, 40, views=((32, 12),)), runs.data)
    none = estimate_run(mirrored, DataSizes(40, 32, 4, 50, 40, views=((32, 0),)), runs.data)
    assert (half.to_encode, none.to_encode) == (20, 32)
    assert half.disk_bytes == stored.disk_bytes < none.disk_bytes < estimate.disk_bytes
    assert stored.seconds < estimate.seconds
    taught = estimate_run(config.replace(teachers=("one", "two")), SIZES, runs.data)
    alone = estimate_run(config, SIZES, runs.data)
    assert taught.training_seconds > 1.2 * alone.training_seconds
    with pytest.raises(ConfigError):
        estimate_run(config.replace(encoder={"name": "none"}), SIZES, runs.data)


def test_data_is_counted_as_training_will_read_it(runs: Runs, shapes) -> None:
    config = read_training_config("configs/shapes-two-minutes.json").replace(shapes_count=40)
    drawn = data_sizes(config, runs.data)
    read = data_sizes(config.replace(data=str(shapes.root)), runs.data)
    assert (drawn.photos, drawn.train, drawn.dev) == (read.photos, read.train, read.dev)
    assert data_sizes(config.replace(limit_images=7), runs.data).train == 7
    with pytest.raises(DatasetError):
        data_sizes(config.replace(data="nowhere"), runs.data)


def test_a_disk_that_cannot_be_written_is_an_error_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    runs = Runs(tmp_path / "file")
    config = TrainingConfig(name="try", data="shapes")
    for change in (lambda: runs.create(config), runs.reconcile):
        with pytest.raises(RunError, match="cannot be read or written"):
            change()
    assert runs.all() == []
