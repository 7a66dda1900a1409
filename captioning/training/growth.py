"""Add words to the vocabulary of a model that is fine-tuned."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from captioning.text import tokenize
from captioning.vocabulary import SPECIAL, Vocabulary

_WORD_AXES = {"embedding/embeddings": 0, "vocabulary/kernel": 1, "vocabulary/bias": 0}
"""The axis of the words in the weights that have one value or vector per word."""

_LIKE = 10
"""A new word begins as the mean of this many known words that are about as frequent."""

_NOISE = 0.05
"""New words differ at the start by this share of the standard deviation of known words."""


@dataclass(frozen=True)
class Growth:
    """A vocabulary with further words at its end.

    Attributes:
        vocabulary: all words; the ids of the known ones do not change.
        like: for each new word, the ids of the known words that it begins as the mean of,
            `(new words, _LIKE)`.
    """

    vocabulary: Vocabulary
    like: np.ndarray

    def weights(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return a decoder's weights, by path, with rows for the new words.

        The logit of a new word is about the mean of the logits of known words, so before training
        it is never the likeliest word, and the model's captions stay the same.
        """
        if not len(self.like):
            return dict(arrays)
        random = np.random.default_rng(0)
        axes = {path: _WORD_AXES.get("/".join(path.split("/")[-2:])) for path in arrays}
        return {
            path: value if (axis := axes[path]) is None else self._extended(value, axis, random)
            for path, value in arrays.items()
        }

    def _extended(self, value: np.ndarray, axis: int, random: np.random.Generator) -> np.ndarray:
        rows = np.moveaxis(np.asarray(value, np.float32), axis, 0)
        new = rows[self.like].mean(axis=1)
        new += _NOISE * rows.std(axis=0) * random.standard_normal(new.shape, np.float32)
        return np.moveaxis(np.concatenate([rows, new]), 0, axis)


def grow(
    vocabulary: Vocabulary,
    captions: Sequence[str],
    *,
    min_count: int,
    sentences: Sequence[str] = (),
    sentence_min_count: int = 20,
) -> Growth:
    """Add the words that a vocabulary of these texts has (`Vocabulary.build`) and this one lacks.

    Args:
        vocabulary: of the model.
        captions: raw training captions.
        min_count: minimum occurrences of a new word in captions.
        sentences: raw sentences without photos, counted separately.
        sentence_min_count: a new word with this many occurrences in `sentences` is added as well.
    """
    built = Vocabulary.build(
        captions,
        min_count=min_count,
        sentences=sentences,
        sentence_min_count=sentence_min_count,
    )
    new = [word for word in built.words[len(SPECIAL) :] if word not in vocabulary]
    counts = Counter(word for text in (*captions, *sentences) for word in tokenize(text))
    known = np.array([counts[word] for word in vocabulary.words[len(SPECIAL) :]])
    like = [np.argsort(np.abs(known - counts[word]), kind="stable")[:_LIKE] for word in new]
    ids = np.array(like, np.int64) + len(SPECIAL)
    return Growth(Vocabulary([*vocabulary.words, *new]), ids)
