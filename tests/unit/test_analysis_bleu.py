"""BLEU drawn, people's agreement, misleading examples: nltk and brute force are the oracles."""

import math
import random
import warnings

import numpy as np
import pytest
from analysis_data import dataset_of, random_caption, random_dataset
from nltk.translate.bleu_score import corpus_bleu as nltk_corpus_bleu

from captioning.analysis.agreement import kept_agreement, measure_agreement, open_agreement
from captioning.analysis.bleu import draw_bleu, right_but_low, sentence_scores, wrong_but_high
from captioning.datasets import SPLITS
from captioning.errors import ConfigError, DatasetError
from captioning.metrics import cider
from captioning.text import tokenize

WEIGHTS = [(1 / n,) * n for n in (1, 2, 3, 4)]


def nltk_bleu(hypotheses, references):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nltk warns where an order has no match
        return nltk_corpus_bleu(references, hypotheses, weights=WEIGHTS)


def random_case(seed):
    rng = random.Random(seed)
    return random_caption(rng), [random_caption(rng) for _ in range(rng.randint(1, 5))]


@pytest.mark.parametrize("seed", range(60))
def test_the_figure_is_nltks(seed):
    hypothesis, references = random_case(seed)
    truth = nltk_bleu([tokenize(hypothesis)], [[tokenize(r) for r in references]])
    drawing = draw_bleu(hypothesis, references)

    # nltk puts the smallest float there is in place of a precision of zero.
    assert drawing.score.bleu == pytest.approx(truth, abs=1e-9)
    assert sentence_scores(hypothesis, references) == pytest.approx(
        [100 * b for b in truth], abs=1e-7
    )


@pytest.mark.parametrize("seed", range(60))
def test_the_drawing_adds_up_to_the_score(seed):
    drawing = draw_bleu(*random_case(seed))
    score = drawing.score

    for order, (uses, precision) in enumerate(
        zip(drawing.ngrams, score.precisions, strict=True), 1
    ):
        assert sum(use.verdict == "counted" for use in uses) == precision.clipped
        assert max(len(uses), 1) == precision.total
        product = math.prod(p.clipped / p.total for p in score.precisions[:order])
        again = score.brevity_penalty * product ** (1 / order)
        assert again == pytest.approx(score.bleu[order - 1], abs=1e-12)
    assert len(drawing.references[drawing.nearest]) == score.reference_length


@pytest.mark.parametrize("seed", range(30))
def test_a_words_mark_is_the_longest_shared_ngram_through_it(seed):
    hypothesis, references = random_case(seed)
    words, truth = tokenize(hypothesis), [tokenize(r) for r in references]
    drawing = draw_bleu(hypothesis, references)

    def shared(words, others):
        orders = []
        for place in range(len(words)):
            spans = [
                n
                for n in (1, 2, 3, 4)
                for start in range(max(0, place - n + 1), min(place, len(words) - n) + 1)
                if any(
                    words[start : start + n] == other[i : i + n]
                    for other in others
                    for i in range(len(other) - n + 1)
                )
            ]
            orders.append(max(spans, default=0))
        return orders

    assert [w.order for w in drawing.hypothesis] == shared(words, truth)
    for reference, marked in zip(truth, drawing.references, strict=True):
        assert [w.order for w in marked] == shared(reference, [words])


def test_neighbours_are_joined_only_by_a_match_of_both():
    drawing = draw_bleu("a red dog runs", ["red dog a runs"])

    assert [word.order for word in drawing.hypothesis] == [1, 2, 2, 1]
    assert [word.joined for word in drawing.hypothesis] == [False, False, True, False]
    assert [word.joined for word in drawing.references[0]] == [False, True, False, False]


def test_counts_above_the_references_are_clipped():
    uses = draw_bleu("the the the cat", ["the cat and the dog", "a cat"]).ngrams[0]

    assert [use.verdict for use in uses] == ["counted", "counted", "clipped", "counted"]
    assert [use.found_in for use in uses] == [(0,), (0,), (0,), (0, 1)]


def test_an_empty_hypothesis_scores_nothing():
    drawing = draw_bleu(" . ", ["a dog"])

    assert drawing.score.bleu == (0, 0, 0, 0)
    assert drawing.ngrams == ((), (), (), ())
    with pytest.raises(ConfigError):
        draw_bleu("a dog", [])


def leave_one_out(dataset, split):
    pairs = [
        (
            photo.name,
            number,
            photo.captions[number],
            photo.captions[:number] + photo.captions[number + 1 :],
        )
        for photo in dataset.split(split)
        for number in range(len(photo.captions))
        if len(photo.captions) > 1
    ]
    return [(n, k, tokenize(c), [tokenize(o) for o in others]) for n, k, c, others in pairs]


@pytest.mark.parametrize("split", SPLITS)
def test_agreement_is_nltks_bleu_of_every_caption_against_the_others(split):
    dataset = random_dataset(11)
    pairs = leave_one_out(dataset, split)
    agreement = measure_agreement(dataset, split)

    truth = nltk_bleu([p[2] for p in pairs], [p[3] for p in pairs])
    assert agreement.bleu.bleu == pytest.approx(truth, abs=1e-9)
    for place, name in enumerate(agreement.names):
        own = [p for p in pairs if p[0] == name]
        truth = nltk_bleu([p[2] for p in own], [p[3] for p in own])
        assert agreement.bleu_of(place) == pytest.approx(truth, abs=1e-9)


def test_agreement_by_cider_scores_each_round_as_a_corpus():
    dataset = random_dataset(12)
    agreement = measure_agreement(dataset, "train")
    pairs = leave_one_out(dataset, "train")
    for number in range(5):
        some = [p for p in pairs if p[1] == number]
        if some:
            truth = cider([p[2] for p in some], [p[3] for p in some]).per_image
            assert agreement.cider[agreement.number == number] == pytest.approx(truth)
    means = {
        name: np.mean([agreement.cider[i] for i in np.flatnonzero(agreement.photo_of == place)])
        for place, name in enumerate(agreement.names)
    }
    order = [agreement.names[i] for i in agreement.most_disputed(5)]
    assert [means[name] for name in order] == pytest.approx(sorted(means.values())[:5])


def test_agreement_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path))
    dataset = random_dataset(13)
    rounds = []

    assert kept_agreement(dataset, "test") is None
    measured = open_agreement(dataset, "test", on_progress=lambda *done: rounds.append(done))
    kept = kept_agreement(dataset, "test")

    assert rounds[-1][0] == rounds[-1][1] == len(rounds)
    assert kept.bleu == measured.bleu
    assert np.array_equal(kept.cider, measured.cider)


def test_agreement_needs_two_captions():
    with pytest.raises(DatasetError, match="two captions"):
        measure_agreement(dataset_of([["a dog"]]), "train")


def test_the_right_caption_that_shares_nothing_is_found():
    odd = "some puppies gallop across green lawns"
    captions = [
        ["two dogs run in the grass", "the dogs run on grass", "two dogs in grass", odd],
        ["a man rides a red bike", "a man on a red bike", "the man rides a bike"],
    ]
    dataset = dataset_of(captions, ["test", "test"])
    example = right_but_low(dataset, measure_agreement(dataset, "test"), count=1, least_words=5)[0]

    assert example.hypothesis == odd
    assert example.photo.name == "0000.png"
    assert odd not in example.references
    assert example.bleu == (0, 0, 0, 0)


def test_the_wrong_caption_that_shares_nearly_all_is_found():
    captions = [
        ["a boy in a red shirt runs across the grass", "the boy runs"],
        ["a girl in a red shirt runs across the grass", "the girl runs"],
        ["a dog sleeps on the sofa near a lamp", "a dog sleeps"],
    ]
    examples = wrong_but_high(dataset_of(captions, ["test"] * 3), "test")

    assert {(e.photo.name, e.source.name) for e in examples} == {
        ("0000.png", "0001.png"),
        ("0001.png", "0000.png"),
    }
    assert {e.wrong_words for e in examples} == {("girl",), ("boy",)}
    assert all(e.bleu[3] > 50 for e in examples)
    assert all(sentence_scores(e.hypothesis, e.references) == e.bleu for e in examples)
