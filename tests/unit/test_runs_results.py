"""What came of a run: exact matches, its best captions, a free name for its model."""

import json

import pytest

from captioning.config import TrainingConfig
from captioning.errors import ConfigError
from captioning.metrics import exact_match, is_exact
from captioning.runs import (
    Curves,
    Runs,
    best_captions,
    compare_runs,
    free_name,
    html_report,
    published_model,
    read_curves,
)

REFERENCES = {"a.png": ("A red star.", "One star."), "b.png": ("A blue square.",)}


def test_an_exact_match_is_word_for_word():
    assert is_exact("One star!", REFERENCES["a.png"])
    assert not is_exact("a star", REFERENCES["a.png"])
    said = ["a red star", "a red square"]
    assert exact_match(said, list(REFERENCES.values())) == 0.5


@pytest.mark.parametrize(("said", "references"), [([], []), (["a"], [])])
def test_nothing_to_score_is_refused(said, references):
    with pytest.raises(ConfigError, match="as many hypotheses"):
        exact_match(said, references)


def test_the_best_captions_are_those_of_the_best_epoch_exact_ones_first():
    rows = [{"epoch": 1, "cider": 9.0}, {"epoch": 2, "cider": 5.0}]
    strip = {1: ["a star", "a blue square", "?"], 2: ["x", "y", "z"]}
    curves = Curves(epochs=rows, photos=["a.png", "b.png", "gone.png"], filmstrip=strip)
    exact, near = best_captions(curves, REFERENCES)
    assert (exact.photo, exact.exact, exact.rouge_l) == ("b.png", True, pytest.approx(100))
    assert (near.photo, near.exact) == ("a.png", False) and 0 < near.rouge_l < 100
    assert best_captions(Curves(), REFERENCES) == []


def finished_run(data, monkeypatch, *events):
    monkeypatch.setenv("CAPTIONING_DATA", str(data))
    run = Runs().create(TrainingConfig(name="mine", data="shapes"))
    (run.folder / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    return run


def epoch(number, cider, best, dev_loss=2.0):
    figures = {"loss": 3.0, "dev_loss": dev_loss, "bleu_4": 7.0, "cider": cider, "seconds": 60.0}
    return {"event": "epoch", "epoch": number, "best_epoch": best, **figures}


STRIP = {"event": "filmstrip", "epoch": 1, "photos": ["a.png"], "captions": ["one star"]}
AVERAGE = {"event": "averaged", "dev_loss": 1.5, "bleu_4": 8.0, "captions": ["a red star"]}


def test_a_run_whose_weights_are_an_average_has_the_scores_and_captions_of_the_average(
    tmp_path, monkeypatch
):
    average = {**AVERAGE, "share": 0.75, "cider": 50.0}
    events = (epoch(1, 40.0, 1), STRIP, epoch(2, 30.0, 1), average)
    run = finished_run(tmp_path, monkeypatch, *events)
    [row] = compare_runs([run]).results
    assert (row["cider"], row["bleu_4"], row["dev_loss"]) == (50.0, 8.0, 1.5)
    assert (row["best_epoch"], row["start_share"]) == (1, 0.75)
    [caption] = best_captions(read_curves(run), REFERENCES)
    assert caption.caption == "a red star"
    assert "averaged with 75% of the start" in html_report(run)


def test_trained_weights_that_are_kept_have_the_scores_of_the_epoch_that_the_run_names(
    tmp_path, monkeypatch
):
    """CIDEr of one photo is always 0, so dev loss chose the second epoch."""
    average = {**AVERAGE, "share": 0.0, "cider": 0.0, "captions": []}
    events = (epoch(1, 0.0, 1), STRIP, epoch(2, 0.0, 2, dev_loss=1.0), average)
    run = finished_run(tmp_path, monkeypatch, *events)
    [row] = compare_runs([run]).results
    assert (row["best_epoch"], row["dev_loss"], row["start_share"]) == (2, 1.0, 0.0)
    assert "averaged" not in html_report(run)


def test_a_model_gets_a_name_that_no_other_has(tmp_path, monkeypatch, write_tiny_bundle):
    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path))
    run = Runs().create(TrainingConfig(name="mine", data="shapes"))
    assert free_name(run) == "mine" and published_model(run) is None
    write_tiny_bundle(tmp_path / "models" / "Mine")
    assert free_name(run) == f"{run.id}-2" if run.id.casefold() == "mine" else run.id
    assert free_name(Runs().create(TrainingConfig(name="shapes", data="shapes"))) != "shapes"
