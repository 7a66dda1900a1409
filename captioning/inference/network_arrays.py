"""The names and shapes of the networks' arrays, as in Keras, computed without Keras."""

from captioning.cells import CELLS
from captioning.config import DecoderConfig, EncoderConfig
from captioning.encoders import COMPACT_BLOCKS

Shapes = dict[str, tuple[int, ...]]


def decoder_shapes(
    config: DecoderConfig, *, vocabulary_size: int, feature_shape: tuple[int, ...]
) -> Shapes:
    """Return the shapes of a decoder's arrays."""
    units, channels, words = config.units, feature_shape[-1], config.embedding_size
    reads = words
    shapes: Shapes = {"scaling/mean": (channels,), "scaling/deviation": (channels,)}
    if config.kind == "merge":
        shapes |= _dense("photo", channels, units) | _dense("merge", units, units)
    elif config.kind == "inject":
        shapes |= _first_state(config, channels)
    else:
        reads += units
        shapes |= _dense("regions", channels, units) | _dense("mix", 2 * units, units)
        shapes |= _first_state(config, units) | _dense("value", units, units)
        shapes |= {"query/kernel": (units, units), "key/kernel": (units, units)}
    cell, spec = f"{config.cell}/{config.cell}_cell", CELLS[config.cell]
    gates = len(spec.gates) * units
    shapes |= {
        "embedding/embeddings": (vocabulary_size, words),
        f"{cell}/kernel": (reads, gates),
        f"{cell}/recurrent_kernel": (units, gates),
        f"{cell}/bias": (gates,) if spec.bias_rows == 1 else (spec.bias_rows, gates),
    }
    shapes |= _dense("vocabulary", units, vocabulary_size)
    return {f"decoder/{path}": shape for path, shape in shapes.items()}


def _first_state(config: DecoderConfig, reads: int) -> Shapes:
    shapes: Shapes = {}
    for name in config.state_names:
        shapes |= _dense(f"photo_{name}", reads, config.units)
    return shapes


def compact_shapes(config: EncoderConfig) -> Shapes:
    """Return the shapes of the compact encoder's arrays."""
    channels = config.width
    shapes: Shapes = {"stem_conv/kernel": (3, 3, 3, channels)} | _norm("stem", channels)
    for stage, blocks in enumerate(COMPACT_BLOCKS, start=1):
        shapes |= _separable(f"stage{stage}_down", channels, 2 * channels)
        channels *= 2
        for block in range(1, blocks + 1):
            shapes |= _separable(f"stage{stage}_block{block}", channels, channels)
    return shapes


def _dense(layer: str, reads: int, units: int) -> Shapes:
    return {f"{layer}/kernel": (reads, units), f"{layer}/bias": (units,)}


def _separable(name: str, channels: int, out: int) -> Shapes:
    return {
        f"{name}_depthwise/kernel": (3, 3, channels, 1),
        f"{name}_pointwise/kernel": (1, 1, channels, out),
        **_norm(name, out),
    }


def _norm(name: str, channels: int) -> Shapes:
    rows = ("gamma", "beta", "moving_mean", "moving_variance")
    return {f"{name}_norm/{row}": (channels,) for row in rows}
