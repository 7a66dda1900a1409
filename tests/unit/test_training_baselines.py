"""What a new model is compared with at the end of its training."""

import pytest

from captioning.training.report import dev_baselines, verdict

TRAIN = [["A dog runs.", "a dog runs"], ["a cat sits on a mat"]]
DEV = [["a dog runs"], ["a bird flies over the sea"], ["two men talk"]]


def test_the_commonest_caption_is_scored_on_dev():
    found = dev_baselines(TRAIN, DEV)
    assert set(found) == {"photos", "commonest_cider"}
    assert found["photos"] == 3
    assert found["commonest_cider"] > dev_baselines([["a cat sits"]], DEV)["commonest_cider"]


def test_the_model_at_the_start_is_named():
    found = dev_baselines(TRAIN, DEV, start="everyday", start_cider=40.0)
    assert (found["start"], found["start_cider"]) == ("everyday", 40.0)


@pytest.mark.parametrize(
    ("cider", "message"),
    [
        (50.0, "The model beats both."),
        (30.0, "not better than everyday without training."),
        (5.0, "not better than the commonest caption or everyday without training."),
    ],
)
def test_the_verdict_says_what_is_not_beaten(cider, message):
    baselines = {"photos": 9, "commonest_cider": 10.0, "start": "everyday", "start_cider": 40.0}
    assert message in verdict(baselines, cider)


def test_the_verdict_says_which_weights_the_finished_model_has():
    baselines = {"photos": 9, "commonest_cider": 10.0, "start": "everyday", "start_cider": 40.0}
    kept = verdict(baselines, 40.0, share=1.0)
    assert "everyday was already as good without training" in kept
    assert "not better" not in kept
    average = verdict(baselines, 50.0, share=0.25)
    assert "an average, 25% of everyday and 75% trained. The model beats both." in average


def test_one_photo_gives_no_verdict():
    assert "always 0" in verdict({"photos": 1, "commonest_cider": 0.0}, 0.0)
