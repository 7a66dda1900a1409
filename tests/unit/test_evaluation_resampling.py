"""Per-photo scores, intervals, and the paired test, held against plain loops and known truths."""

import numpy as np
import pytest

from captioning.errors import ConfigError
from captioning.evaluation import PhotoScores, compare, intervals, score_photos
from captioning.evaluation.resampling import holm
from captioning.metrics import METRICS, bleu_from_statistics, bleu_of_counts, score_captions

WORDS = "a the red blue dog cat runs sits on grass sand big small and".split()


def sentences(random, count):
    return [" ".join(random.choice(WORDS, random.integers(3, 9))) for _ in range(count)]


def corpus(photos, seed=0):
    random = np.random.default_rng(seed)
    return (
        [f"{n}.jpg" for n in range(photos)],
        sentences(random, photos),
        [[f"{text} ." for text in sentences(random, 5)] for _ in range(photos)],
    )


@pytest.fixture(scope="module")
def scores():
    return score_photos(*corpus(30))


def test_the_photos_together_score_what_the_corpus_does(scores):
    _, said, references = corpus(30)
    expected = score_captions(said, references).as_dict()
    for name in METRICS:
        assert scores.figures[name] == pytest.approx(expected[name], abs=1e-9)


def test_bleu_of_many_sums_is_that_of_each_sum():
    random = np.random.default_rng(3)
    rows = score_photos(*corpus(12)).rows["bleu_4"]
    counts = random.integers(0, 3, (40, 12)) @ rows
    counts = np.concatenate([counts, [[0, 0, 0, 0, 1, 1, 1, 1, 0, 5]], rows])
    for row, found in zip(counts, bleu_of_counts(counts), strict=True):
        assert found == pytest.approx(np.array(bleu_from_statistics(row).bleu))


def test_photos_drawn_twice_count_twice(scores):
    names, said, references = corpus(30)
    weights = np.random.default_rng(1).multinomial(30, [1 / 30] * 30, 3)
    found = scores.weighted(weights)
    for draw, counts in enumerate(weights):
        chosen = np.repeat(np.arange(30), counts)
        bleu = score_captions([said[i] for i in chosen], [references[i] for i in chosen])
        assert found["bleu_2"][draw] == pytest.approx(bleu.bleu_2)
        assert found["rouge_l"][draw] == pytest.approx(bleu.rouge_l)
        # CIDEr-D keeps the rarity of n-grams in all the photos, so it is the mean of these.
        assert found["cider"][draw] == pytest.approx(scores.per_photo("cider")[chosen].mean())


def test_intervals_equal_those_of_a_plain_loop(scores):
    found = intervals(scores, samples=60, seed=5)
    draws = np.random.default_rng(5).multinomial(30, [1 / 30] * 30, 60)
    for name in METRICS:
        values = [scores.weighted(row[None].astype(float))[name][0] for row in draws]
        assert found[name] == pytest.approx(tuple(np.percentile(values, [2.5, 97.5])))
        assert found[name].low <= scores.figures[name] <= found[name].high or name == "bleu_4"


def test_intervals_narrow_with_the_root_of_the_number_of_photos():
    def width(photos):
        edges = intervals(score_photos(*corpus(photos)))["rouge_l"]
        return edges.high - edges.low

    assert width(50) / width(800) == pytest.approx(4, rel=0.35)


def test_a_model_does_not_differ_from_itself(scores):
    found = compare(scores, scores)
    assert [d.p_value for d in found.differences] == [1.0] * 6
    assert not any(d.real for d in found.differences)
    assert found.verdict("one", "two").startswith("There is no real difference between one and two")


@pytest.mark.slow
def test_equal_models_rarely_differ_significantly():
    """Two models whose captions are drawn alike: p below 5% about one time in twenty."""
    alarms, corrected, tries = 0, 0, 120
    for seed in range(tries):
        names, one, references = corpus(40, seed)
        two = sentences(np.random.default_rng(seed + 10_000), 40)
        first, second = (score_photos(names, said, references) for said in (one, two))
        found = compare(first, second, samples=200, seed=seed)
        alarms += found.differences[4].p_value < 0.05
        corrected += any(d.real for d in found.differences)
    assert alarms <= 14  # of 120 with a rate of 5%: more has a chance of 0.1%
    assert corrected <= 14


def test_a_better_model_is_reported():
    names, said, references = corpus(60)
    pairs = zip(said, references, strict=True)
    better = [texts[0] if n % 2 else text for n, (text, texts) in enumerate(pairs)]
    first, second = (score_photos(names, s, references) for s in (said, better))
    found = compare(first, second)
    assert all(d.real and d.gain > 0 and d.interval.low > 0 for d in found.differences)
    assert found.verdict("one", "two") == "two is better than one by every measure."
    assert (
        compare(second, first).verdict("two", "one") == "two is better than one by every measure."
    )


def test_swapping_equals_a_plain_loop(scores):
    """The p-value by hand: captions swapped photo by photo, ROUGE-L compared as a mean."""
    other = score_photos(corpus(30)[0], sentences(np.random.default_rng(9), 30), corpus(30)[2])
    found = compare(scores, other, samples=100, seed=4).differences[list(METRICS).index("rouge_l")]
    random, difference = (
        np.random.default_rng(5),
        other.per_photo("rouge_l") - scores.per_photo("rouge_l"),
    )
    swapped = random.integers(0, 2, (100, 30))
    made = np.abs(((1 - 2 * swapped) * difference).mean(axis=1))
    expected = ((made >= abs(difference.mean()) - 1e-9).sum() + 1) / 101
    assert found.p_value == pytest.approx(expected)


def test_holm_never_lowers_a_p_value_and_keeps_their_order():
    values = [0.2, 0.001, 0.03, 0.03, 0.9, 0.011]
    corrected = holm(values)
    assert all(c >= v for c, v in zip(corrected, values, strict=True))
    assert (
        np.argsort(values, kind="stable").tolist() == np.argsort(corrected, kind="stable").tolist()
    )
    assert corrected[1] == pytest.approx(0.006)
    assert max(corrected) <= 1


def test_other_photos_do_not_compare(scores):
    fewer = PhotoScores(scores.names[1:], {name: rows[1:] for name, rows in scores.rows.items()})
    with pytest.raises(ConfigError, match="different photos"):
        compare(scores, fewer)


def test_best_first_orders_by_cider_and_then_rouge():
    scores = PhotoScores(
        tuple("abcd"),
        {"rouge_l": np.array([[1.0], [9], [5], [7]]), "cider": np.array([[2.0], [0], [3], [0]])},
    )
    assert scores.best_first().tolist() == [2, 0, 1, 3]
