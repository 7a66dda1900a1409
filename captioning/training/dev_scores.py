"""Scores on the dev split after each epoch: the loss, captions, and words under teacher forcing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captioning.config import TrainingConfig
from captioning.decoding import CaptionSearch
from captioning.metrics import CaptionScores, score_captions
from captioning.training.batches import (
    Batch,
    CaptionRows,
    SplitData,
    make_batch,
    padded_indices,
    shape_for,
)
from captioning.training.model import TeacherForcing
from captioning.vocabulary import PAD, Vocabulary

BATCH = 50


@dataclass(frozen=True)
class DevResult:
    """What a model achieves on dev.

    Attributes:
        loss: cross-entropy in nats per word, under teacher forcing.
        hypotheses: the captions of the scored photos; empty if only the scores are known.
        scores: of these captions.
        by_source: the same for each of several data sets.
    """

    loss: float
    hypotheses: Sequence[str]
    scores: CaptionScores
    by_source: Mapping[str, CaptionScores]

    @property
    def mean_cider(self) -> float:
        """CIDEr times 100; of several data sets the mean, so that no large one dominates."""
        scores = list(self.by_source.values()) or [self.scores]
        return float(np.mean([s.cider for s in scores]))

    @property
    def rank(self) -> tuple[float, float]:
        """What the best model has most of: mean CIDEr and, where that is equal, a low loss.

        CIDEr of one photo is always 0, so there the loss decides.
        """
        return self.mean_cider, -self.loss

    def as_dict(self) -> dict[str, Any]:
        """Return the scores by name, and with several data sets also `by_data`."""
        parts = {name: scores.as_dict() for name, scores in self.by_source.items()}
        return {**self.scores.as_dict(), **({"by_data": parts} if parts else {})}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "DevResult":
        """Return the result in the record of an epoch, which holds no captions."""
        by_source = {
            name: CaptionScores.from_dict(row) for name, row in record.get("by_data", {}).items()
        }
        return cls(record["dev_loss"], (), CaptionScores.from_dict(record), by_source)


class DevScores:
    """Scores a model on the dev split.

    Args:
        model: the trained model.
        search: writes captions with its decoder.
        vocabulary: of the decoder.
        data: the dev split.
        config: of the run.
        encode: computes features from what `data.photos` returns.
        check: called before each batch; may raise an exception to stop the scoring.
    """

    def __init__(
        self,
        model: TeacherForcing,
        *,
        search: CaptionSearch,
        vocabulary: Vocabulary,
        data: SplitData,
        config: TrainingConfig,
        encode: Callable[[np.ndarray], np.ndarray],
        check: Callable[[], None],
    ) -> None:
        self._model, self._search, self._vocabulary = model, search, vocabulary
        self._data, self._config, self._encode, self._check = data, config, encode, check
        length = config.decoder.max_length
        self._rows = CaptionRows(data.captions, vocabulary, max_length=length).rows
        self.count = min(config.score_images or len(self._rows), len(self._rows))

    def loss(self) -> float:
        """Return the cross-entropy in nats per word, under teacher forcing."""
        total = words = 0.0
        for batch in self._batches(self._rows):
            total += self._model.loss_of(batch) * batch.words
            words += batch.words
        return total / max(words, 1)

    def _batches(self, rows: np.ndarray) -> Iterator[Batch]:
        """Yield batches of one shape: the first photos, with these captions."""
        groups = _split(len(rows), self._config.images_per_batch)
        shape = shape_for(rows, groups)
        for indices in groups:
            self._check()
            photos = self._data.photos(padded_indices(indices, len(groups[0])))
            yield make_batch(photos, rows[indices], shape=shape)

    def captions(self) -> list[str]:
        """Write a caption for each of the first `count` photos."""
        hypotheses: list[str] = []
        for indices in _split(self.count, BATCH):
            self._check()
            photos = self._data.photos(padded_indices(indices, min(BATCH, self.count)))
            found = self._search.search(self._encode(photos), self._config.decoding)
            hypotheses += [self._vocabulary.decode(beam[0].ids) for beam in found]
        return hypotheses[: self.count]

    def result(self) -> DevResult:
        """Score the current weights."""
        loss, hypotheses = self.loss(), self.captions()
        return DevResult(loss, hypotheses, *self.score(hypotheses))

    def score(self, hypotheses: Sequence[str]) -> tuple[CaptionScores, dict[str, CaptionScores]]:
        """Score captions of the first photos, all together and per data set."""
        references = self._data.captions
        by_source: dict[str, CaptionScores] = {}
        start = 0
        for name, count in self._data.sources:
            part = slice(start, min(start + count, len(hypotheses)))
            if part.start < part.stop:
                by_source[name] = score_captions(hypotheses[part], references[part])
            start += count
        return score_captions(hypotheses, references[: len(hypotheses)]), by_source

    def forced_scores(self) -> CaptionScores:
        """Score the words that the model predicts under teacher forcing.

        The model reads each photo's first caption.  The difference from the scores of `captions`
        shows how much it loses by continuing from its own words.
        """
        hypotheses: list[str] = []
        for batch in self._batches(self._rows[: self.count, :1]):
            ids = np.full(batch.tokens.size, PAD, np.int64)
            ids[batch.places[: batch.words]] = self._model.likeliest(batch)[: batch.words]
            rows = ids.reshape(len(batch.tokens), -1)
            hypotheses += [self._vocabulary.decode(row) for row in rows]
        return score_captions(hypotheses[: self.count], self._data.captions[: self.count])


def _split(count: int, size: int) -> list[np.ndarray]:
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]
