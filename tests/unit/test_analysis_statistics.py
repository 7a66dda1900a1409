"""Statistics and a caption's journey: counted again by hand, and every bar by its own search."""

from collections import Counter

import numpy as np
import pytest
from analysis_data import dataset_of, random_dataset

from captioning.analysis.caption_index import build_index
from captioning.analysis.search import find
from captioning.analysis.statistics import (
    coverage,
    lengths,
    openings,
    split_words,
    word_counts,
    zipf,
)
from captioning.lessons.words import dropped, follow, row_count
from captioning.text import tokenize
from captioning.vocabulary import BOS, EOS, PAD, UNK, Vocabulary

DATASET = random_dataset(7)
INDEX = build_index(DATASET)
SPLITS = [None, "train", "dev", "test"]


def tokenized(split):
    photos = DATASET.photos if split is None else DATASET.split(split)
    return [tokenize(caption) for photo in photos for caption in photo.captions]


@pytest.mark.parametrize("split", SPLITS)
def test_lengths(split):
    counts = Counter(len(words) for words in tokenized(split))
    bars = lengths(INDEX, split)

    assert {int(bar.label): bar.count for bar in bars if bar.count} == counts
    assert [int(b.label) for b in bars] == list(range(min(counts), max(counts) + 1))


@pytest.mark.parametrize("split", SPLITS)
def test_every_bar_opens_exactly_what_it_counts(split):
    for bar in [*lengths(INDEX, split), *openings(INDEX, split, words=2)]:
        assert len(find(INDEX, bar.query).captions) == bar.count, bar
    for bar in word_counts(INDEX, split):
        places = find(INDEX, bar.query).captions
        assert sum(tokenize(INDEX.captions[c]).count(bar.label) for c in places) == bar.count, bar


@pytest.mark.parametrize("split", SPLITS)
def test_word_counts(split):
    counts = Counter(word for words in tokenized(split) for word in words)
    bars = word_counts(INDEX, split, top=5)

    assert [(b.label, b.count) for b in bars] == sorted(
        counts.items(), key=lambda pair: (-pair[1], pair[0])
    )[:5]
    assert {b.label for b in word_counts(INDEX, split, among=["red", "blue", "mauve"])} == {
        "red",
        "blue",
    }


@pytest.mark.parametrize("split", SPLITS)
def test_openings(split):
    counts = Counter(" ".join(words[:3]) for words in tokenized(split) if len(words) >= 3)
    bars = openings(INDEX, split, words=3, top=10**6)

    assert {bar.label: bar.count for bar in bars} == counts


def test_coverage_falls_from_all_and_counts_training_words():
    points = coverage(INDEX, [1, 5, 20, 10**6])
    counts = Counter(word for words in tokenized("train") for word in words)

    assert [p.words for p in points[:3]] == [
        sum(count >= least for count in counts.values()) for least in (1, 5, 20)
    ]
    assert points[0].known["train"] == 1
    assert points[-1].words == 0
    assert set(points[-1].known.values()) == {0}
    dev = tokenized("dev")
    running = sum(map(len, dev))
    known = sum(counts[word] >= 20 for words in dev for word in words)
    assert points[2].known["dev"] == pytest.approx(known / running)


def test_words_by_split():
    dataset = dataset_of([["a dog"], ["a cat cat"], ["a dog"]], ["train", "dev", "test"])
    train, dev, test = split_words(build_index(dataset))

    assert (train.distinct, train.running, train.new) == (2, 2, 0)
    assert (dev.distinct, dev.running, dev.new, dev.captions) == (2, 3, 1, 1)
    assert test.new == 0
    assert [p.name for p in find(build_index(dataset), dev.query).photos] == ["0001.png"]


def test_zipf_finds_the_exponent_that_made_the_counts():
    vocabulary = [f"w{rank:03d}" for rank in range(1, 201)]
    counts = [round(20_000 / rank**0.9) for rank in range(1, 201)]
    captions = [" ".join([word] * n) for word, n in zip(vocabulary, counts, strict=True)]
    curve = zipf(build_index(dataset_of([captions])))

    assert curve.exponent == pytest.approx(0.9, abs=0.01)
    assert curve.expected(1) == pytest.approx(20_000, rel=0.03)
    assert curve.words[0].label == "w001"
    assert curve.ranks[-1] == 200


@pytest.mark.parametrize("captions", [[], [[]], [["a"]]])
def test_next_to_no_captions_is_no_fault(captions):
    index = build_index(dataset_of(captions))

    assert len(lengths(index)) == len(word_counts(index)) == (captions == [["a"]])
    assert openings(index) == []
    assert zipf(index).words == ()
    assert len(coverage(index)) and len(split_words(index)) == 3


def test_rows_of_a_caption_are_its_words_and_one():
    vocabulary = Vocabulary(["<pad>", "<unk>", "<bos>", "<eos>", "a", "dog"])
    journey = follow("A Dog's dog .", vocabulary)

    assert journey.words == ("a", "dogs", "dog")
    assert journey.ids == (BOS, 4, UNK, 5, EOS)
    assert journey.unknown == ("dogs",)
    assert [(row.given_words, row.target_word) for row in journey.rows] == [
        (("<bos>",), "a"),
        (("<bos>", "a"), "<unk>"),
        (("<bos>", "a", "<unk>"), "dog"),
        (("<bos>", "a", "<unk>", "dog"), "<eos>"),
    ]
    assert [(p.raw, p.word) for p in journey.pieces][-1] == (".", None)


def test_the_formula_counts_the_rows_that_training_sees():
    captions = [caption for photo in DATASET.photos for caption in photo.captions]
    vocabulary = Vocabulary.build(captions, min_count=2)
    targets = vocabulary.rows(captions, max_length=40)[:, 1:]
    rows = [len(follow(caption, vocabulary).rows) for caption in captions]

    assert row_count(INDEX.lengths) == sum(rows) == np.count_nonzero(targets != PAD)


def test_what_cleaning_drops():
    report = dropped(["A T-shirt , red .", "a t-shirt!"])

    assert report.captions == 2
    assert report.capitals == 2
    assert dict(report.characters) == {"-": 2, ",": 1, ".": 1, "!": 1}
    assert report.vanished == 2
    assert dict(report.joined) == {("T-shirt", "tshirt"): 1, ("t-shirt", "tshirt"): 1}
