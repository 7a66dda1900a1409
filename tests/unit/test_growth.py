"""Words that are added to the vocabulary of a model that is fine-tuned."""

import numpy as np

from captioning.training.fine_tuning import grow
from captioning.vocabulary import SPECIAL, Vocabulary

KNOWN = Vocabulary([*SPECIAL, "a", "dog", "runs", "cat"])
CAPTIONS = ["A lad runs.", "A lad and a dog", "behold a dog"]


def test_frequent_new_words_come_after_the_known_ones():
    assert grow(KNOWN, CAPTIONS, min_count=2).vocabulary.words == (*KNOWN.words, "lad")
    grown = grow(KNOWN, CAPTIONS, min_count=1).vocabulary
    assert grown.words == (*KNOWN.words, "lad", "and", "behold")
    assert grow(KNOWN, CAPTIONS, min_count=3).vocabulary.words == KNOWN.words


def test_frequent_words_of_sentences_without_photos_are_added_too():
    sentences = ["a pizza on a plate", "a pizza runs"]
    grown = grow(KNOWN, CAPTIONS, min_count=2, sentences=sentences, sentence_min_count=2)
    assert grown.vocabulary.words == (*KNOWN.words, "lad", "pizza")
    assert grown.like.shape == (2, 4)  # there are only four known words to begin as


def test_a_new_word_is_never_the_likeliest_before_training():
    words = [f"w{number}" for number in range(300)]
    captions = [f"{' '.join(words[:number])} new{number} new" for number in range(1, 301)]
    growth = grow(Vocabulary([*SPECIAL, *words]), captions, min_count=1)
    random = np.random.default_rng(0)
    count = len(SPECIAL) + len(words)
    arrays = {
        "decoder/embedding/embeddings": random.normal(size=(count, 6)),
        "decoder/vocabulary/kernel": random.normal(size=(8, count)),
        "decoder/vocabulary/bias": random.normal(size=count),
        "decoder/query/kernel": random.normal(size=(count, count)),
    }
    grown = growth.weights(arrays)
    assert grown["decoder/embedding/embeddings"].shape == (count + 301, 6)
    assert grown["decoder/query/kernel"] is arrays["decoder/query/kernel"]
    for path in ("decoder/vocabulary/kernel", "decoder/vocabulary/bias"):
        np.testing.assert_allclose(grown[path][..., :count], arrays[path], rtol=1e-6)
    answers = random.uniform(-1, 1, (500, 8))
    logits = answers @ grown["decoder/vocabulary/kernel"] + grown["decoder/vocabulary/bias"]
    assert (logits.argmax(axis=1) < count).all()
    assert np.ptp(logits[:, count:], axis=1).min() > 0  # new words are not equal


def test_without_new_words_the_weights_stay_the_same():
    arrays = {"decoder/vocabulary/bias": np.arange(8.0)}
    assert grow(KNOWN, ["a dog runs"], min_count=1).weights(arrays) == arrays
