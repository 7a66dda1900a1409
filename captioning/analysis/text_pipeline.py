"""How a caption becomes training rows: raw text, clean words, ids, teacher forcing."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from captioning.text import tokenize
from captioning.vocabulary import BOS, EOS, UNK, Vocabulary


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
