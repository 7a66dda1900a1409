"""The words lesson: neighbours and the map, recomputed another way."""

import numpy as np
import pytest

from captioning.errors import QueryError
from captioning.lessons.words import cosine, neighbours, word_map
from captioning.vocabulary import SPECIAL, Vocabulary

WORDS = "one two three four five six seven eight".split()


@pytest.fixture
def vocabulary():
    return Vocabulary([*SPECIAL, *WORDS])


@pytest.fixture
def vectors(vocabulary):
    return np.random.default_rng(4).normal(size=(len(vocabulary), 6)).astype(np.float32)


def test_neighbours_are_all_words_by_cosine(vectors, vocabulary):
    found = neighbours(vectors, vocabulary, "three", top=50)
    own = vectors[vocabulary.id("three")].astype(np.float64)
    for near in found:
        other = vectors[vocabulary.id(near.word)].astype(np.float64)
        angle = np.arccos(np.clip(own @ other / np.sqrt((own @ own) * (other @ other)), -1, 1))
        assert near.cosine == pytest.approx(np.cos(angle), abs=1e-5)
        assert near.cosine == pytest.approx(cosine(own, other), abs=1e-5)
    assert {near.word for near in found} == set(WORDS) - {"three"}
    assert [n.cosine for n in found] == sorted((n.cosine for n in found), reverse=True)


def test_neighbours_do_not_depend_on_length(vectors, vocabulary):
    longer = vectors * np.linspace(1, 9, len(vectors))[:, None]
    names = [near.word for near in neighbours(vectors, vocabulary, "one")]
    assert names == [near.word for near in neighbours(longer, vocabulary, "one")]


def test_an_unknown_word_is_named(vectors, vocabulary):
    with pytest.raises(QueryError, match="zebra"):
        neighbours(vectors, vocabulary, "zebra")
    with pytest.raises(QueryError, match="zebra"):
        word_map(vectors, vocabulary, ["one", "two", "zebra"])
    with pytest.raises(QueryError, match="three words, got 2"):
        word_map(vectors, vocabulary, ["one", "two"])


def test_a_zero_vector_is_like_nothing():
    assert cosine(np.zeros(3), np.ones(3)) == 0.0


def test_the_map_is_that_of_the_covariance_matrix(vectors, vocabulary):
    found = word_map(vectors, vocabulary, WORDS)
    rows = vectors[[vocabulary.id(word) for word in WORDS]].astype(np.float64)
    values, directions = np.linalg.eigh(np.cov(rows, rowvar=False))
    expected = (rows - rows.mean(axis=0)) @ directions[:, [-1, -2]]
    np.testing.assert_allclose(np.abs(found.places), np.abs(expected), atol=1e-8)
    np.testing.assert_allclose(found.shares, values[[-1, -2]] / values.sum(), atol=1e-8)
    farthest = np.abs(found.places).argmax(axis=0)
    assert (found.places[farthest, [0, 1]] > 0).all()


def test_a_flat_cloud_of_words_keeps_its_distances(vocabulary):
    plane = np.random.default_rng(5).normal(size=(len(vocabulary), 2))
    turned = plane @ np.linalg.qr(np.random.default_rng(6).normal(size=(6, 6)))[0][:2]
    found = word_map(turned, vocabulary, WORDS)
    rows = plane[[vocabulary.id(word) for word in WORDS]]
    for one in range(len(WORDS)):
        for other in range(one):
            assert np.linalg.norm(found.places[one] - found.places[other]) == pytest.approx(
                np.linalg.norm(rows[one] - rows[other])
            )
    assert sum(found.shares) == pytest.approx(1.0)
