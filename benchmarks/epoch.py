"""The time of an epoch: the tutorials' rows compared with whole captions."""

from collections.abc import Callable

import numpy as np

from benchmarks.material import CAPTIONS_PER_PHOTO, made_up_captions, made_up_vocabulary
from benchmarks.measuring import Comparison, Result, Work, measure
from benchmarks.sizes import Sizes
from benchmarks.tutorial import merge_model, prefix_batches
from captioning.config import DecoderConfig, TrainingConfig
from captioning.decoders import build_decoder
from captioning.prefetch import ahead
from captioning.training.batches import Batch, CaptionRows, make_batch
from captioning.training.model import TeacherForcing, compile_for_training

__all__ = ["COMPARISON", "compare"]

COMPARISON = Comparison(
    key="tutorial_epoch_over_ours",
    title="An epoch of the tutorials' prefix rows over ours, merge model",
    over="tutorial",
    under="ours",
    unit="caption",
    at_least=8,
    notes=(
        "Both learn the same captions from the same pooled features, and no caption is cut. Not "
        "whole epochs but some hundred captions a round are timed, after a warm-up; an epoch of "
        "Flickr8k is 30,000 captions."
    ),
)


def compare(sizes: Sizes) -> Result:
    """Time training steps of both, each told per caption."""
    vocabulary = made_up_vocabulary(sizes.vocabulary)
    length = sizes.padded_length
    captions = made_up_captions(vocabulary, sizes.epoch_photos, most_words=length - 1)
    rows = CaptionRows(captions, vocabulary, max_length=length).rows
    features = np.random.default_rng(0).random((len(rows), sizes.pooled), np.float32)
    ours, theirs = sizes.epoch_photos, sizes.tutorial_photos
    works = {
        "tutorial_large_steps": Work(
            f"the tutorials' rows, {sizes.large_step} photos a step",
            _tutorial(features, rows, sizes, photos_a_step=sizes.large_step),
            theirs * CAPTIONS_PER_PHOTO,
        ),
        "tutorial": Work(
            "one row a word with one-hot targets, model.fit, a photo a step",
            _tutorial(features, rows, sizes, photos_a_step=1),
            theirs * CAPTIONS_PER_PHOTO,
        ),
        "ours": Work(
            "whole captions by teacher forcing, the settings training has by default",
            _ours(features, rows, sizes),
            ours * CAPTIONS_PER_PHOTO,
        ),
    }
    return measure(COMPARISON, works, rounds=sizes.epoch_rounds)


def _tutorial(
    features: np.ndarray, rows: np.ndarray, sizes: Sizes, *, photos_a_step: int
) -> Callable[[], object]:
    model = merge_model(
        pooled=sizes.pooled,
        vocabulary=sizes.vocabulary,
        length=sizes.padded_length,
        units=sizes.merge_units,
    )
    batches = prefix_batches(
        features,
        rows,
        vocabulary=sizes.vocabulary,
        length=sizes.padded_length,
        photos=photos_a_step,
    )
    steps = sizes.tutorial_photos // photos_a_step
    return lambda: model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)


def _ours(features: np.ndarray, rows: np.ndarray, sizes: Sizes) -> Callable[[], object]:
    config = TrainingConfig(
        decoder=DecoderConfig(
            kind="merge",
            units=sizes.merge_units,
            embedding_size=sizes.embedding,
            max_length=sizes.padded_length,
        )
    )
    decoder = build_decoder(
        config.decoder, vocabulary_size=sizes.vocabulary, feature_shape=(sizes.pooled,)
    )
    model = TeacherForcing(decoder, None, label_smoothing=config.label_smoothing)
    compile_for_training(model, config, steps=10_000)
    size = config.images_per_batch
    groups = [np.arange(start, min(start + size, len(rows))) for start in range(0, len(rows), size)]

    def batch(photos: np.ndarray) -> Batch:
        return make_batch(features[photos], rows[photos])

    def train() -> None:
        for prepared in ahead(batch, groups):
            model.learn(prepared)

    return train
