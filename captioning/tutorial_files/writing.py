"""Writing a model as the files of a tutorial, among them a diagram of its network."""

import io
import re
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from captioning.bundle import Bundle
from captioning.captioner import Captioner
from captioning.datasets import CaptionDataset, Photo
from captioning.encoders.efficientnetlite2 import lite2_arrays
from captioning.errors import BundleError, FeaturesError
from captioning.features import FeatureStore, store_folder
from captioning.images import read_image
from captioning.storage import write_json
from captioning.tutorial_files.files import (
    ENCODER_FILE,
    write_descriptions,
    write_features,
    write_tokenizer,
)
from captioning.tutorial_files.script import (
    SCRIPT,
    fill_decoder,
    fill_encoder,
    load_script,
    write_script,
)

if TYPE_CHECKING:
    import keras

MOST_FEATURE_BYTES = 500_000_000
"""The largest `features.p`, which is read into memory as a whole."""

ENCODED_AT_ONCE = 16


def write_tutorial_files(
    captioner: Captioner,
    folder: Path,
    *,
    dataset: CaptionDataset | None = None,
    split: str = "train",
    photos: int | None = None,
) -> list[Path]:
    """Write the files that a tutorial ends with.

    `testing_caption_generator.py` with `tokenizer.p`, `model.weights.h5` and, for an encoder that
    Keras does not have, `encoder.weights.h5` caption a photo without this program; `model.png`
    shows the network.  `descriptions.txt` and `features.p` are those of a data set, and
    `encoder.json` says which encoder gave the features.

    Args:
        captioner: the model.
        folder: is made if it is not there; files of these names in it are replaced.
        dataset: whose captions and features are written; None writes neither.
        split: which of its splits.
        photos: how many of the split's photos, from the first; None takes all.

    Raises:
        FeaturesError: `features.p` would be too large to be read, or a photo has no features.
        BundleError: the files cannot be written.
        WeightsError: photos have to be encoded and the encoder's weights cannot be loaded.
    """
    bundle = captioner.bundle
    chosen = dataset.split(split)[:photos] if dataset is not None else ()
    _check_size(bundle.feature_shape, len(chosen))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_script(bundle, folder / SCRIPT)
        length = bundle.decoder.max_length
        write_tokenizer(bundle.vocabulary, folder / "tokenizer.p", max_length=length)
        model = caption_model(captioner, folder / SCRIPT)
        model.save_weights(folder / "model.weights.h5")
        draw_model(model, folder / "model.png")
        written = [SCRIPT, "tokenizer.p", "model.weights.h5", "model.png"]
        if _write_encoder(captioner, folder):
            written.append("encoder.weights.h5")
        if dataset is not None:
            write_descriptions(dataset, folder / "descriptions.txt", split=split, photos=photos)
            rows = _features(captioner, dataset, chosen)
            write_features([photo.name for photo in chosen], rows, folder / "features.p")
            write_json(folder / ENCODER_FILE, _encoder_facts(bundle))
            written += ["descriptions.txt", "features.p", ENCODER_FILE]
    except OSError as error:
        raise BundleError(f"The tutorial's files cannot be written: {error}.") from error
    return [folder / name for name in written]


def zip_tutorial_files(
    captioner: Captioner,
    *,
    dataset: CaptionDataset | None = None,
    split: str = "train",
    photos: int | None = None,
) -> bytes:
    """Return the files of `write_tutorial_files` as one zip archive.

    Raises:
        CaptioningError: as on writing them.
    """
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory() as place:
        options = {"dataset": dataset, "split": split, "photos": photos}
        files = write_tutorial_files(captioner, Path(place), **options)  # type: ignore[arg-type]
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, f"{captioner.name}/{path.name}")
    return buffer.getvalue()


def caption_model(captioner: Captioner, script: Path) -> "keras.Model":
    """Return the model that a written script defines, with the weights of this model.

    Raises:
        BundleError: the weights do not fit the script.
    """
    bundle = captioner.bundle
    model: keras.Model = load_script(script).define_model()
    fill_decoder(model, bundle.decoder.kind, bundle.decoder_arrays())
    return model


def _encoder_facts(bundle: Bundle) -> dict[str, Any]:
    """Return what a reader must know of the encoder; `model` is the one that has its weights."""
    own = bundle.encoder_file() is not None
    lender = (bundle.encoder_from or bundle.name) if own else None
    return {"encoder": bundle.encoder.to_dict(), "model": lender}


def _write_encoder(captioner: Captioner, folder: Path) -> bool:
    """Write the weights of an encoder that Keras does not have; return whether it is one."""
    bundle = captioner.bundle
    arrays = bundle.encoder_arrays()
    if bundle.encoder.name == "efficientnetlite2":
        arrays = lite2_arrays()
    if arrays is None:
        return False
    encoder = load_script(folder / SCRIPT).define_encoder()
    fill_encoder(encoder, arrays)
    encoder.save_weights(folder / "encoder.weights.h5")
    return True


def _features(captioner: Captioner, dataset: CaptionDataset, photos: Sequence[Photo]) -> np.ndarray:
    """Read features from the store, or encode the photos if it has none."""
    bundle = captioner.bundle
    folder = store_folder(bundle.encoder, dataset, arrays=bundle.encoder_arrays())
    try:
        return FeatureStore(folder).of([photo.name for photo in photos])
    except FeaturesError:
        parts = [
            captioner.encode(
                [read_image(dataset.path(p)) for p in photos[at : at + ENCODED_AT_ONCE]]
            )
            for at in range(0, len(photos), ENCODED_AT_ONCE)
        ]
    return np.concatenate(parts) if parts else np.zeros((0, *bundle.feature_shape), np.float32)


def _check_size(shape: tuple[int, ...], photos: int) -> None:
    size = 4 * photos * int(np.prod(shape))
    if size > MOST_FEATURE_BYTES:
        fit = MOST_FEATURE_BYTES // (4 * int(np.prod(shape)))
        raise FeaturesError(
            f"features.p of {photos:,} photos would have {size / 1e9:.1f} GB, which no tutorial's "
            f"script reads. Take {fit:,} photos at most, or a model with pooled features."
        )


if TYPE_CHECKING:
    import keras

_WIDTH, _HEIGHT, _ACROSS, _DOWN = 3.3, 0.62, 3.7, 1.0
_KINDS = {
    "InputLayer": "#dfeeea",
    "Dense": "#e9e3f4",
    "LSTM": "#f6e3d8",
    "Embedding": "#f4eccf",
}


def draw_model(model: "keras.Model", path: Path) -> None:
    """Draw a functional model from its inputs down to its output, as a PNG.

    The row of a layer is the length of the longest path to it; lines connect a layer to its inputs.

    Raises:
        OSError: it cannot be written.
    """
    from matplotlib.figure import Figure  # takes a second

    operations, sources = _graph(model)
    rows = _rows(sources)
    places = _places(sources, rows)
    right = max(x for x, _ in places.values())
    size = (right + _WIDTH + 0.4, (max(rows.values()) + 1) * _DOWN + 0.3)
    figure = Figure(figsize=size, dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.2, size[0] - 0.2), ylim=(-size[1] + _HEIGHT + 0.15, _HEIGHT + 0.15))
    axes.axis("off")
    for name, before in sources.items():
        for source in before:
            _draw_line(axes, places[source], places[name])
    for name, (x, y) in places.items():
        _draw_box(axes, operations[name], x, y)
    figure.savefig(path, facecolor="white")


def _graph(model: Any) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return layers and operations by name, and their inputs, in the order in which they run."""
    operations: dict[str, Any] = {}
    sources: dict[str, list[str]] = {}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            operations[node.operation.name] = node.operation
            before = sources.setdefault(node.operation.name, [])
            before += [p.operation.name for p in node.parent_nodes]
    return operations, {name: list(dict.fromkeys(before)) for name, before in sources.items()}


def _rows(sources: dict[str, list[str]]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for name, before in sources.items():
        rows[name] = 1 + max((rows.get(source, -1) for source in before), default=-1)
    return rows


def _places(sources: dict[str, list[str]], rows: dict[str, int]) -> dict[str, tuple[float, float]]:
    """Place a layer below its inputs; the layers of a row are next to each other and centred."""
    wanted: dict[str, float] = {}
    places: dict[str, tuple[float, float]] = {}
    for row in range(max(rows.values()) + 1):
        names = [name for name in sources if rows[name] == row]
        for place, name in enumerate(names):
            above = [places[source][0] for source in sources[name] if source in places]
            wanted[name] = sum(above) / len(above) if above else place * _ACROSS
        last = -_ACROSS
        for name in sorted(names, key=lambda name: wanted[name]):
            last = max(wanted[name], last + _ACROSS)
            places[name] = (last, -row * _DOWN)
    left = min(x for x, _ in places.values())
    return {name: (x - left, y) for name, (x, y) in places.items()}


def _draw_box(axes: Any, layer: Any, x: float, y: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    kind = type(layer).__name__
    colour = _KINDS.get(kind, "#f1f2f4")
    style = "round,pad=0,rounding_size=0.08"
    box = FancyBboxPatch((x, y), _WIDTH, _HEIGHT, style, facecolor=colour, edgecolor="#7d858f")
    axes.add_patch(box)
    middle = x + _WIDTH / 2
    own = re.sub(r"[_\d]", "", layer.name) != re.sub(r"\d", "", kind).lower()
    name = f"{layer.name} ({kind})" if own else kind
    axes.text(middle, y + 0.41, name, ha="center", va="center", fontsize=9)
    shape = " x ".join("any" if n is None else str(n) for n in _shape(layer)) or "one number"
    axes.text(middle, y + 0.18, shape, ha="center", va="center", fontsize=8, color="#555b63")


def _shape(layer: Any) -> tuple[int | None, ...]:
    """Return the shape of a layer's output, without the batch."""
    output = layer.output
    first = output[0] if isinstance(output, (list, tuple)) else output
    return tuple(first.shape[1:])


def _draw_line(axes: Any, source: tuple[float, float], target: tuple[float, float]) -> None:
    begin = (source[0] + _WIDTH / 2, source[1])
    end = (target[0] + _WIDTH / 2, target[1] + _HEIGHT)
    arrow = {"arrowstyle": "-|>", "color": "#7d858f", "lw": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, begin, arrowprops=arrow, zorder=0)
