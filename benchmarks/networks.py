"""Random networks for the benchmarks, and the sizes of networks and measurements."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.material import made_up_vocabulary
from captioning.arrays import weights_of
from captioning.bundle import write_bundle
from captioning.captioner import Captioner
from captioning.config import DecoderConfig, DecodingConfig, EncoderConfig
from captioning.decoders import build_decoder
from captioning.encoders import Encoder, PhotoEncoder, load_encoder, resolve
from captioning.encoders.encoder import load_application
from captioning.inference.keras_graphs import application_graph
from captioning.inference.loading import HeldWeights, open_encoder
from captioning.inference.onnx_networks import THREADS, OnnxEncoder, open_session
from captioning.vocabulary import EOS


@dataclass(frozen=True)
class Sizes:
    """The sizes that `--quick` reduces.

    Attributes:
        encoder: reads the photos.
        vocabulary: words, the four special marks included; 3,490 is Flickr8k's, seen three times
            or more in training captions.
        units: of the attention decoder's LSTM.
        merge_units: of the merge model's LSTM and dense layers, as tutorials have it.
        embedding: size of a word embedding.
        pooled: numbers in a pooled feature; Xception gives 2,048.
        max_length: longest caption of the search, its end mark included.
        usual_length: steps of a usual caption, its end mark included.
        padded_length: what tutorials pad every row to: Flickr8k's longest cleaned caption.
        phone_photo: width and height of a phone's photo.
        caption_rounds: rounds of photo to caption.
        loop_rounds: rounds of the decoding loops.
        loop_repeats: captions that our loop writes in a round; one alone is too quick to time.
        epoch_rounds: rounds of training.
        epoch_photos: photos, with five captions each, in a round of our training.
        tutorial_photos: photos in a round of the tutorial's training.
        large_step: photos in a step of the tutorial's variant with larger steps.
        extraction_rounds: rounds of extraction.
        extraction_batches: batches of photos extracted in a round.
        cold_rounds: rounds of whole processes.
        folder_rounds: rounds of captioning a folder.
        folder_photos: photos in that folder.
    """

    encoder: EncoderConfig = EncoderConfig(name="xception", layer="block13", input_size=299)
    vocabulary: int = 3490
    units: int = 384
    merge_units: int = 256
    embedding: int = 256
    pooled: int = 2048
    max_length: int = 22
    usual_length: int = 12
    padded_length: int = 34
    phone_photo: tuple[int, int] = (4000, 3000)
    caption_rounds: int = 50
    loop_rounds: int = 5
    loop_repeats: int = 20
    epoch_rounds: int = 10
    epoch_photos: int = 240
    tutorial_photos: int = 24
    large_step: int = 8
    extraction_rounds: int = 8
    extraction_batches: int = 3
    cold_rounds: int = 5
    folder_rounds: int = 3
    folder_photos: int = 200


FULL = Sizes()

QUICK = Sizes(
    encoder=EncoderConfig(name="compact", layer="map", input_size=64, width=8),
    vocabulary=200,
    units=32,
    merge_units=32,
    embedding=32,
    pooled=64,
    max_length=8,
    usual_length=4,
    padded_length=16,
    phone_photo=(800, 600),
    caption_rounds=2,
    loop_rounds=1,
    loop_repeats=2,
    epoch_rounds=1,
    epoch_photos=24,
    tutorial_photos=4,
    large_step=2,
    extraction_rounds=1,
    extraction_batches=2,
    cold_rounds=1,
    folder_rounds=1,
    folder_photos=4,
)


NEVER = -1e4
"""A logit so low that the word never occurs; it is valid in float16."""


def random_encoder(sizes: Sizes) -> Encoder:
    """Build the encoder; the values of its weights do not change its speed."""
    return load_encoder(sizes.encoder, random_weights=True)


def random_graph(sizes: Sizes) -> PhotoEncoder:
    """Build the same encoder as a graph, as captioning runs it."""
    spec = resolve(sizes.encoder)[1]
    if spec.application is None:
        arrays = weights_of(random_encoder(sizes).network)
        return open_encoder(sizes.encoder, HeldWeights(arrays))
    network = load_application(sizes.encoder, random_weights=True)
    graph = application_graph(network, spec.module)
    return OnnxEncoder(sizes.encoder, open_session(graph, threads=THREADS))


def name_of(encoder: Encoder) -> str:
    """Return the encoder's name for a label."""
    config = encoder.config
    return f"{config.name} ({config.layer}, {config.input_size} pixels)"


def bare_forward(encoder: Encoder, batch: int) -> Callable[[], object]:
    """Return the compiled forward pass over a batch that is already in memory as float32."""
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
