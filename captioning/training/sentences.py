"""Sentences without photos, which teach a decoder words and grammar that the captions lack.

In each step the decoder reads some of them with a blank photo, whose features are the mean over
the training photos.  The probabilities that it learns there are its language model: the
probability of a sentence regardless of the photo.
"""

import errno
import io
import lzma
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from captioning.errors import DatasetError
from captioning.storage import read_regular_file
from captioning.training.batches import Batch, BatchShape, make_batch
from captioning.vocabulary import PAD, UNK, Vocabulary

_MOST_BYTES = 500_000_000
LENGTHS = 4
"""A step reads sentences of similar lengths, to limit padding."""


def read_sentences(path: str | Path) -> list[str]:
    """Read a text file with one sentence per line; an .xz file is decompressed.

    Raises:
        DatasetError: the file cannot be read or holds no sentence.
    """
    path = Path(os.path.expanduser(path))
    try:
        data = read_regular_file(path, _MOST_BYTES)
        text = (_decompressed(data) if path.suffix == ".xz" else data).decode("utf-8")
    except (OSError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise DatasetError(f"The sentences in {path} cannot be read ({error}).") from error
    sentences = [line.strip() for line in text.splitlines() if line.strip()]
    if not sentences:
        raise DatasetError(f"{path} contains no sentences; expected one per line.")
    return sentences


def _decompressed(data: bytes) -> bytes:
    """Decompress xz data, at most as many bytes as a file may have.

    Raises:
        OSError: there are more.
        lzma.LZMAError: they are damaged.
    """
    with lzma.open(io.BytesIO(data)) as file:
        text = file.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {_MOST_BYTES // 10**6} MB")
    return text


class Sentences:
    """Selects the sentences of each training step.

    Sentences with unknown words are skipped.

    Args:
        sentences: raw sentences.
        vocabulary: of the decoder.
        max_length: maximum length of a row, including EOS.
        per_step: sentences per step.
        weight: total weight of the sentences relative to the captions of the step.
        seed: of the selection.
    """

    def __init__(
        self,
        sentences: Sequence[str],
        vocabulary: Vocabulary,
        *,
        max_length: int,
        per_step: int,
        weight: float,
        seed: int,
    ) -> None:
        rows = vocabulary.rows(sentences, max_length=max_length)
        rows = rows[~(rows == UNK).any(axis=1)]
        if not len(rows):
            raise DatasetError("No sentence consists only of words in the vocabulary.")
        lengths = (rows != 0).sum(axis=1)
        self._groups = np.array_split(rows[np.argsort(lengths, kind="stable")], LENGTHS)
        self._groups = [group for group in self._groups if len(group)]
        longest = [int((group[:, 1:] != PAD).sum(axis=1).max()) for group in self._groups]
        self._shapes = [BatchShape(steps, per_step * steps) for steps in longest]
        self._per_step, self._weight, self._seed = per_step, weight, seed

    def add_to(self, batch: Batch, indices: np.ndarray) -> Batch:
        """Add sentences to the batch of a step.

        Args:
            batch: with the captions.
            indices: of the photos, int64 `(B,)`; they also seed the selection.
        """
        random = np.random.default_rng((self._seed, int(indices[0]), int(indices.sum())))
        number = random.integers(len(self._groups))
        group = self._groups[number]
        rows = group[random.integers(len(group), size=self._per_step)]
        drawn = make_batch(np.empty(0), rows[None], shape=self._shapes[number])
        return replace(
            batch,
            sentences=drawn.tokens,
            places=np.concatenate([batch.places, drawn.places + batch.tokens.size]),
            targets=np.concatenate([batch.targets, drawn.targets]),
            weights=np.concatenate([batch.weights, self._weight * drawn.weights]),
            words=batch.words + drawn.words,
        )
