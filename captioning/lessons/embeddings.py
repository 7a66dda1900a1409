"""Word vectors: nearest neighbours, and a map in two dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captioning.errors import QueryError, quoted
from captioning.vocabulary import SPECIAL, Vocabulary


@dataclass(frozen=True)
class Neighbour:
    """A word, and the cosine of the angle between its vector and another's."""

    word: str
    cosine: float


@dataclass(frozen=True)
class WordMap:
    """Words in two dimensions.

    Attributes:
        words: which.
        places: float64 `(N, 2)`, along the two directions in which the vectors differ most.
        shares: of all differences, how much each of the two directions shows, 0 to 1.
    """

    words: tuple[str, ...]
    places: np.ndarray
    shares: tuple[float, float]


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Return the cosine of the angle between two vectors `(E,)`; 0 if one of them is zero."""
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths else 0.0


def neighbours(
    vectors: np.ndarray, vocabulary: Vocabulary, word: str, *, top: int = 8
) -> list[Neighbour]:
    """Return the words with the most similar vectors by cosine, the nearest first.

    Args:
        vectors: one row a word, `(V, E)`.
        vocabulary: the words; the special marks are left out.
        word: whose neighbours.
        top: how many.

    Raises:
        QueryError: the vocabulary does not have the word.
    """
    if word not in vocabulary:
        raise QueryError(f"The model does not know the word {quoted(word)}.")
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    directions = vectors / np.where(lengths > 0, lengths, 1.0)[:, None]
    cosines = directions @ directions[vocabulary.id(word)]
    left_out = [*range(len(SPECIAL)), vocabulary.id(word)]
    cosines[left_out] = -np.inf
    order = np.argsort(-cosines, kind="stable")[: min(top, len(vocabulary) - len(set(left_out)))]
    return [Neighbour(vocabulary.words[i], float(cosines[i])) for i in order]


def word_map(vectors: np.ndarray, vocabulary: Vocabulary, words: Sequence[str]) -> WordMap:
    """Place words in two dimensions by principal component analysis (Pearson 1901).

    The signs are fixed, so that equal vectors give equal maps: in each direction the word
    farthest from 0 is on the positive side.

    Args:
        vectors: one row a word, `(V, E)`.
        vocabulary: the words of the rows.
        words: at least three of them.

    Raises:
        QueryError: there are fewer than three words, or one is not in the vocabulary.
    """
    if len(words) < 3:
        raise QueryError(f"A map needs at least three words, got {len(words)}.")
    for word in words:
        if word not in vocabulary:
            raise QueryError(f"The model does not know the word {quoted(word)}.")
    rows = vectors[[vocabulary.id(word) for word in words]].astype(np.float64)
    centred = rows - rows.mean(axis=0)
    # The words are fewer than the numbers of a vector: the directions of their products with one
    # another are the same places, and found a hundred times sooner.
    strengths, directions = np.linalg.eigh(centred @ centred.T)
    strengths = np.maximum(strengths[::-1], 0.0)
    places = directions[:, :-3:-1] * np.sqrt(strengths[:2])
    places *= np.where(places[np.abs(places).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)
    total = float(strengths.sum()) or 1.0
    first, second = (float(strength) / total for strength in strengths[:2])
    return WordMap(tuple(words), places, (first, second))
