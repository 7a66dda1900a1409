"""Locations of ImageNet weight files; does not need Keras."""

import os
from pathlib import Path

from captioning.config import EncoderConfig
from captioning.encoders.registry import EncoderSpec, LayerSpec, resolve
from captioning.errors import ConfigError, WeightsError


def has_weights(encoder: EncoderConfig) -> bool:
    """Return whether an encoder is known and needs no download, because its files are here."""
    try:
        config, spec = resolve(encoder)
        if spec.files is None:
            return True  # they come with the model or with a package
        return find_weights(config.name, spec, spec.layers[str(config.layer)]) is not None
    except (ConfigError, WeightsError):
        return False


def find_weights(name: str, spec: EncoderSpec, layer: LayerSpec) -> tuple[Path, bool] | None:
    """Find a file of ImageNet weights on this machine.

    It is searched in the folder `$CAPTIONING_WEIGHTS`, then in Keras' cache.

    Returns:
        The path, and whether the file ends at the layer; None if there is no file.

    Raises:
        WeightsError: as `classroom_files`.
    """
    in_cache = keras_folder() / keras_file(spec, layer)[0]
    places = [*classroom_files(name, spec, layer), (in_cache, False)]
    return next((place for place in places if place[0].is_file()), None)


def classroom_files(name: str, spec: EncoderSpec, layer: LayerSpec) -> list[tuple[Path, bool]]:
    """List the suitable files in the folder `$CAPTIONING_WEIGHTS`.

    Returns:
        Each path, and whether the file ends at the layer.

    Raises:
        WeightsError: the folder does not exist.
    """
    folder = os.environ.get("CAPTIONING_WEIGHTS")
    if not folder:
        return []
    place = Path(os.path.expanduser(folder))
    if not place.is_dir():
        raise WeightsError(
            f"CAPTIONING_WEIGHTS is {folder}, but there is no such folder. Correct it, or "
            "unset it to use the weights that Keras has downloaded."
        )
    names: list[tuple[str, bool]] = []
    if layer.partial:
        names.append((layer.partial, True))
    if not layer.top:
        names.append((f"{name}_imagenet_notop.weights.h5", False))
    names.append((keras_file(spec, layer)[0], False))
    return [(place / file, partial) for file, partial in names]


def keras_file(spec: EncoderSpec, layer: LayerSpec) -> tuple[str, str]:
    """Return Keras' name of a weight file, and its MD5 sum."""
    without_top, with_top = spec.files or (("", ""), ("", ""))
    return with_top if layer.top else without_top


def keras_folder() -> Path:
    """Return the folder in which Keras stores downloaded weights."""
    return Path(os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras")) / "models"
