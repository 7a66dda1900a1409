"""The average of trained weights with those before training."""

from types import SimpleNamespace

import numpy as np
import pytest

from captioning.metrics import CaptionScores, score_captions
from captioning.training import fine_tuning
from captioning.training.dev_scores import DevResult
from captioning.training.fine_tuning import SHARES, average_with_start

SCORES = score_captions(["a dog"], [["a dog"]])
START, TRAINED = {"w": np.zeros(2, np.float16)}, np.full(2, 4.0, np.float32)


def with_cider(cider):
    return CaptionScores.from_dict({**SCORES.as_dict(), "cider": cider})


def result(weight, best):
    return DevResult(abs(weight - best), ["a dog"], SCORES, {})


@pytest.fixture
def trainer(monkeypatch):
    """A trainer with one array as its decoder, whose dev loss is lowest where `best` says."""
    decoder = {"w": TRAINED}
    monkeypatch.setattr(fine_tuning, "weights_of", dict)
    monkeypatch.setattr(
        fine_tuning, "assign_weights", lambda decoder, arrays, source: decoder.update(arrays)
    )

    def make(best):
        def dev_result():
            return result(decoder["w"][0], best)

        return SimpleNamespace(decoder=decoder, dev_result=dev_result)

    return make


@pytest.mark.parametrize(("best", "share"), [(0.0, 1.0), (3.0, 0.25), (4.0, 0.0)])
def test_dev_chooses_the_share(trainer, best, share):
    tried = trainer(best)
    found = average_with_start(tried, START, known={})
    assert found.share == share
    assert tried.decoder["w"].tolist() == [best] * 2
    assert tuple(found.cider) == SHARES


def test_of_equally_good_shares_that_nearest_to_the_start_is_chosen(trainer):
    assert average_with_start(trainer(0.5), START, known={}).share == 1.0


def test_of_several_data_sets_the_mean_cider_chooses_and_is_reported(trainer):
    """Else a report would name a higher score than that of the chosen share."""
    tried = trainer(0.0)

    def dev_result():
        weight = float(tried.decoder["w"][0])
        large, small = with_cider(-weight), with_cider(10 * weight)
        return DevResult(1.0, [], large, {"large": large, "small": small})

    tried.dev_result = dev_result
    found = average_with_start(tried, START, known={})
    assert found.share == 0.0
    assert found.cider[0.0] == max(found.cider.values()) == pytest.approx(4.5 * 4)


def test_a_stop_meanwhile_gives_no_average(trainer):
    tried = trainer(0.0)
    tried.dev_result = lambda: None
    assert average_with_start(tried, START, known={}) is None


@pytest.mark.parametrize(("best", "share"), [(0.0, 1.0), (3.0, 0.25), (4.0, 0.0)])
def test_known_results_are_not_computed_again_and_the_choice_is_the_same(trainer, best, share):
    tried, computed = trainer(best), []
    dev_result = tried.dev_result
    tried.dev_result = lambda: computed.append(float(tried.decoder["w"][0])) or dev_result()
    known = {1.0: result(0.0, best), 0.0: result(4.0, best)}
    found = average_with_start(tried, START, known=known)
    assert computed == [1.0, 2.0, 3.0]
    assert (found.share, tuple(found.cider)) == (share, SHARES)
    assert tried.decoder["w"].tolist() == [best] * 2
