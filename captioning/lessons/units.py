"""Units of an LSTM that follow something: the place in the sentence, colours, plurals, any word.

A unit is chosen by one half of the sentences and judged by the other: among hundreds of units some
would follow anything by chance, and the second half does not know which was chosen.

Shapes: S sentences, T words of the longest, U units, W words of all sentences.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from captioning.errors import QueryError
from captioning.lessons.numpy_decoder import Memory, PlainDecoder
from captioning.vocabulary import BOS, PAD

__all__ = [
    "COLOURS",
    "PROPERTIES",
    "Follower",
    "ReadWords",
    "correlations",
    "find_followers",
    "mark_words",
    "padded",
    "read_words",
]

COLOURS = frozenset(
    "black white red green blue yellow orange purple pink brown gray grey tan silver golden "
    "blond blonde colorful".split()
)

PROPERTIES = {
    "place": "how many words were read before it",
    "left": "how many words are still to come",
    "colour": "it names a colour",
    "plural": "it ends in s and is also known without it",
    "article": "it is a, an or the",
}
"""What a word can be marked by; besides, "word" marks one word of the student's choice."""

_FEWEST = 10
"""Words in each half that differ from the usual, below which a correlation says nothing."""


@dataclass(frozen=True)
class ReadWords:
    """Sentences, read, with the LSTM's hidden state after each word.

    Attributes:
        words: the words of each sentence.
        activations: float64 `(W, U)`, sentence after sentence.
    """

    words: tuple[tuple[str, ...], ...]
    activations: np.ndarray

    @property
    def sentence_of(self) -> np.ndarray:
        """Which sentence each word belongs to, int `(W,)`."""
        return np.repeat(np.arange(len(self.words)), [len(words) for words in self.words])


@dataclass(frozen=True)
class Follower:
    """A unit that follows a property.

    Attributes:
        unit: which one, from 0.
        found: its correlation with the property over the sentences it was chosen by, -1 to 1.
        held_out: the same over the other half of the sentences.
    """

    unit: int
    found: float
    held_out: float


def read_words(
    decoder: PlainDecoder, memory: Memory, sentences: Sequence[Sequence[str]], ids: np.ndarray
) -> ReadWords:
    """Let the LSTM read sentences, all at once.

    Args:
        decoder: reads them.
        memory: of a photo for each sentence, or of one for all.
        sentences: the words of each.
        ids: int `(S, T)`, the same as ids, without BOS and EOS, padded on the right.
    """
    state = decoder.begin(memory, len(ids))
    _, cell = decoder.read(np.full(len(ids), BOS), state, memory)
    states = []
    for tokens in ids.T:
        _, cell = decoder.read(tokens, (cell.hidden, cell.cell), memory)
        states.append(cell.hidden)
    lengths = np.array([len(words) for words in sentences])
    real = np.arange(ids.shape[1]) < lengths[:, None]
    return ReadWords(tuple(map(tuple, sentences)), np.stack(states, axis=1)[real])


def mark_words(
    sentences: Sequence[Sequence[str]],
    name: str,
    *,
    known: Collection[str] = (),
    word: str = "",
) -> np.ndarray:
    """Say of each word how much of a property it has.

    Args:
        sentences: the words of each.
        name: one of `PROPERTIES`, or "word".
        known: words of the vocabulary, by which a plural is told.
        word: the word that "word" marks.

    Returns:
        float64 `(W,)`.

    Raises:
        QueryError: there is no property of that name.
    """
    places = [(place, text, len(words)) for words in sentences for place, text in enumerate(words)]
    match name:
        case "place":
            marks = [float(place) for place, _, _ in places]
        case "left":
            marks = [float(length - 1 - place) for place, _, length in places]
        case "colour":
            marks = [float(text in COLOURS) for _, text, _ in places]
        case "plural":
            marks = [float(text.endswith("s") and text[:-1] in known) for _, text, _ in places]
        case "article":
            marks = [float(text in ("a", "an", "the")) for _, text, _ in places]
        case "word":
            marks = [float(text == word) for _, text, _ in places]
        case _:
            raise QueryError(f"There is no property {name!r}; there are {', '.join(PROPERTIES)}.")
    return np.array(marks)


def correlations(activations: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Return Pearson's r of each unit with a property.

    Args:
        activations: `(W, U)`.
        marks: `(W,)`.

    Returns:
        float64 `(U,)`, 0 for a unit or a property that never changes.
    """
    units = activations - activations.mean(axis=0)
    marked = marks - marks.mean()
    scale = np.sqrt((units**2).sum(axis=0) * (marked**2).sum())
    flat = scale < 1e-12
    r: np.ndarray = np.where(flat, 0.0, marked @ units / np.where(flat, 1.0, scale))
    return r


def find_followers(read: ReadWords, marks: np.ndarray, *, top: int = 3) -> list[Follower]:
    """Find the units that follow a property most closely.

    Args:
        read: sentences read.
        marks: `(W,)`, as `mark_words` returns them.
        top: how many units.

    Returns:
        The closest first, chosen by every second sentence and judged by the others.

    Raises:
        QueryError: too few words have the property, or lack it.
    """
    chosen_by = read.sentence_of % 2 == 0
    for half in (chosen_by, ~chosen_by):
        counts = np.unique(marks[half], return_counts=True)[1]
        if counts.sum() - counts.max(initial=0) < _FEWEST:
            raise QueryError(
                "Too few of the words read have this property, so no unit can be said to follow "
                "it. Choose another one."
            )
    found = correlations(read.activations[chosen_by], marks[chosen_by])
    held_out = correlations(read.activations[~chosen_by], marks[~chosen_by])
    order = np.argsort(-np.abs(found), kind="stable")[:top]
    return [Follower(int(u), float(found[u]), float(held_out[u])) for u in order]


def padded(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Write rows of ids of different lengths side by side, int `(S, T)`, PAD on the right."""
    longest = max((len(row) for row in rows), default=0)
    ids = np.full((len(rows), longest), PAD)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
    return ids
