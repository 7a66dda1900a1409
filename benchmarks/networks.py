"""The networks that are measured: random weights of true size."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.material import made_up_vocabulary
from benchmarks.sizes import Sizes
from captioning.arrays import weights_of
from captioning.bundle import write_bundle
from captioning.captioner import Captioner
from captioning.config import DecoderConfig, DecodingConfig, EncoderConfig
from captioning.decoders import build_decoder
from captioning.encoders import Encoder, load_encoder
from captioning.vocabulary import EOS

__all__ = ["bare_forward", "endless_captioner", "name_of", "random_encoder"]

NEVER = -1e4
"""A logit so low that the word is not said; float16 still holds it."""


def random_encoder(sizes: Sizes) -> Encoder:
    """Build the encoder; the values of its weights do not change its speed."""
    return load_encoder(sizes.encoder, random_weights=True)


def name_of(encoder: Encoder) -> str:
    """Say which encoder it is, for a label."""
    config = encoder.config
    return f"{config.name} ({config.layer}, {config.input_size} pixels)"


def bare_forward(encoder: Encoder, batch: int) -> Callable[[], object]:
    """Return the compiled forward pass over a batch that already lies in memory as float32."""
    forward = tf.function(lambda pixels: encoder.network(pixels, training=False), autograph=False)
    size = int(encoder.config.input_size or 0)
    pixels = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3))
    prepared = tf.constant(pixels, tf.float32)
    return lambda: forward(prepared).numpy()


def endless_captioner(
    folder: Path, config: DecoderConfig, feature_shape: tuple[int, ...], vocabulary_size: int
) -> Captioner:
    """Make a captioner with random weights whose captions all take `config.max_length` words."""
    decoder = build_decoder(config, vocabulary_size=vocabulary_size, feature_shape=feature_shape)
    arrays = weights_of(decoder)
    arrays[decoder.vocabulary.bias.path][EOS] = NEVER
    bundle = write_bundle(
        folder,
        encoder=EncoderConfig(),
        decoder=config,
        feature_shape=feature_shape,
        decoding=DecodingConfig(beam_width=3),
        vocabulary=made_up_vocabulary(vocabulary_size),
        decoder_arrays=arrays,
    )
    return Captioner.load(bundle.folder, with_encoder=False)
