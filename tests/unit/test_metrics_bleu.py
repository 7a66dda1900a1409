"""BLEU: nltk is the oracle, the counts behind the figures are checked by hand."""

import random
import warnings

import numpy as np
import pytest
from nltk.translate.bleu_score import corpus_bleu as nltk_corpus_bleu

from captioning.errors import ConfigError
from captioning.metrics import (
    bleu_from_statistics,
    bleu_statistics,
    clip_ngrams,
    corpus_bleu,
)

HYPOTHESES = ["a black dog runs in the snow", "two children play in the sand"]
REFERENCES = [
    ["a black dog runs through the snow", "a dog is running in snow"],
    ["two children play on a beach", "kids playing in the sand"],
]


def split(captions):
    return [caption.split() for caption in captions]


def random_caption(rng, longest):
    """Few words, so that captions share n-grams, and now and then a loop."""
    words = [rng.choice("abcdefg") for _ in range(rng.randrange(longest + 1))]
    if words and rng.random() < 0.3:
        words += words[-2:] * rng.randrange(1, 4)
    return words


def random_corpus(seed, longest):
    rng = random.Random(seed)
    images = rng.randrange(1, 25)
    hypotheses = [random_caption(rng, longest) for _ in range(images)]
    references = [
        [random_caption(rng, longest) for _ in range(rng.randrange(1, 6))] for _ in range(images)
    ]
    return hypotheses, references


def nltk_bleu(hypotheses, references, max_order=4):
    weights = [(1 / n,) * n for n in range(1, max_order + 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nltk warns where an order has no match
        bleu = nltk_corpus_bleu(references, hypotheses, weights=weights)
    return bleu if isinstance(bleu, list) else [bleu]


def test_the_example_has_the_published_figures():
    score = corpus_bleu(split(HYPOTHESES), [split(refs) for refs in REFERENCES])

    assert [round(value, 6) for value in score.bleu] == [1.0, 0.852803, 0.686286, 0.463558]
    assert score.precisions == ((13, 13), (8, 11), (4, 9), (1, 7))
    assert (score.hypothesis_length, score.reference_length) == (13, 13)
    assert score.brevity_penalty == 1


@pytest.mark.parametrize("longest", [2, 5, 14])
@pytest.mark.parametrize("seed", range(40))
def test_equals_nltk_on_random_corpora(seed, longest):
    hypotheses, references = random_corpus(seed, longest)

    ours = corpus_bleu(hypotheses, references).bleu

    assert ours == pytest.approx(nltk_bleu(hypotheses, references), abs=1e-9, rel=0)


@pytest.mark.parametrize("max_order", [1, 2, 6])
def test_equals_nltk_at_other_orders(max_order):
    hypotheses, references = random_corpus(5, longest=14)

    ours = corpus_bleu(hypotheses, references, max_order=max_order).bleu

    assert len(ours) == max_order
    assert ours == pytest.approx(nltk_bleu(hypotheses, references, max_order), abs=1e-9, rel=0)


def test_without_a_match_at_some_order_it_is_zero_and_silent(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score = corpus_bleu([["red", "dog", "sky"]], [[["red", "dog", "runs", "far"]]])

    assert score.bleu[0] > 0
    assert score.bleu[1] > 0
    assert score.bleu[2:] == (0, 0)
    assert capfd.readouterr() == ("", "")


def test_empty_hypotheses_score_zero():
    score = corpus_bleu([[], []], [[["a", "dog"]], [["a", "cat"]]])

    assert score.bleu == (0, 0, 0, 0)
    assert score.brevity_penalty == 0
    assert (score.hypothesis_length, score.reference_length) == (0, 4)


def test_a_perfect_copy_scores_one_and_a_stranger_zero():
    caption = "a red kite over the sea".split()

    assert corpus_bleu([caption], [[["no"], caption]]).bleu == pytest.approx((1, 1, 1, 1))
    assert corpus_bleu([caption], [[["two", "dogs"]]]).bleu == (0, 0, 0, 0)


def test_a_short_caption_is_penalised_by_the_nearest_reference_and_the_shorter_of_two():
    words = "a b c d e f g h".split()

    score = corpus_bleu([words[:4]], [[words[:8], words[:5], words[:3]]])
    assert score.reference_length == 3
    assert score.brevity_penalty == 1

    score = corpus_bleu([words[:4]], [[words[:8], words[:6]]])
    assert score.reference_length == 6
    assert score.brevity_penalty == pytest.approx(np.exp(1 - 6 / 4))
    assert score.bleu == pytest.approx((score.brevity_penalty,) * 4)


def test_the_parts_multiply_to_the_printed_figure():
    hypotheses, references = random_corpus(11, longest=14)
    score = corpus_bleu(hypotheses, references)

    for order, bleu in enumerate(score.bleu, start=1):
        product = np.prod([p.clipped / p.total for p in score.precisions[:order]])
        assert bleu == pytest.approx(score.brevity_penalty * product ** (1 / order), abs=1e-12)


def test_statistics_add_up_to_the_corpus():
    hypotheses, references = random_corpus(3, longest=14)

    rows = [bleu_statistics(h, refs) for h, refs in zip(hypotheses, references, strict=True)]

    assert {(row.shape, row.dtype.name) for row in rows} == {((10,), "int64")}
    assert bleu_from_statistics(np.sum(rows, axis=0)) == corpus_bleu(hypotheses, references)
    assert bleu_from_statistics(rows[0]) == corpus_bleu(hypotheses[:1], references[:1])


def test_a_bootstrap_sample_by_statistics_equals_scoring_it_again():
    hypotheses, references = random_corpus(4, longest=14)
    rows = np.stack([bleu_statistics(h, r) for h, r in zip(hypotheses, references, strict=True)])
    drawn = np.random.default_rng(0).integers(len(rows), size=len(rows))

    again = corpus_bleu([hypotheses[i] for i in drawn], [references[i] for i in drawn])

    assert bleu_from_statistics(rows[drawn].sum(axis=0)) == again


def test_clipping_allows_what_one_reference_has_most_often():
    hypothesis = "the the the cat".split()
    references = split(["the cat and the mat", "the cat"])

    clipped = clip_ngrams(hypothesis, references, max_order=2)

    assert clipped == {
        ("the",): (3, 2),
        ("cat",): (1, 1),
        ("the", "the"): (2, 0),
        ("the", "cat"): (1, 1),
    }


def test_word_ids_score_as_words_do():
    hypotheses, references = random_corpus(6, longest=14)
    numbered_hypotheses = [[ord(word) for word in caption] for caption in hypotheses]
    numbered_references = [[[ord(w) for w in ref] for ref in refs] for refs in references]

    assert corpus_bleu(numbered_hypotheses, numbered_references) == corpus_bleu(
        hypotheses, references
    )


@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        ("a dog runs", [[["a", "dog"]]], "one string"),
        (["a dog runs"], [[["a", "dog"]]], "hypothesis of image 0 is a string, 'a dog runs'"),
        ([["a", "dog"]], [["a dog runs"]], "Reference 0 of image 0 is a string"),
        ([["a", "dog"]], [[["a"], "a dog runs"]], "Reference 1 of image 0 is a string"),
        ([["a", "dog"]], ["a dog runs"], "list of references of image 0 is a string"),
        ([["a"], ["b"]], [[["a"]]], "hypotheses for 2 images and references for 1"),
        ([["a"], ["b"]], [[["a"]], []], "Image 1 has no reference"),
        ([], [], "no captions to score"),
    ],
)
def test_refuses_what_would_be_scored_wrongly(hypotheses, references, message):
    with pytest.raises(ConfigError, match=message):
        corpus_bleu(hypotheses, references)


def test_refuses_statistics_and_orders_it_cannot_use():
    with pytest.raises(ConfigError, match="max_order is 0"):
        corpus_bleu([["a"]], [[["a"]]], max_order=0)
    with pytest.raises(ConfigError, match="max_order is -1"):
        bleu_statistics(["a"], [["a"]], max_order=-1)
    with pytest.raises(ConfigError, match=r"shape \(3, 10\)"):
        bleu_from_statistics(np.zeros((3, 10), np.int64))
    with pytest.raises(ConfigError, match="as captioning.text.tokenize does"):
        bleu_statistics("a dog", [["a", "dog"]])
