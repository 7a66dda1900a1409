"""How words become numbers: a caption as training rows, and what the vectors of words show.

A caption goes from raw text to clean words, ids, and rows for teacher forcing.  Vectors have
nearest neighbours, and a map in two dimensions.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from captioning.errors import QueryError, quoted
from captioning.text import tokenize
from captioning.vocabulary import BOS, EOS, SPECIAL, UNK, Vocabulary


@dataclass(frozen=True, slots=True)
class Piece:
    """What stood between two spaces of the raw text, and the word it became; None if nothing."""

    raw: str
    word: str | None

    @property
    def changed(self) -> bool:
        """Whether anything was lost: capitals, punctuation, or all of it."""
        return self.raw != self.word


@dataclass(frozen=True, slots=True)
class Row:
    """One training example: after these words comes that one.

    Attributes:
        given: ids fed so far, BOS first.
        target: id of the word that must follow; EOS in the last row.
        given_words: the same as words, unknown ones as `<unk>`.
        target_word: likewise.
    """

    given: tuple[int, ...]
    target: int
    given_words: tuple[str, ...]
    target_word: str


@dataclass(frozen=True)
class Journey:
    """All steps from one caption to its training rows.

    Attributes:
        raw: as it was written.
        pieces: what became of each part between spaces.
        words: the clean words.
        ids: BOS, the words' ids, EOS.
        unknown: the words that the vocabulary does not have; they all get the id UNK.
        rows: what the decoder learns from it, one row for each word and one for the end.
    """

    raw: str
    pieces: tuple[Piece, ...]
    words: tuple[str, ...]
    ids: tuple[int, ...]
    unknown: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Dropped:
    """What cleaning takes from captions.

    Attributes:
        captions: how many captions were looked at.
        capitals: capital letters made small.
        characters: how often each punctuation mark was stripped, the most common first.
        vanished: parts between spaces of which nothing is left.
        joined: words that had punctuation inside, as `("T-shirt", "tshirt")`, with their counts.
    """

    captions: int
    capitals: int
    characters: tuple[tuple[str, int], ...]
    vanished: int
    joined: tuple[tuple[tuple[str, str], int], ...]


def follow(caption: str, vocabulary: Vocabulary) -> Journey:
    """Turn a raw caption into training rows; it is not cut to any length."""
    words = tokenize(caption)
    ids = (BOS, *vocabulary.encode(caption), EOS)
    names = [vocabulary.words[i] for i in ids]
    rows = tuple(
        Row(ids[:step], ids[step], tuple(names[:step]), names[step]) for step in range(1, len(ids))
    )
    unknown = tuple(w for w in words if vocabulary.id(w) == UNK)
    return Journey(caption, tuple(map(_piece, caption.split())), tuple(words), ids, unknown, rows)


def row_count(word_counts: Iterable[int]) -> int:
    """Return the number of training rows of captions with these word counts: sum of words + 1.

    >>> row_count([3, 5])
    10
    """
    return sum(int(words) + 1 for words in word_counts)


def dropped(captions: Iterable[str]) -> Dropped:
    """Count what cleaning takes from captions; keep the 20 commonest words with marks inside."""
    chunks: Counter[str] = Counter()
    seen = 0
    for caption in captions:
        seen += 1
        chunks.update(caption.split())
    capitals, vanished = 0, 0
    characters: Counter[str] = Counter()
    joined: Counter[tuple[str, str]] = Counter()
    for chunk, count in chunks.items():  # far fewer than there are words
        piece = _piece(chunk)
        capitals += count * sum(letter != letter.lower() for letter in chunk)
        vanished += count * (piece.word is None)
        lost = Counter(chunk.lower()) - Counter(piece.word or "")
        characters.update({mark: count * times for mark, times in lost.items()})
        inner = chunk.strip("".join(lost)) if lost else ""
        if piece.word is not None and inner.lower() not in ("", piece.word):
            joined[inner, piece.word] += count
    return Dropped(
        seen, capitals, tuple(characters.most_common()), vanished, tuple(joined.most_common(20))
    )


def _piece(chunk: str) -> Piece:
    words = tokenize(chunk)
    return Piece(chunk, " ".join(words) or None)


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
