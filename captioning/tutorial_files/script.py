"""The students' script, made from templates for one model, and the weights of its Keras model."""

import importlib.util
from collections.abc import Mapping
from dataclasses import astuple
from importlib import resources
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np

from captioning.bundle import Bundle
from captioning.cells import CELLS
from captioning.encoders.efficientnetlite2 import HEAD, STEM, blocks
from captioning.encoders.registry import COMPACT_BLOCKS, resolve
from captioning.errors import BundleError, ConfigError
from captioning.images import COPY_QUALITY

SCRIPT = "testing_caption_generator.py"


def write_script(bundle: Bundle, path: Path) -> None:
    """Write a script that captions a photo with this model, without this program.

    Raises:
        ConfigError: the script has no code for the model's encoder.
        OSError: it cannot be written.
    """
    encoder, spec = resolve(bundle.encoder)
    decoder, shape = bundle.decoder, bundle.feature_shape
    regions = len(shape) == 2
    if spec.tutorial_template is None:
        raise ConfigError(
            f"The tutorials' script cannot rebuild the encoder {encoder.name}. Choose a model with "
            "another encoder."
        )
    brings_weights = spec.application is None
    values = {
        "FILES": "tokenizer.p, model.weights.h5" + " and encoder.weights.h5" * brings_weights,
        "PHOTO_SIZE": encoder.input_size,
        "COPY": _copy(encoder.photo_size or 0),
        "FEATURES": tuple(shape),
        "FEATURES_TEXT": f"{shape[0]} regions of {shape[1]} numbers each"
        if regions
        else f"{shape[0]} numbers",
        "WORDS": len(bundle.vocabulary),
        "EMBEDDING": decoder.embedding_size,
        "UNITS": decoder.units,
        "DROPOUT": decoder.dropout,
        "MAX_LENGTH": decoder.max_length,
        "HEADS": decoder.heads,
        "POOLED": "layers.GlobalAveragePooling1D()(photo)" if regions else "photo",
        "WIDTH": encoder.width,
        "BLOCKS": COMPACT_BLOCKS,
        "LITE_BLOCKS": "".join(f"    {astuple(block)},\n" for block in blocks()),
        "HEAD": HEAD,
        "STEM": STEM,
        "CELL_LOWER": decoder.cell,
        "CELL": CELLS[decoder.cell].name,
        **({} if brings_weights else _application(bundle)),
    }
    parts = ["head", decoder.kind, spec.tutorial_template, "tail"]
    if decoder.kind != "merge":
        parts.insert(2, "state_" + "_".join(decoder.state_names))
    if brings_weights:
        parts.insert(-1, "own_weights")
    text = "".join(_template(part) for part in parts)
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    path.write_text(text, encoding="utf-8")


class _WithoutCache(SourceFileLoader):
    """Leaves no `__pycache__` among the tutorial files."""

    def set_data(self, *_: Any, **__: Any) -> None:
        """Write nothing."""


def load_script(path: Path) -> ModuleType:
    """Import a script that `write_script` wrote."""
    loader = _WithoutCache(path.stem, str(path))
    spec = importlib.util.spec_from_file_location(path.stem, path, loader=loader)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _application(bundle: Bundle) -> dict[str, str]:
    """Return the code for one of Keras' applications: how it is built, cut and fed."""
    encoder, spec = resolve(bundle.encoder)
    layer = spec.layers[str(encoder.layer)]
    size = encoder.input_size
    cut = f'network.get_layer("{layer.keras_name}").{"input" if layer.takes_input else "output"}'
    if layer.top:
        options = "include_top=True"
    elif layer.keras_name == "avg_pool":
        options = f'include_top=False, pooling="avg", input_shape=({size}, {size}, 3)'
        cut = "network.output"
    else:
        options = f"include_top=False, input_shape=({size}, {size}, 3)"
    scaled = f"keras.applications.{spec.module}.preprocess_input(pixels)"
    return {
        "NAME": encoder.name.capitalize(),
        "APPLICATION": str(spec.application),
        "OPTIONS": options,
        "CUT": cut,
        "SCALE": scaled if spec.module else "pixels",
    }


def _copy(side: int) -> str:
    """Return the code that makes a photo like the training photos, as `as_small_copy` does."""
    if not side:
        return ""
    return f"""    if photo.size != ({side}, {side}):  # it was trained on JPEGs of this size
        copy = BytesIO()
        small = photo.resize(({side}, {side}), Image.Resampling.BICUBIC)
        small.save(copy, "JPEG", quality={COPY_QUALITY}, subsampling=2)
        photo = Image.open(copy)
"""


def _template(name: str) -> str:
    place = resources.files("captioning.tutorial_files") / "templates" / f"{name}.txt"
    return place.read_text(encoding="utf-8")


# The layers that read the photo; the others read the output of these.
_READS_PHOTO = {"merge": ("photo",), "inject": ("photo_hidden", "photo_cell")}
_ATTENDS = ("regions",)


def fill_decoder(model: keras.Model, kind: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Set the weights of a tutorial's caption model from a decoder of this program.

    Ours scales each channel of the features first; here that is folded into the dense layers that
    read them: `W (x - m) / d + b` is `(W / d) x + (b - W m / d)`.

    Args:
        model: what the script's `define_model` returned.
        kind: of the decoder.
        arrays: its weights by path.

    Raises:
        BundleError: the weights do not fit.
    """
    values = {path.removeprefix("decoder/"): value for path, value in arrays.items()}
    mean = np.asarray(values.pop("scaling/mean"), np.float64)
    deviation = np.asarray(values.pop("scaling/deviation"), np.float64)
    for layer in _READS_PHOTO.get(kind, _ATTENDS):
        if f"{layer}/kernel" not in values:  # not every cell has a cell state
            continue
        kernel = np.asarray(values[f"{layer}/kernel"], np.float64) / deviation[:, None]
        values[f"{layer}/bias"] = values[f"{layer}/bias"] - mean @ kernel
        values[f"{layer}/kernel"] = kernel
    _fill(model, values)


def fill_encoder(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Set the weights of a tutorial's encoder from an encoder of this program.

    Raises:
        BundleError: the weights do not fit.
    """
    _fill(model, arrays)


def _fill(model: Any, values: Mapping[str, np.ndarray]) -> None:
    names = [variable.path for variable in model.weights]
    if sorted(names) != sorted(values):
        odd = sorted(set(names) ^ set(values))
        raise BundleError(
            f"The tutorial's script has no place for the weights {', '.join(odd[:3])}; the model "
            "is of another version than this program."
        )
    for variable in model.weights:
        variable.assign(np.asarray(values[variable.path], np.float32))
