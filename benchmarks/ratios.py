"""The four ratios of `benchmarks/run.py`: captioning, decoding, training and feature extraction."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.material import (
    CAPTIONS_PER_PHOTO,
    PHOTO_SIZES,
    jpeg,
    made_up_captions,
    made_up_vocabulary,
    photo_folder,
)
from benchmarks.measuring import Comparison, Result, Work, measure
from benchmarks.networks import (
    Sizes,
    bare_forward,
    endless_captioner,
    name_of,
    random_encoder,
    random_graph,
)
from benchmarks.tutorial import beam_search, merge_model, prefix_batches
from captioning.caption import Caption
from captioning.captioner import Captioner
from captioning.config import DecoderConfig, TrainingConfig
from captioning.datasets import CaptionDataset
from captioning.decoders import build_decoder
from captioning.encoders import Encoder, PhotoEncoder
from captioning.features import BATCH, extract_features
from captioning.images import read_image
from captioning.prefetch import ahead
from captioning.training.batches import Batch, CaptionRows, make_batch
from captioning.training.model import TeacherForcing, compile_for_training

CAPTION = Comparison(
    key="caption_over_encoder",
    title="A photo's caption, beam 3, over its Keras encoder alone",
    over="caption",
    under="encoder",
    unit="photo",
    at_most=0.95,
    notes=(
        "Random weights never end a sentence here, so the ratio is that of the longest "
        "possible caption. A phone's photo takes longer because it is decoded and reduced."
    ),
)


def compare_caption(sizes: Sizes) -> Result:
    """Time both, from a JPEG in memory to its sentence."""
    encoder = random_encoder(sizes)
    photo = jpeg(PHOTO_SIZES[0])
    phone = jpeg(sizes.phone_photo)
    graph = random_graph(sizes)
    with TemporaryDirectory() as folder:
        longest = _captioner(Path(folder), graph, sizes, sizes.max_length)
        usual = _captioner(Path(folder), graph, sizes, sizes.usual_length)
    weight = f"{len(photo) / 1e3:.0f} kB"
    wide, high = sizes.phone_photo
    works = {
        "phone_caption": Work(
            f"a JPEG of {wide} x {high} pixels to a caption of {sizes.usual_length} words",
            lambda: caption_of(usual, phone),
        ),
        "usual_caption": Work(
            f"a JPEG of {weight} to a caption of {sizes.usual_length} words",
            lambda: caption_of(usual, photo),
        ),
        "caption": Work(
            f"a JPEG of {weight} to a caption of {sizes.max_length} words, the maximum",
            lambda: caption_of(longest, photo),
        ),
        "encoder": Work(
            f"{name_of(encoder)} alone, compiled, one photo",
            bare_forward(encoder, 1),
        ),
    }
    return measure(CAPTION, works, rounds=sizes.caption_rounds)


def caption_of(captioner: Captioner, photo: bytes) -> Caption:
    """Caption an upload as the app does."""
    return captioner.caption(read_image(photo))


def _captioner(folder: Path, encoder: PhotoEncoder, sizes: Sizes, length: int) -> Captioner:
    config = DecoderConfig(
        kind="attention",
        units=sizes.units,
        embedding_size=sizes.embedding,
        max_length=length,
    )
    captioner = endless_captioner(
        folder / f"attention-{length}", config, encoder.feature_shape, sizes.vocabulary
    )
    # Random weights instead of ImageNet's, which may be missing.
    return Captioner(captioner.bundle, captioner.decoder, encoder)


BEAMS = 3
LOOP = Comparison(
    key="tutorial_loop_over_ours",
    title="A caption by the tutorials' loop over ours, beam 3",
    over="tutorial",
    under="ours",
    unit="caption",
    at_least=15,
    notes="The merge model on both sides, from the same pooled feature; without the encoder.",
)


def compare_decoding(sizes: Sizes) -> Result:
    """Time both loops on one photo's feature, each for the same number of words."""
    words = sizes.usual_length
    feature = np.random.default_rng(0).random((1, sizes.pooled), np.float32)
    config = DecoderConfig(
        kind="merge",
        units=sizes.merge_units,
        embedding_size=sizes.embedding,
        max_length=words,
    )
    with TemporaryDirectory() as folder:
        place = Path(folder) / "merge"
        captioner = endless_captioner(place, config, (sizes.pooled,), sizes.vocabulary)
    model = merge_model(
        pooled=sizes.pooled,
        vocabulary=sizes.vocabulary,
        length=sizes.padded_length,
        units=sizes.merge_units,
    )

    def theirs() -> None:
        beam_search(model, feature[0], words=words, beams=BEAMS, length=sizes.padded_length)

    def ours() -> None:
        for _ in range(sizes.loop_repeats):
            captioner.describe(feature)

    works = {
        "tutorial": Work(f"model.predict for each of {words} words and {BEAMS} beams", theirs),
        "ours": Work(f"Captioner.describe, {words} words", ours, sizes.loop_repeats),
    }
    return measure(LOOP, works, rounds=sizes.loop_rounds)


EPOCH = Comparison(
    key="tutorial_epoch_over_ours",
    title="An epoch of the tutorials' prefix rows over ours, merge model",
    over="tutorial",
    under="ours",
    unit="caption",
    at_least=8,
    notes=(
        "Both learn the same captions from the same pooled features, and no caption is truncated. "
        "A round has some hundred captions, after a warm-up; an epoch of Flickr8k has 30,000."
    ),
)


def compare_epoch(sizes: Sizes) -> Result:
    """Time the training steps of both, per caption."""
    vocabulary = made_up_vocabulary(sizes.vocabulary)
    length = sizes.padded_length
    captions = made_up_captions(vocabulary, sizes.epoch_photos, most_words=length - 1)
    rows = CaptionRows(captions, vocabulary, max_length=length).rows
    features = np.random.default_rng(0).random((len(rows), sizes.pooled), np.float32)
    ours, theirs = sizes.epoch_photos, sizes.tutorial_photos
    works = {
        "tutorial_large_steps": Work(
            f"the tutorials' rows, {sizes.large_step} photos per step",
            _tutorial(features, rows, sizes, photos_a_step=sizes.large_step),
            theirs * CAPTIONS_PER_PHOTO,
        ),
        "tutorial": Work(
            "one row per word with one-hot targets, model.fit, one photo per step",
            _tutorial(features, rows, sizes, photos_a_step=1),
            theirs * CAPTIONS_PER_PHOTO,
        ),
        "ours": Work(
            "whole captions by teacher forcing, default settings",
            _ours(features, rows, sizes),
            ours * CAPTIONS_PER_PHOTO,
        ),
    }
    return measure(EPOCH, works, rounds=sizes.epoch_rounds)


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


EXTRACTION = Comparison(
    key="extraction_over_forward",
    title="Rate of feature extraction over that of the forward pass alone",
    over="forward",  # a rate is the inverse of a time
    under="extraction",
    unit="photo",
    at_least=0.85,
    notes=f"Both in batches of {BATCH}. 1 would mean that reading and storing cost nothing.",
)


def compare_extraction(sizes: Sizes) -> Result:
    """Time both over the same number of photos."""
    encoder = random_encoder(sizes)
    photos = sizes.extraction_batches * BATCH
    with TemporaryDirectory() as folder:
        dataset = photo_folder(Path(folder) / "photos", photos)
        works = {
            "extraction": Work(
                f"extract_features: {photos} JPEGs on disk, read, encoded and stored",
                _extraction(encoder, dataset, Path(folder)),
                photos,
            ),
            "forward": Work(
                f"{name_of(encoder)} alone, compiled, on arrays in memory",
                _forward(encoder, sizes.extraction_batches),
                photos,
            ),
        }
        return measure(EXTRACTION, works, rounds=sizes.extraction_rounds)


def _extraction(encoder: Encoder, dataset: CaptionDataset, folder: Path) -> Callable[[], object]:
    """Return a function that starts a new store at each call."""
    stores = (folder / f"store-{number}" for number in count())
    return lambda: extract_features(encoder, dataset, next(stores))


def _forward(encoder: Encoder, batches: int) -> Callable[[], object]:
    forward = bare_forward(encoder, BATCH)

    def run() -> None:
        for _ in range(batches):
            forward()

    return run


COMPARISONS: dict[str, Callable[[Sizes], Result]] = {
    CAPTION.key: compare_caption,
    LOOP.key: compare_decoding,
    EPOCH.key: compare_epoch,
    EXTRACTION.key: compare_extraction,
}
"""The functions that measure the ratios, by key."""
