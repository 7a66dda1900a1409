"""The average of trained weights with those before training."""

from types import SimpleNamespace

import numpy as np
import pytest

from captioning.metrics import score_captions
from captioning.training import averaging
from captioning.training.averaging import SHARES, average_with_start
from captioning.training.dev_scores import DevResult

SCORES = score_captions(["a dog"], [["a dog"]])
START, TRAINED = {"w": np.zeros(2, np.float16)}, np.full(2, 4.0, np.float32)


@pytest.fixture
def trainer(monkeypatch):
    """A trainer with one array as its decoder, whose dev loss is lowest where `best` says."""
    decoder = {"w": TRAINED}
    monkeypatch.setattr(averaging, "weights_of", dict)
    monkeypatch.setattr(
        averaging, "assign_weights", lambda decoder, arrays, source: decoder.update(arrays)
    )

    def make(best):
        def dev_result():
            return DevResult(abs(decoder["w"][0] - best), ["a dog"], SCORES, {})

        return SimpleNamespace(decoder=decoder, dev_result=dev_result)

    return make


@pytest.mark.parametrize(("best", "share"), [(0.0, 1.0), (3.0, 0.25), (4.0, 0.0)])
def test_dev_chooses_the_share(trainer, best, share):
    tried = trainer(best)
    found = average_with_start(tried, START)
    assert found.share == share
    assert found.arrays["w"].tolist() == [best] * 2
    assert tried.decoder["w"].tolist() == [best] * 2
    assert tuple(found.cider) == SHARES


def test_of_equally_good_shares_that_nearest_to_the_start_is_chosen(trainer):
    assert average_with_start(trainer(0.5), START).share == 1.0


def test_a_stop_meanwhile_gives_no_average(trainer):
    tried = trainer(0.0)
    tried.dev_result = lambda: None
    assert average_with_start(tried, START) is None
