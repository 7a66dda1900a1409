"""Start from a trained model: add words to its vocabulary, and average the weights afterwards."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from captioning.arrays import assign_weights, weights_of
from captioning.text import tokenize
from captioning.vocabulary import SPECIAL, Vocabulary

if TYPE_CHECKING:
    from captioning.training.dev_scores import DevResult
    from captioning.training.loop import Trainer

_WORD_AXES = {"embedding/embeddings": 0, "vocabulary/kernel": 1, "vocabulary/bias": 0}
"""The axis of the words in the weights that have one value or vector per word."""

_LIKE = 10
"""A new word begins as the mean of this many known words that are about as frequent."""

_NOISE = 0.05
"""New words differ at the start by this share of the standard deviation of known words."""

SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)
"""The shares that are tried; 1 is the model before training."""


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


@dataclass(frozen=True)
class Averaged:
    """The average of trained weights and those before training that is best on dev.

    Attributes:
        share: of the weights before training, 0 to 1.
        dev: what these achieve on dev.
        cider: on dev, of every share that was tried; the mean of several data sets.
    """

    share: float
    dev: "DevResult"
    cider: Mapping[float, float]


def average_with_start(
    trainer: "Trainer",
    start: Mapping[str, np.ndarray],
    *,
    known: "Mapping[float, DevResult]",
    shares: Sequence[float] = SHARES,
    on_result: "Callable[[float, DevResult], None]" = lambda share, dev: None,
) -> Averaged | None:
    """Score averages of a trained decoder with its start on dev; leave the best in the trainer.

    Reference: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.

    Args:
        trainer: after its run.
        start: the decoder's weights before training, by path.
        known: results that need not be computed again, by share.
        shares: of `start`, each from 0 to 1; of equally good ones, the first is chosen.
        on_result: called with each share and its result.

    Returns:
        The best; None if the run is asked to stop meanwhile.
    """
    trained = weights_of(trainer.decoder)
    found: dict[float, DevResult] = {}

    def assign(share: float) -> None:
        arrays = {
            path: (1.0 - share) * value + share * start[path].astype(np.float32)
            for path, value in trained.items()
        }
        assign_weights(trainer.decoder, arrays, source="the average")

    for share in shares:
        dev = known.get(share)
        if dev is None:
            assign(share)
            dev = trainer.dev_result()
        if dev is None:
            return None
        found[share] = dev
        on_result(share, dev)
    best = max(found, key=lambda share: found[share].rank)
    assign(best)
    return Averaged(best, found[best], {share: dev.mean_cider for share, dev in found.items()})
