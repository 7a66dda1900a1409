"""Estimates of what a run needs, before it starts: photos to encode, time, memory, disk.

Times are based on the earlier runs on this machine (`rates.json` in the folder of the runs) and,
before there are any, on one core of a 2020s laptop.  They count multiplications: a step takes as
long as an earlier step of its kind, times the ratio of their multiplications.
"""

import shutil
import statistics
from dataclasses import dataclass, replace
from pathlib import Path

from captioning.augmentation import views
from captioning.bundle import lent_encoder
from captioning.cells import CELLS
from captioning.config import TrainingConfig
from captioning.datasets import load_folder, load_named
from captioning.encoders.registry import feature_shape, resolve
from captioning.errors import StorageError
from captioning.features import fitted, store_progress
from captioning.runs.record import Run
from captioning.storage import read_json, write_json
from captioning.vocabulary import Vocabulary

# Until measured: multiplications in a training step.
_MULTIPLICATIONS = {"with encoder": 1.2e10, "features": 3e10}
_SCORING = 60.0
START_SECONDS = 15.0
"""Importing TensorFlow and compiling the first step, with other programs at work."""

CAPTIONS, WORDS = 5, 11.0
FLOAT, COPIES = 4, 4
"""Bytes of a number; of each weight there are itself, its gradient and AdamW's two moments."""

PROGRAM_BYTES = 900_000_000
"""TensorFlow with a compiled training step and a compiled search."""

CHECKPOINT_COPIES = 3
"""Two checkpoints and the one being written."""


@dataclass(frozen=True)
class Estimate:
    """What a run needs, and what prevents it.

    Attributes:
        photos: training photos.
        to_encode: photos of the data set without stored features.
        parameters: numbers that are trained.
        encoding_seconds: time to encode those photos.
        training_seconds: time for all epochs, their scores included.
        memory_bytes: of the process at its largest.
        disk_bytes: that the run will write.
        measured: whether the times come from this machine.
        problems: sentences that say what cannot fit; the run is refused if there is one.
    """

    photos: int
    to_encode: int
    parameters: int
    encoding_seconds: float
    training_seconds: float
    memory_bytes: int
    disk_bytes: int
    measured: bool
    problems: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """From the click to the last epoch."""
        return START_SECONDS + self.encoding_seconds + self.training_seconds


@dataclass(frozen=True)
class DataSizes:
    """What an estimate has to know of a data set.

    Attributes:
        photos: all of them.
        train: those of the training split that the settings ask for.
        dev: those of the dev split.
        words: size of the vocabulary.
        encoded: photos whose features are stored already.
        views: further views of the training photos that are to be read too, for each how many
            photos it has and how many of them have their features stored already.
    """

    photos: int
    train: int
    dev: int
    words: int
    encoded: int
    views: tuple[tuple[int, int], ...] = ()


def data_sizes(config: TrainingConfig, data: Path) -> DataSizes:
    """Count what a run would read, without drawing shapes that are not there yet.

    Raises:
        ConfigError: the encoder or its layer is unknown.
        DatasetError: the data set is not there.
        BundleError: a bundle that the settings name cannot be read.
    """
    config = config.replace(encoder=resolve(config.encoder)[0])
    shown = views(crops=config.crops, flips=config.horizontal_flip)
    if config.data == "shapes":
        count = config.shapes_count
        train = count - 2 * (count // 10)
        used = min(config.limit_images or train, train)
        return DataSizes(count, used, count // 10, 50, 0, ((train, 0),) * (len(shown) - 1))
    inside = data / config.data
    dataset = load_folder(inside) if inside.is_dir() else load_named(config.data)
    train_photos = dataset.split("train")[: config.limit_images or None]
    captions = (caption for photo in train_photos for caption in photo.captions)
    stored = [0] * len(shown)
    if not config.train_encoder:
        arrays = lent_encoder(config.encoder_from)[0] if config.encoder_from else None
        encoder = fitted(config.encoder, dataset)
        stored = [store_progress(encoder, dataset, arrays=arrays, view=view) for view in shown]
    return DataSizes(
        photos=len(dataset.photos),
        train=len(train_photos),
        dev=len(dataset.split("dev")),
        words=len(Vocabulary.build(captions, min_count=config.min_count)),
        encoded=stored[0],
        views=tuple((len(dataset.split("train")), encoded) for encoded in stored[1:]),
    )


def estimate_run(config: TrainingConfig, sizes: DataSizes, data: Path) -> Estimate:
    """Work out what a run needs.

    Args:
        config: the settings.
        sizes: what `data_sizes` counted for them.
        data: the data folder, which earlier runs have left their rates in.

    Raises:
        ConfigError: the encoder or its layer is unknown.
    """
    encoder, spec = resolve(config.encoder)
    config = config.replace(encoder=encoder)
    words, rates = sizes.words, _read_rates(data)
    regions, channels = _shape(config)
    stores = [(sizes.photos, sizes.encoded), *sizes.views]
    if config.train_encoder:
        stores = []
    to_encode = sum(photos - encoded for photos, encoded in stores)
    # The file is made at its full size at once, so a begun store needs no more space.
    to_store = sum(photos for photos, encoded in stores if not encoded)
    features = to_store * max(regions, 1) * channels
    parameters = _parameters(config, words)
    weights = parameters * FLOAT
    steps = -(-sizes.train // config.images_per_batch) * config.epochs
    scored = min(config.score_images or sizes.dev, sizes.dev)
    speed = rates.get(_kind(config), _MULTIPLICATIONS[_learning(config)])
    encoding = rates.get(f"encode {encoder.name} {encoder.layer}")
    in_memory = sizes.train + sizes.dev
    estimate = Estimate(
        photos=sizes.train,
        to_encode=to_encode,
        parameters=parameters,
        encoding_seconds=to_encode / (encoding or spec.photos_per_second),
        training_seconds=steps * _multiplications(config, words) / speed
        + config.epochs * scored / rates.get("scoring", _SCORING),
        memory_bytes=PROGRAM_BYTES + COPIES * weights + _photo_bytes(config, in_memory, words),
        disk_bytes=2 * features + CHECKPOINT_COPIES * COPIES * weights + weights // 2,
        measured=_kind(config) in rates and (encoding is not None or not to_encode),
    )
    return _judged(estimate, data)


def available_memory() -> int | None:
    """Return how many bytes of memory programs can have now; None where it cannot be known."""
    import psutil  # not at the top: pages that estimate nothing start sooner

    try:
        return int(psutil.virtual_memory().available)
    except (psutil.Error, OSError):
        return None


def remember_rates(data: Path, run: Run) -> None:
    """Keep how fast a run went, for the estimates of the next ones.

    Raises:
        OSError: it cannot be written.
    """
    rates, steps, scoring = _read_rates(data), [], []
    begun, words = None, 0
    config = run.config.replace(encoder=resolve(run.config.encoder)[0])
    encoder = config.encoder
    for event in run.events():
        match event.get("event"):
            case "features" if event["rate"] > 0:
                rates[f"encode {encoder.name} {encoder.layer}"] = event["rate"]
            case "step":
                steps.append(event["rate"])
            case "start":
                words = event.get("words", 0)
            case "scoring":
                begun = event["time"]
            case "epoch" if begun is not None:
                scoring.append(event["n"] / max(event["time"] - begun, 1e-3))
    rate = statistics.median([rate for rate in steps if rate] or [0])
    if rate and words:
        rates[_kind(config)] = rate * _multiplications(config, words)
    if len(scoring) > 1:
        rates["scoring"] = statistics.median(scoring[1:])
    write_json(_rates_path(data), rates)


def _judged(estimate: Estimate, data: Path) -> Estimate:
    """Add what cannot fit."""
    problems = []
    place = next(path for path in (data.absolute(), *data.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if estimate.disk_bytes > free:
        problems.append(
            f"The run would write {_size(estimate.disk_bytes)} and the disk has {_size(free)} "
            "left. Free some space, or choose a smaller model or pooled features."
        )
    memory = available_memory()
    if memory is not None and estimate.memory_bytes > memory:
        problems.append(
            f"The run would need {_size(estimate.memory_bytes)} of memory and {_size(memory)} are "
            "free. Choose fewer photos a step, a smaller model, or fewer photos."
        )
    if not estimate.photos:
        problems.append("The data set has no training photos with captions.")
    return replace(estimate, problems=tuple(problems))


def _shape(config: TrainingConfig) -> tuple[int, int]:
    """Return regions (0 if pooled) and channels of the features."""
    *regions, channels = feature_shape(config.encoder)
    return (regions[0] if regions else 0), channels


def _parameters(config: TrainingConfig, words: int) -> int:
    decoder, (_, channels) = config.decoder, _shape(config)
    units, embedding = decoder.units, decoder.embedding_size
    inputs = embedding + (units if decoder.kind == "attention" else 0)
    gates = len(CELLS[decoder.cell].gates)
    count = words * (embedding + units) + gates * units * (inputs + units) + 2 * channels * units
    if decoder.kind == "attention":
        count += channels * units + 5 * units * units
    encoder = 140 * config.encoder.width**2 * 4 if config.train_encoder else 0
    return count + encoder


def _multiplications(config: TrainingConfig, words: int) -> float:
    """Return the multiplications of one step, forward and back."""
    decoder, (regions, channels) = config.decoder, _shape(config)
    rows = config.images_per_batch * CAPTIONS
    a_word = _parameters(config, words) - words * decoder.embedding_size
    attention = 2 * regions * decoder.units if decoder.kind == "attention" else 0
    looking = config.images_per_batch * max(regions, 1) * channels * decoder.units
    total = rows * WORDS * (a_word + attention) + looking
    if config.train_encoder:
        size = int(config.encoder.input_size or 224)
        total += config.images_per_batch * 0.6 * size**2 * config.encoder.width**2
    if config.objective == "self_critical":
        total *= 2
    # Going back takes twice as long as going forward; a teacher only goes forward.
    return (3.0 + len(config.teachers)) * total


def _kind(config: TrainingConfig) -> str:
    """Return what the speed of a step depends on, apart from its size, as a key."""
    decoder = config.decoder
    kind = decoder.kind if decoder.cell == "lstm" else f"{decoder.kind} {decoder.cell}"
    return f"step {kind} {_learning(config)} {config.objective}"


def _learning(config: TrainingConfig) -> str:
    return "with encoder" if config.train_encoder else "features"


def _photo_bytes(config: TrainingConfig, photos: int, words: int) -> int:
    """Bytes of the photos kept in memory, and of what a step computes on the way."""
    size, decoder = int(config.encoder.input_size or 224), config.decoder
    kept = photos * size * size * 3 if config.train_encoder else 0
    rows = config.images_per_batch * CAPTIONS
    numbers = rows * WORDS * 3 * words + rows * decoder.max_length * 12 * decoder.units
    if config.train_encoder:
        numbers += config.images_per_batch * size * size * config.encoder.width * 4
    return kept + int(numbers * FLOAT)


def _read_rates(data: Path) -> dict[str, float]:
    try:
        content = read_json(_rates_path(data), dict)
        return {key: float(value) for key, value in content.items() if float(value) > 0}
    except (StorageError, ValueError, TypeError, OverflowError):
        return {}


def _rates_path(data: Path) -> Path:
    return data / "runs" / "rates.json"


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
