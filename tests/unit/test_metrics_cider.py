"""CIDEr-D: its properties, and the scorer that keeps its references."""

import math

import numpy as np
import pytest

from captioning.errors import ConfigError
from captioning.metrics import CiderD, DocumentFrequencies, cider

REFERENCES = [
    ["a green boat on a lake".split(), "the boat is on a calm lake".split()],
    ["two cats sleep on a red sofa".split(), "cats asleep on a sofa".split()],
    ["a man rides a horse".split(), "a rider on a brown horse".split(), "one horse".split()],
    ["people dance in a hall".split()],
]
HYPOTHESES = [
    "a boat on a lake".split(),
    "two cats sleep on a sofa".split(),
    "a dog on a brown horse".split(),
    "people dance in a hall".split(),
]


def test_a_copy_of_the_only_reference_scores_ten_and_a_stranger_zero():
    copied = cider(HYPOTHESES, REFERENCES).per_image[3]
    strange = cider([*HYPOTHESES[:3], "birds fly".split()], REFERENCES).per_image[3]

    assert copied == pytest.approx(10)
    assert strange == 0


def test_worked_out_by_hand():
    """One reference of two words: only orders 1 and 2 exist, and all words are equally rare."""
    references = [[["red", "kite"]], [["blue", "sea"]]]

    scores = cider([["red", "sun"], ["blue", "sea"]], references).per_image

    assert scores[0] == pytest.approx(10 * (1 / 2) / 4)
    assert scores[1] == pytest.approx(10 * (1 + 1) / 4)


def test_a_difference_in_length_is_punished_by_a_gaussian_of_six_words():
    frequencies = DocumentFrequencies(100, {})
    scorer = CiderD([[["kite"]]], document_frequencies=frequencies)
    repeated = scorer.score(["kite"] * 5, 0)

    # Clipping keeps one of five; the norm of the hypothesis keeps all five.
    assert repeated == pytest.approx(10 / 4 * (1 / 5) * math.exp(-(4**2) / (2 * 6**2)))


def test_words_that_every_image_has_weigh_nothing():
    references = [[["the", "kite"]], [["the", "sea"]]]

    assert cider([["the"], ["the"]], references).mean == 0


def test_one_image_alone_scores_zero_unless_frequencies_come_from_elsewhere():
    frequencies = DocumentFrequencies.from_references(REFERENCES)

    alone = cider(HYPOTHESES[:1], REFERENCES[:1])
    informed = cider(HYPOTHESES[:1], REFERENCES[:1], document_frequencies=frequencies)

    assert alone.mean == 0
    assert informed.mean == pytest.approx(cider(HYPOTHESES, REFERENCES).per_image[0])


def test_frequencies_count_images_and_not_captions():
    frequencies = DocumentFrequencies.from_references(REFERENCES)

    assert frequencies.images == 4
    assert frequencies.counts[("a",)] == 4
    assert frequencies.counts[("horse",)] == 1
    assert frequencies.counts[("on", "a")] == 3
    assert ("horse", "on") not in frequencies.counts


def test_mean_and_per_image_agree():
    score = cider(HYPOTHESES, REFERENCES)

    assert score.per_image.shape == (4,)
    assert score.per_image.dtype == np.float64
    assert score.mean == pytest.approx(sum(score.per_image) / 4)
    assert np.all((score.per_image > 0) & (score.per_image <= 10 + 1e-9))


def test_the_scorer_takes_images_in_any_order_and_number():
    scorer = CiderD(REFERENCES)
    expected = cider(HYPOTHESES, REFERENCES).per_image
    images = [2, 0, 2, 3]

    scores = scorer.scores([HYPOTHESES[i] for i in images], images)

    assert len(scorer) == 4
    assert scores.tolist() == pytest.approx(expected[images].tolist())
    assert scorer.score(HYPOTHESES[1], 1) == pytest.approx(expected[1])
    assert scorer.scores([], []).shape == (0,)


def test_word_ids_score_as_words_do():
    ids = {}

    def numbered(caption):
        return [ids.setdefault(word, len(ids) + 4) for word in caption]

    references = [[numbered(caption) for caption in captions] for captions in REFERENCES]
    hypotheses = [numbered(caption) for caption in HYPOTHESES]

    assert cider(hypotheses, references).per_image == pytest.approx(
        cider(HYPOTHESES, REFERENCES).per_image
    )


def test_a_caption_without_words_scores_zero():
    assert CiderD(REFERENCES).score([], 0) == 0
    assert cider([["a"], ["kite"]], [[[], ["a"]], [["kite"]]]).per_image[0] > 0


def test_a_copy_beats_a_loop_and_a_part():
    scorer = CiderD(REFERENCES)
    copy = REFERENCES[3][0]

    assert scorer.score(copy, 3) > scorer.score(copy[:3], 3) > 0
    assert scorer.score(copy, 3) > scorer.score(copy + copy, 3)


def test_refuses_what_it_cannot_score():
    scorer = CiderD(REFERENCES)

    with pytest.raises(ConfigError, match="There is no image 4"):
        scorer.score(["a"], 4)
    with pytest.raises(ConfigError, match="There is no image -1"):
        scorer.score(["a"], -1)
    with pytest.raises(ConfigError, match="A hypothesis of image 0 is a string"):
        scorer.score("a boat", 0)
    with pytest.raises(ConfigError, match="2 hypotheses and 1 image numbers"):
        scorer.scores([["a"], ["b"]], [0])
    with pytest.raises(ConfigError, match="Reference 0 of image 0 is a string"):
        CiderD([["a boat"]])
    with pytest.raises(ConfigError, match="no captions to score"):
        CiderD([])


@pytest.mark.parametrize(("images", "counts"), [(0, {}), (3, {("a",): 4, ("b",): 1})])
def test_refuses_frequencies_that_cannot_be(images, counts):
    with pytest.raises(ConfigError, match=f"speak of {images} images"):
        DocumentFrequencies(images, counts)
