"""What came of a run: exact matches, its best captions, a free name for its model."""

import pytest

from captioning.config import TrainingConfig
from captioning.errors import ConfigError
from captioning.metrics.exact import exact_match, is_exact
from captioning.runs import Curves, Runs, best_captions, free_name, published_model

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


def test_a_model_gets_a_name_that_no_other_has(tmp_path, monkeypatch, write_tiny_bundle):
    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path))
    run = Runs().create(TrainingConfig(name="mine", data="shapes"))
    assert free_name(run) == "mine" and published_model(run) is None
    write_tiny_bundle(tmp_path / "models" / "Mine")
    assert free_name(run) == f"{run.id}-2" if run.id.casefold() == "mine" else run.id
    assert free_name(Runs().create(TrainingConfig(name="shapes", data="shapes"))) != "shapes"
