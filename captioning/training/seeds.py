"""Small training runs that differ only in their random seed: initial weights and photo order.

For a classroom: two hundred photos, a small decoder, seconds per run.  All runs share one compiled
model with reinitialised weights, because compiling takes longer than the training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from captioning.config import DecoderConfig, DecodingConfig, TrainingConfig
from captioning.decoders import build_decoder
from captioning.decoding import CaptionSearch
from captioning.errors import TrainingError
from captioning.fair_lock import FairLock
from captioning.inference.keras_decoder import KerasDecoder
from captioning.metrics import score_captions
from captioning.training.batches import Batch, CaptionRows, make_batch
from captioning.training.model import TeacherForcing, compile_for_training
from captioning.vocabulary import Vocabulary

GREEDY = DecodingConfig(beam_width=1, length_penalty=0.0)
PHOTOS_A_STEP = 16
WARMUP_STEPS = 10
MOST_STEPS = 100_000


@dataclass(frozen=True)
class SeedRun:
    """One small training run.

    Attributes:
        seed: the random seed.
        losses: after each epoch, on the training photos, in nats per word without dropout.
        held_out_losses: the same on held-out photos.
        bleu_4: of the captions of the held-out photos after the last epoch, x100.
        cider: of the same captions, x100.
        captions: of the held-out photos.
    """

    seed: int
    losses: tuple[float, ...]
    held_out_losses: tuple[float, ...]
    bleu_4: float
    cider: float
    captions: tuple[str, ...]


class SeedStudy:
    """A small decoder that is trained repeatedly on the same photos.

    Args:
        features: of all photos, float `(N, R, D)` or `(N, D)`.
        captions: raw captions of each photo.
        held_out: number of photos, from the end, that are held out.
        config: kind and sizes of the decoder.
        learning_rate: of AdamW, constant from the tenth step.

    Raises:
        TrainingError: there is no training photo or no held-out photo.
    """

    def __init__(
        self,
        features: np.ndarray,
        captions: Sequence[Sequence[str]],
        *,
        held_out: int,
        config: DecoderConfig,
        learning_rate: float = 5e-3,
    ) -> None:
        if not 0 < held_out < len(captions):
            raise TrainingError(
                f"{held_out} of {len(captions)} photos are held out; at least one is needed for "
                "training and one for scoring."
            )
        self._features = np.asarray(features, np.float32)
        self._captions = captions
        self._split = len(captions) - held_out
        known = (text for texts in captions[: self._split] for text in texts)
        self.vocabulary = Vocabulary.build(known, min_count=1)
        self._rows = CaptionRows(captions, self.vocabulary, max_length=config.max_length).rows
        self._decoder = build_decoder(
            config, vocabulary_size=len(self.vocabulary), feature_shape=self._features.shape[1:]
        )
        axes = tuple(range(self._features.ndim - 1))
        learned = self._features[: self._split]
        self._decoder.scaling.adapt(learned.mean(axis=axes), learned.std(axis=axes))
        self._model = TeacherForcing(self._decoder, None, label_smoothing=0.0)
        # Compiled once: every run resets the optimizer instead.
        settings = TrainingConfig(
            learning_rate=learning_rate, schedule="constant", warmup_steps=WARMUP_STEPS
        )
        compile_for_training(self._model, settings, steps=MOST_STEPS)
        self._search = CaptionSearch(KerasDecoder(self._decoder))
        self._turns = FairLock()

    def run(
        self,
        seed: int,
        *,
        photos: int,
        epochs: int,
        same_weights: bool = False,
        same_order: bool = False,
        on_epoch: Callable[[int], None] = lambda epoch: None,
    ) -> SeedRun:
        """Train once from initial weights.

        Args:
            seed: the random seed; the same seed gives the same run.
            photos: number of training photos to use.
            epochs: passes over them.
            same_weights: start every run with the same weights, whatever the seed.
            same_order: show the photos in the same order in every run.
            on_epoch: called with the number of finished epochs.

        Raises:
            TrainingError: the loss is not finite, or there are fewer photos.
        """
        if not 0 < photos <= self._split:
            raise TrainingError(f"There are {self._split} training photos, not {photos}.")
        with self._turns.take():
            self._begin(0 if same_weights else seed)
            order = np.random.default_rng((1, 0 if same_order else seed))
            losses, held_out = [], []
            for epoch in range(epochs):
                self._epoch(order.permutation(photos))
                losses.append(self._loss(np.arange(photos)))
                held_out.append(self._loss(np.arange(self._split, len(self._captions))))
                on_epoch(epoch + 1)
            return self._scored(seed, losses, held_out)

    def _begin(self, seed: int) -> None:
        """Reinitialise the weights and reset the optimizer."""
        random = np.random.default_rng((0, seed))
        for variable in self._decoder.trainable_variables:
            variable.assign(_fresh(variable, random))
        for variable in self._model.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))

    def _epoch(self, order: np.ndarray) -> None:
        for start in range(0, len(order), PHOTOS_A_STEP):
            loss = self._model.learn(self._batch(order[start : start + PHOTOS_A_STEP]))
            if not np.isfinite(loss):
                raise TrainingError(f"The loss became {loss}. Choose a lower learning rate.")

    def _loss(self, places: np.ndarray) -> float:
        """Return the mean over words of -ln p, in nats, without dropout."""
        total = words = 0.0
        for start in range(0, len(places), 2 * PHOTOS_A_STEP):
            batch = self._batch(places[start : start + 2 * PHOTOS_A_STEP])
            total += self._model.loss_of(batch) * batch.words
            words += batch.words
        return total / words

    def _batch(self, places: np.ndarray) -> Batch:
        return make_batch(self._features[places], self._rows[places])

    def _scored(self, seed: int, losses: list[float], held_out: list[float]) -> SeedRun:
        found = self._search.search(self._features[self._split :], GREEDY)
        captions = [self.vocabulary.decode(hypotheses[0].ids) for hypotheses in found]
        scores = score_captions(captions, self._captions[self._split :])
        return SeedRun(
            seed, tuple(losses), tuple(held_out), scores.bleu_4, scores.cider, tuple(captions)
        )


def _fresh(variable: keras.Variable, random: np.random.Generator) -> np.ndarray:
    """Return initial weights: biases as in Keras, random matrices.

    It uses a separate random generator, because Keras' seed is global and other runs may train in
    the same process.
    """
    shape = tuple(variable.shape)
    if len(shape) < 2 or variable.path.endswith("/bias"):  # also a bias of two rows
        begin = np.zeros(shape, np.float32)
        if "lstm" in variable.path:  # the forget gate starts open (Jozefowicz et al. 2015)
            begin[shape[0] // 4 : shape[0] // 2] = 1.0
        return begin
    if "recurrent" in variable.path:
        square = random.normal(size=(shape[1], shape[0]))
        return np.asarray(np.linalg.qr(square)[0].T, np.float32)
    # Glorot and Bengio 2010; embeddings start within 0.05 of zero.
    reach = 0.05 if "embedding" in variable.path else (6.0 / sum(shape)) ** 0.5
    return random.uniform(-reach, reach, shape).astype(np.float32)


def quarters(features: np.ndarray) -> np.ndarray:
    """Average a feature map over its four quarters and concatenate them, to speed up training.

    Args:
        features: `(N, R, D)` with R regions in a square with an even side; any other map is
            averaged, and `(N, D)` is returned unchanged.

    Returns:
        float32 `(N, 4 * D)`, or `(N, D)` without quarters.
    """
    if features.ndim == 2:
        return np.asarray(features, np.float32)
    count, regions, channels = features.shape
    side = round(regions**0.5)
    if side * side != regions or side % 2:
        return np.asarray(features.mean(axis=1), np.float32)
    cut = features.reshape(count, 2, side // 2, 2, side // 2, channels).mean(axis=(2, 4))
    return np.asarray(cut.reshape(count, -1), np.float32)
