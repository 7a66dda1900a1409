"""Neutral words for people where the model is not certain of a gender."""

import numpy as np
import pytest

from captioning.people_words import certainties, neutral_words
from captioning.vocabulary import SPECIAL, Vocabulary

VOCABULARY = Vocabulary([*SPECIAL, "a", "man", "woman", "boy", "rides"])


def log_probs(**shares):
    row = np.full(len(VOCABULARY), 1e-9)
    for word, share in shares.items():
        row[VOCABULARY.id(word)] = share
    return np.log(row)


def test_certainty_is_the_share_among_gendered_words_alone():
    rows = np.stack(
        [log_probs(a=0.9), log_probs(man=0.3, boy=0.3, woman=0.2, rides=0.2), log_probs(rides=1)]
    )
    found = certainties(["a", "man", "rides"], rows, VOCABULARY)
    assert found == [None, pytest.approx(0.75, abs=1e-6), None]


def test_a_word_whose_opposite_is_unknown_counts_as_certain():
    vocabulary = Vocabulary([*SPECIAL, "a", "man"])
    assert certainties(["man"], np.log([[0.1] * 6]), vocabulary) == [1.0]


@pytest.mark.parametrize(
    ("caption", "certain", "written"),
    [
        ("two men and a woman sit", {"men": 0.6, "woman": 0.95}, "two people and a woman sit"),
        ("a girl with her dog", {"girl": 0.5}, "a child with their dog"),
        ("a boy and a man in his car", {"boy": 0.5, "man": 0.99}, "a child and a man in his car"),
        ("a man with his dog", {"man": 0.9}, "a man with his dog"),
        ("a dog with its ball", {}, "a dog with its ball"),
    ],
)
def test_uncertain_genders_are_left_out(caption, certain, written):
    words = caption.split()
    assert neutral_words(words, [certain.get(word) for word in words], 0.9) == written


def test_zero_keeps_the_words_of_the_model():
    assert neutral_words(["a", "man"], [None, 0.0], 0.0) == "a man"
