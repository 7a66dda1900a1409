"""The photos of a training run: stored features, or pixels in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
from keras import ops

from captioning.augmentation import WHOLE, View, can_flip, views
from captioning.backend import device_memory
from captioning.bundle import Bundle, lent_encoder
from captioning.config import EncoderConfig, TrainingConfig
from captioning.datasets import CaptionDataset, Photo
from captioning.encoders import Encoder, load_encoder
from captioning.errors import ConfigError, FeaturesError, ImageError, TrainingError
from captioning.features import FeatureStore, extract_features, store_folder
from captioning.images import read_image
from captioning.inference.loading import HeldWeights, open_encoder
from captioning.training.batches import PhotoSource, SplitData
from captioning.training.loop import TrainingEvent


@dataclass(frozen=True)
class Inputs:
    """The inputs of the trainer, and the encoder if the bundle stores its weights.

    `unreadable` lists the photos that cannot be read and were left out, with the reason.
    """

    train_photos: Sequence[Photo]
    train: SplitData
    dev: SplitData
    feature_shape: tuple[int, ...]
    encoder: Encoder | None = None
    kept_arrays: dict[str, np.ndarray] | None = None
    figures: tuple[np.ndarray, np.ndarray] | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredFeatures:
    """Opens the feature stores of data sets, and encodes photos that have no features yet.

    Attributes:
        datasets: the data sets.
        on_event: called with "features" events while photos are encoded.
        should_stop: called meanwhile; a true result stops the extraction.
    """

    datasets: Sequence[CaptionDataset]
    on_event: Callable[[TrainingEvent], None]
    should_stop: Callable[[], bool]

    def __call__(
        self,
        config: EncoderConfig,
        arrays: Mapping[str, np.ndarray] | None,
        view: View = WHOLE,
    ) -> list[FeatureStore]:
        """Return the features of each data set's photos, for one view and one encoder.

        Raises:
            FeaturesError: they cannot be written, or their extraction was stopped.
            WeightsError: the encoder's weights cannot be found or downloaded.
        """
        return [self._open(dataset, config, arrays, view) for dataset in self.datasets]

    def _open(
        self,
        dataset: CaptionDataset,
        config: EncoderConfig,
        arrays: Mapping[str, np.ndarray] | None,
        view: View,
    ) -> FeatureStore:
        folder = store_folder(config, dataset, arrays=arrays, view=view)
        try:
            return FeatureStore(folder)
        except FeaturesError:
            return extract_features(
                open_encoder(config, None if arrays is None else HeldWeights(arrays), use_gpu=True),
                dataset,
                folder,
                view=view,
                on_progress=lambda p: self.on_event({"event": "features", **vars(p)}),
                should_stop=self.should_stop,
            )


def _chosen(
    config: TrainingConfig, dataset: CaptionDataset, *, needs_dev: bool = True
) -> tuple[list[Photo], list[Photo]]:
    """Return the training photos, limited by the settings, and the dev photos."""
    train = [photo for photo in dataset.split("train") if photo.captions]
    dev = [photo for photo in dataset.split("dev") if photo.captions]
    if not train or (needs_dev and not dev):
        raise TrainingError(
            f"{dataset.name} has {len(train)} training and {len(dev)} dev photos with captions; "
            "training needs both. Add photos, or mark some as 'train' in a column 'split'."
        )
    return train[: config.limit_images or None], dev


def from_features(config: TrainingConfig, get: StoredFeatures) -> Inputs:
    """Read features from the store, and encode photos that have none yet."""
    arrays, lent = lent_encoder(config.encoder_from) if config.encoder_from else (None, True)
    shown = views(crops=config.crops, flips=config.horizontal_flip)
    stores = [get(config.encoder, arrays, view) for view in shown]
    keras.utils.set_random_seed(config.seed)  # the same start whether or not photos were encoded
    train: list[list[Photo]] = []
    dev: list[list[Photo]] = []
    unreadable: dict[str, str] = {}
    for dataset, store in zip(get.datasets, stores[0], strict=True):
        chosen = _chosen(config, dataset, needs_dev=dataset is get.datasets[0])
        for kept, photos in zip((train, dev), chosen, strict=True):
            kept.append([photo for photo in photos if photo.name in store])
            left_out = (photo.name for photo in photos if photo.name in store.skipped)
            unreadable |= {name: store.skipped[name] for name in left_out}
    _check_readable(train, dev, unreadable)
    names = [dataset.name for dataset in get.datasets]
    joined = _joined(names, stores, train)
    repeats = [1, *_extra_repeats(config, len(train) - 1)]
    return Inputs(
        train_photos=[photo for part in train for photo in part],
        train=replace(
            joined,
            repeats=np.repeat(repeats, [len(part) for part in train]) if len(train) > 1 else None,
            **_further_views(config, joined),
        ),
        dev=_joined(names, stores[:1], dev),
        feature_shape=stores[0][0].shape,
        kept_arrays=None if lent else arrays,
        figures=_channel_figures(stores[0], train),
        unreadable=unreadable,
    )


def _extra_repeats(config: TrainingConfig, count: int) -> Sequence[int]:
    """Return how often an epoch shows the photos of each further data set.

    Raises:
        ConfigError: there are neither one nor `count` numbers.
    """
    repeats = config.extra_repeats
    if len(repeats) not in (1, count) and count:
        raise ConfigError(
            f"extra_repeats has {len(repeats)} numbers for {count} further data sets; give one "
            "number, or one for each."
        )
    return repeats * count if len(repeats) == 1 else repeats


def _check_readable(
    train: Sequence[Sequence[Photo]], dev: Sequence[Sequence[Photo]], unreadable: Mapping[str, str]
) -> None:
    if unreadable and not (any(train) and any(dev)):
        raise TrainingError(
            f"No training photo or no dev photo can be read: {next(iter(unreadable.values()))}"
        )


def stored_rows(
    stores: Sequence[Sequence[FeatureStore]], names: Sequence[Sequence[str]]
) -> PhotoSource:
    """Return a source of photos from several stores.

    Args:
        stores: for each view, whole photos first, the store of each data set.
        names: of the photos of each data set; indices continue from one data set to the next.
    """
    of_set = np.repeat(np.arange(len(names)), [len(part) for part in names])
    places = [
        np.concatenate([s.places(part) for s, part in zip(of_view, names, strict=True)])
        for of_view in stores
    ]

    def read(indices: np.ndarray) -> np.ndarray:
        rows = np.empty((len(indices), *stores[0][0].shape), np.float16)
        views, photos = np.divmod(indices, len(of_set))
        for view, number in np.unique(np.stack([views, of_set[photos]]), axis=1).T:
            chosen = (views == view) & (of_set[photos] == number)
            rows[chosen] = stores[view][number].rows(places[view][photos[chosen]])
        return rows

    return read


def _on_device(read: PhotoSource, count: int) -> PhotoSource:
    """Copy photos to the accelerator, if there is one and they fill at most a third of it.

    Args:
        read: gives their features.
        count: how many, views included.
    """
    if not count or count * read(np.zeros(1, np.int64)).nbytes > device_memory() // 3:
        return read
    parts = [read(np.arange(start, min(start + 500, count))) for start in range(0, count, 500)]
    table = ops.concatenate([ops.convert_to_tensor(part) for part in parts])
    return lambda indices: ops.take(table, indices, axis=0)


def _joined(
    datasets: Sequence[str],
    stores: Sequence[Sequence[FeatureStore]],
    photos: Sequence[Sequence[Photo]],
) -> SplitData:
    """Concatenate the photos of several data sets."""
    names = [[photo.name for photo in part] for part in photos]
    return SplitData(
        _on_device(stored_rows(stores, names), len(stores) * sum(map(len, names))),
        captions=[photo.captions for part in photos for photo in part],
        names=[name for part in names for name in part],
        sources=_sources(datasets, photos),
    )


def _sources(datasets: Sequence[str], photos: Sequence[Sequence[Photo]]) -> list[tuple[str, int]]:
    if len(datasets) < 2:
        return []
    return [(name, len(part)) for name, part in zip(datasets, photos, strict=True) if part]


def _channel_figures(
    stores: Sequence[FeatureStore], photos: Sequence[Sequence[Photo]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return each channel's mean and standard deviation over the photos of all data sets."""
    if len(stores) == 1:
        return stores[0].channel_figures([photo.name for photo in photos[0]])
    sizes = np.array([len(part) for part in photos], float)[:, None] / sum(map(len, photos))
    figures = [
        store.channel_figures([photo.name for photo in part])
        for store, part in zip(stores, photos, strict=True)
    ]
    means, deviations = (np.stack(part).astype(np.float64) for part in zip(*figures, strict=True))
    mean = (sizes * means).sum(axis=0)
    squares = (sizes * (deviations**2 + means**2)).sum(axis=0)
    variance = np.maximum(squares - mean**2, 0.0)
    return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)


def _further_views(config: TrainingConfig, data: SplitData) -> dict[str, Any]:
    """Return the fields of `SplitData` for the views besides whole photos."""
    flips = can_flip(data.captions) if config.horizontal_flip else None
    return {"crops": config.crops, "can_flip": flips}


def from_pixels(config: TrainingConfig, dataset: CaptionDataset, origin: Bundle | None) -> Inputs:
    """Keep the pixels in memory, because the encoder changes with every step."""
    if config.encoder.name != "compact":
        raise ConfigError(
            f"train_encoder works only with the compact encoder, not with {config.encoder.name}."
        )
    arrays = origin.encoder_arrays() if origin is not None else None
    if arrays is None and config.encoder_from:
        arrays, _ = lent_encoder(config.encoder_from)
    encoder = load_encoder(config.encoder, arrays=arrays, random_weights=arrays is None)
    chosen_train, chosen_dev = _chosen(config, dataset)
    shown = views(crops=config.crops, flips=config.horizontal_flip)
    unreadable: dict[str, str] = {}
    train, of_train = _read_pixels(encoder, dataset, chosen_train, unreadable, shown)
    _, of_dev = _read_pixels(encoder, dataset, chosen_dev, unreadable)
    return Inputs(
        train_photos=train,
        train=replace(of_train, **_further_views(config, of_train)),
        dev=of_dev,
        feature_shape=encoder.feature_shape,
        encoder=encoder,
        unreadable=unreadable,
    )


def _read_pixels(
    encoder: Encoder,
    dataset: CaptionDataset,
    photos: Sequence[Photo],
    unreadable: dict[str, str],
    shown: Sequence[View] = (WHOLE,),
) -> tuple[list[Photo], SplitData]:
    """Read photos, skipping those that cannot be read.

    Raises:
        TrainingError: no photo can be read.
    """
    read: list[tuple[Photo, np.ndarray]] = []
    for photo in photos:
        try:
            read.append((photo, encoder.pixels(read_image(dataset.path(photo)))))
        except ImageError as error:
            unreadable[photo.name] = str(error)
    if not read:
        last = unreadable[photos[-1].name]
        raise TrainingError(f"None of {len(photos):,} photos can be read: {last}")
    kept, pixels = [photo for photo, _ in read], np.stack([square for _, square in read])
    count, names = len(kept), [photo.name for photo in kept]

    def look(indices: np.ndarray) -> np.ndarray:
        return np.stack(
            [shown[i // count].of(pixels[i % count], names[i % count]) for i in indices]
        )

    captions = [photo.captions for photo in kept]
    return kept, SplitData(look, captions=captions, names=names)
