"""Training objectives: cross-entropy on true captions, or rewards for sampled captions."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from captioning.inference.keras_decoder import KerasDecoder
from captioning.metrics import CiderD
from captioning.text import tokenize
from captioning.training.batches import Batch, BatchShape, CaptionRows, make_batch
from captioning.training.sentences import Sentences
from captioning.vocabulary import BOS, EOS, PAD, Vocabulary

USUAL_SHARE = 0.6
"""Sampled captions rarely fill more of the longest captions possible; if they do, M doubles."""


class CrossEntropy:
    """Cross-entropy on the true captions, with equal weight for every word.

    Args:
        rows: the captions.
        taught: adds the predictions of teachers to a batch, if there are any.
        sentences: also read with a blank photo, if there are any.
        shape: of all batches.

    Attributes:
        reward: mean reward of the last batch's captions; 0 without rewards.
    """

    def __init__(
        self,
        rows: CaptionRows,
        taught: Callable[[np.ndarray, Batch], Batch],
        sentences: Sentences | None,
        shape: BatchShape,
    ) -> None:
        self.rows = rows.rows
        self._shape = shape
        self._sentences = sentences
        self.reward = 0.0
        self._taught = taught

    def batch(self, indices: np.ndarray, photos: np.ndarray, features: np.ndarray) -> Batch:
        """Return the photos of a training step with all their captions.

        Args:
            indices: of the photos, int64 `(B,)`.
            photos: input of the model, features or pixels; those after the first B are padding.
            features: input of the decoder, padded like `photos`.
        """
        batch = self._taught(indices, make_batch(photos, self.rows[indices], shape=self._shape))
        return batch if self._sentences is None else self._sentences.add_to(batch, indices)


class SelfCritical:
    """Sample captions and reinforce those that score better than the photo's other samples.

    The reward is CIDEr-D against the photo's references, with document frequencies of the training
    captions; the baseline of a sample is the mean reward of the photo's other samples.

    Reference:
        Rennie et al., "Self-critical Sequence Training for Image Captioning", CVPR 2017,
        https://arxiv.org/abs/1612.00563; the leave-one-out baseline: Luo, "A Better Variant of
        Self-Critical Sequence Training", 2020, https://arxiv.org/abs/2003.09971

    Args:
        decoder: the decoder that is trained.
        captions: raw references of each training photo.
        vocabulary: of the decoder.
        samples: captions sampled per photo, at least 2.
        seed: of the sampling.

    Attributes:
        reward: mean reward of the last batch's captions.
    """

    def __init__(
        self,
        decoder: KerasDecoder,
        captions: Sequence[Sequence[str]],
        vocabulary: Vocabulary,
        *,
        samples: int,
        seed: int,
    ) -> None:
        self.decoder = decoder
        self.samples = samples
        self.reward = 0.0
        self._seed = seed
        # EOS is rewarded like a word; without it, captions learn to stop in mid-sentence.
        self._end = "<eos>"
        references = [[[*tokenize(c), self._end] for c in of_photo] for of_photo in captions]
        self._cider = CiderD(references)
        self._words = vocabulary.words

    def batch(self, indices: np.ndarray, photos: np.ndarray, features: np.ndarray) -> Batch:
        """Sample captions and weight them by their advantage; arguments as for `CrossEntropy`."""
        steps, samples = self.decoder.max_length, self.samples
        # Seeded by the photos: the samples do not depend on what ran before a restart.
        random = np.random.default_rng((self._seed, int(indices[0]), int(indices.sum())))
        draws = random.random((steps, len(indices), samples), np.float32)
        padding = len(features) - len(indices)
        tokens = self.decoder.sample(features, np.pad(draws, ((0, 0), (0, padding), (0, 0))))
        ids = np.moveaxis(tokens, 0, -1)[: len(indices)]
        rows = _rows(ids)
        rewards = self._rewards(ids.reshape(-1, steps), np.repeat(indices, samples))
        self.reward = float(rewards.mean())
        weights = advantages(rewards.reshape(len(indices), samples))
        words = math.ceil(USUAL_SHARE * len(features) * samples * steps)
        shape = BatchShape(steps, words)
        return make_batch(photos, rows, caption_weights=weights, shape=shape)

    def _rewards(self, ids: np.ndarray, photos: np.ndarray) -> np.ndarray:
        sentences = [
            [self._end if i == EOS else self._words[i] for i in row[: _length(row)]] for row in ids
        ]
        return np.asarray(self._cider.scores(sentences, photos.tolist()))


Objective = CrossEntropy | SelfCritical


def advantages(rewards: np.ndarray) -> np.ndarray:
    """Subtract from each sample's reward `(B, K)` the mean of the photo's other samples.

    >>> advantages(np.array([[1.0, 2.0, 3.0]])).tolist()
    [[-1.5, 0.0, 1.5]]
    """
    others = (rewards.sum(axis=1, keepdims=True) - rewards) / (rewards.shape[1] - 1)
    return np.asarray(rewards - others)


def _length(row: np.ndarray) -> int:
    """Count the ids of a sampled row up to and including EOS."""
    ends = np.flatnonzero(row == EOS)
    return int(ends[0]) + 1 if len(ends) else len(row)


def _rows(ids: np.ndarray) -> np.ndarray:
    """Turn sampled ids `(B, K, T)` into rows `BOS ... EOS PAD...`, `(B, K, T + 1)`."""
    rows = np.full((*ids.shape[:2], ids.shape[2] + 1), PAD, np.int32)
    rows[..., 0] = BOS
    before_end = np.cumsum(ids == EOS, axis=-1) - (ids == EOS) == 0
    rows[..., 1:] = np.where(before_end, ids, PAD)
    return rows
