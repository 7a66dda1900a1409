"""ROUGE-L on cases worked out by hand; the golden file compares it with pycocoevalcap."""

import random
from itertools import combinations

import pytest

from captioning.errors import ConfigError
from captioning.metrics import longest_common_subsequence, rouge_l


def f_score(precision, recall):
    return 2.44 * precision * recall / (recall + 1.44 * precision)


def longest_by_trying(first, second):
    """All subsequences of the first, longest first: slow and plainly right."""

    def within(words):
        rest = iter(second)
        return all(word in rest for word in words)

    lengths = range(len(first), 0, -1)
    return next((n for n in lengths for words in combinations(first, n) if within(words)), 0)


@pytest.mark.parametrize("seed", range(60))
def test_longest_common_subsequence_is_the_longest(seed):
    rng = random.Random(seed)
    first = [rng.choice("abcd") for _ in range(rng.randrange(9))]
    second = [rng.choice("abcd") for _ in range(rng.randrange(9))]

    assert longest_common_subsequence(first, second) == longest_by_trying(first, second)
    assert longest_common_subsequence(second, first) == longest_by_trying(first, second)


def test_best_precision_and_best_recall_may_come_from_different_references():
    hypothesis = "a red kite flies".split()
    references = [["kite"], "a red kite hangs in a tree near us".split()]

    assert rouge_l([hypothesis], [references]).mean == pytest.approx(f_score(3 / 4, 1 / 1))


def test_mean_is_over_images_and_not_over_words():
    hypotheses = [["a", "dog"], "two cats sleep here now".split()]
    references = [[["a", "dog"]], [["nothing", "alike"]]]

    score = rouge_l(hypotheses, references)

    assert score.per_image.tolist() == pytest.approx([1, 0])
    assert score.per_image.dtype == "float64"
    assert score.mean == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("hypothesis", "references"),
    [([], [["a", "dog"]]), (["a", "dog"], [[]]), ([], [[]])],
)
def test_no_words_score_zero(hypothesis, references):
    assert rouge_l([hypothesis], [references]).mean == 0


def test_an_empty_reference_next_to_a_good_one_changes_nothing():
    assert rouge_l([["a", "dog"]], [[[], ["a", "dog"]]]).mean == pytest.approx(1)


def test_refuses_strings():
    with pytest.raises(ConfigError, match="hypothesis of image 0 is a string"):
        rouge_l(["a dog"], [[["a", "dog"]]])
