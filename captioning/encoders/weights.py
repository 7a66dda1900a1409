"""Find ImageNet weights: in a shared folder, in Keras' cache, or by download."""

import contextlib
import hashlib
import queue
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import keras

from captioning.encoders.registry import EncoderSpec, LayerSpec
from captioning.encoders.weight_files import find_weights, keras_file, keras_folder
from captioning.errors import WeightsError

DOWNLOAD_HOST = "https://storage.googleapis.com"
CONNECT_SECONDS = 5.0


def build_with_weights(name: str, spec: EncoderSpec, layer: LayerSpec, size: int) -> keras.Model:
    """Build the network up to `layer` with ImageNet weights.

    The weights are searched in the folder `$CAPTIONING_WEIGHTS`, then in Keras' cache, and
    otherwise downloaded.

    Returns:
        A model from scaled pixels to the layer's output.

    Raises:
        WeightsError: the weights cannot be found or downloaded, or do not match the network.
    """
    found = find_weights(name, spec, layer)
    if found is None:
        return cut_at(_download(name, spec, layer, size), layer)
    path, partial = found
    if path.parent == keras_folder():
        _check_download(path, keras_file(spec, layer)[1])
    network = build_application(spec, layer, size)
    return _load(cut_at(network, layer) if partial else network, path, layer, partial)


def build_application(
    spec: EncoderSpec, layer: LayerSpec, size: int, *, weights: str | None = None
) -> keras.Model:
    """Build the Keras application with `layer`, by default with random weights."""
    make = getattr(keras.applications, str(spec.application))
    if layer.top:
        return make(weights=weights, include_top=True)  # type: ignore[no-any-return]
    pooling = "avg" if layer.keras_name == "avg_pool" else None
    return make(  # type: ignore[no-any-return]
        weights=weights, include_top=False, input_shape=(size, size, 3), pooling=pooling
    )


def cut_at(network: keras.Model, layer: LayerSpec) -> keras.Model:
    """End `network` at `layer`."""
    if layer.keras_name == "avg_pool":
        return network
    found = network.get_layer(layer.keras_name)
    return keras.Model(network.input, found.input if layer.takes_input else found.output)


def _load(network: keras.Model, path: Path, layer: LayerSpec, partial: bool) -> keras.Model:
    try:
        network.load_weights(path)
    except Exception as error:  # Keras and h5py raise many types
        raise WeightsError(
            f"{path} does not contain the weights of this network ({error}). "
            "Replace it with a complete copy, or remove it."
        ) from error
    return network if partial else cut_at(network, layer)


def _check_download(path: Path, md5: str) -> None:
    """Compare a file that Keras has downloaded with its hash.

    Raises:
        WeightsError: it has another hash.  Keras would download it again, and delete the old one if
            that fails.
    """
    if hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != md5:
        raise WeightsError(
            f"{path} is damaged or not the file from Keras (its MD5 sum should be {md5}). "
            "Move it away and try again; it has not been changed."
        )


def _download(name: str, spec: EncoderSpec, layer: LayerSpec, size: int) -> keras.Model:
    """Let Keras download the weights; it checks their hash and shows its progress."""
    try:
        # Keras' download has no timeout, so check the connection first.
        _reach(DOWNLOAD_HOST, CONNECT_SECONDS)
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for captions
            return build_application(spec, layer, size, weights="imagenet")
    except Exception as error:  # Keras raises plain Exception for a failed download
        raise WeightsError(_how_to_get(name, spec, layer, error)) from error


def _reach(url: str, seconds: float) -> None:
    """Check that a server answers, through a proxy if there is one, as in Keras' download.

    Name lookup and connection attempts have no common timeout, so the request runs in a thread that
    is abandoned after `seconds`.

    Raises:
        OSError: the server cannot be reached within `seconds`.
    """
    answers: queue.Queue[OSError | None] = queue.Queue()

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")  # noqa: S310 (our own constant)
            urllib.request.urlopen(request, timeout=seconds).close()  # noqa: S310
            answers.put(None)
        except urllib.error.HTTPError:  # an error is an answer as well
            answers.put(None)
        except OSError as error:
            answers.put(OSError(str(getattr(error, "reason", error))))

    threading.Thread(target=ask, daemon=True).start()
    try:
        error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"{url} did not answer within {seconds:g} seconds") from None
    if error is not None:
        raise error


def _how_to_get(name: str, spec: EncoderSpec, layer: LayerSpec, error: Any) -> str:
    file, _ = keras_file(spec, layer)
    partial = f" ({layer.partial} works as well)" if layer.partial else ""
    home = keras_folder()
    return (
        f"The ImageNet weights of {name} are not on this machine, and the download failed: "
        f"{error}. There are three ways to get them:\n"
        f"1. Connect to the internet and try again; Keras then downloads {file}.\n"
        f"2. Copy {file} from another machine to {home}.\n"
        f"3. Put {file}{partial} into any folder and set the environment variable "
        "CAPTIONING_WEIGHTS to that folder; a class can share it."
    )
