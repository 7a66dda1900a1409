"""Where a training run reads its photos: from stored features, or as pixels held in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from captioning.bundles import Bundle, lent_encoder
from captioning.config import EncoderConfig, TrainingConfig
from captioning.datasets import CaptionDataset, Photo
from captioning.encoders import Encoder, load_encoder
from captioning.errors import ConfigError, FeaturesError, ImageError, TrainingError
from captioning.features import FeatureStore, extract_features, store_folder
from captioning.images import read_image
from captioning.training.loop import SplitData, TrainingEvent
from captioning.views import WHOLE, View, can_flip, views

__all__ = ["Inputs", "StoredFeatures", "from_features", "from_pixels"]


@dataclass(frozen=True)
class Inputs:
    """What the trainer reads photos from, and the encoder's weights if the bundle keeps them."""

    train_photos: Sequence[Photo]
    train: SplitData
    dev: SplitData
    feature_shape: tuple[int, ...]
    encoder: Encoder | None = None
    kept_arrays: dict[str, np.ndarray] | None = None
    figures: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class StoredFeatures:
    """Opens the feature stores of a data set; photos are encoded first if that was never done.

    Attributes:
        dataset: whose photos.
        on_event: told "features" while photos are encoded.
        should_stop: asked meanwhile.
    """

    dataset: CaptionDataset
    on_event: Callable[[TrainingEvent], None]
    should_stop: Callable[[], bool]

    def __call__(
        self,
        config: EncoderConfig,
        arrays: Mapping[str, np.ndarray] | None,
        view: View = WHOLE,
    ) -> FeatureStore:
        """Return the features of a view of the photos by an encoder with these weights.

        Raises:
            FeaturesError: they cannot be written, or their extraction was stopped.
            WeightsError: the encoder's weights cannot be had.
        """
        folder = store_folder(config, self.dataset, arrays=arrays, view=view)
        try:
            return FeatureStore(folder)
        except FeaturesError:
            return extract_features(
                load_encoder(config, arrays=arrays),
                self.dataset,
                folder,
                view=view,
                on_progress=lambda p: self.on_event({"event": "features", **vars(p)}),
                should_stop=self.should_stop,
            )


def _chosen(config: TrainingConfig, dataset: CaptionDataset) -> tuple[list[Photo], list[Photo]]:
    """Return the training photos, as many as the settings ask for, and the dev photos."""
    train = [photo for photo in dataset.split("train") if photo.captions]
    dev = [photo for photo in dataset.split("dev") if photo.captions]
    if not train or not dev:
        raise TrainingError(
            f"{dataset.name} has {len(train)} training and {len(dev)} dev photos with captions; "
            "training needs both."
        )
    return train[: config.limit_images or None], dev


def from_features(
    config: TrainingConfig,
    dataset: CaptionDataset,
    on_event: Callable[[TrainingEvent], None],
    should_stop: Callable[[], bool],
) -> Inputs:
    """Read features from the store; photos are encoded first if that was never done."""
    arrays, lent = lent_encoder(config.encoder_from) if config.encoder_from else (None, True)
    get = StoredFeatures(dataset, on_event, should_stop)
    shown = views(crops=config.crops, flips=config.horizontal_flip)
    stores = [get(config.encoder, arrays, view) for view in shown]
    store = stores[0]
    keras.utils.set_random_seed(config.seed)  # begin alike whether or not photos were encoded
    train, dev = ([p for p in photos if p.name in store] for photos in _chosen(config, dataset))
    return Inputs(
        train_photos=train,
        train=_from_stores(config, stores, train),
        dev=_from_store(store, dev),
        feature_shape=store.shape,
        kept_arrays=None if lent else arrays,
        figures=store.channel_figures([photo.name for photo in train]),
    )


def _from_store(store: FeatureStore, photos: Sequence[Photo]) -> SplitData:
    names = [photo.name for photo in photos]
    places = store.places(names)
    return SplitData(
        lambda indices: store.rows(places[indices]),
        captions=[photo.captions for photo in photos],
        names=names,
    )


def _from_stores(
    config: TrainingConfig, stores: Sequence[FeatureStore], photos: Sequence[Photo]
) -> SplitData:
    """Read photos from the stores of all their views, the first of which shows them whole."""
    data = _from_store(stores[0], photos)
    places = [store.places(data.names) for store in stores]
    count = len(photos)

    def read(indices: np.ndarray) -> np.ndarray:
        rows = np.empty((len(indices), *stores[0].shape), np.float16)
        shown = indices // count
        for view in np.unique(shown):
            chosen = shown == view
            rows[chosen] = stores[view].rows(places[view][indices[chosen] % count])
        return rows

    return replace(data, photos=read, **_further_views(config, data))


def _further_views(config: TrainingConfig, data: SplitData) -> dict[str, Any]:
    """Return the fields of `SplitData` that say which views there are besides whole photos."""
    flips = can_flip(data.captions) if config.horizontal_flip else None
    return {"crops": config.crops, "can_flip": flips}


def from_pixels(config: TrainingConfig, dataset: CaptionDataset, origin: Bundle | None) -> Inputs:
    """Keep the photos themselves in memory: their encoder changes with every step."""
    if config.encoder.name != "compact":
        raise ConfigError(
            f"train_encoder is for the compact encoder; {config.encoder.name} is used as it is."
        )
    arrays = origin.encoder_arrays() if origin is not None else None
    if arrays is None and config.encoder_from:
        arrays, _ = lent_encoder(config.encoder_from)
    encoder = load_encoder(config.encoder, arrays=arrays, random_weights=arrays is None)
    chosen_train, chosen_dev = _chosen(config, dataset)
    shown = views(crops=config.crops, flips=config.horizontal_flip)
    train, of_train = _read_pixels(encoder, dataset, chosen_train, shown)
    dev, of_dev = _read_pixels(encoder, dataset, chosen_dev)
    return Inputs(
        train_photos=train,
        train=replace(of_train, **_further_views(config, of_train)),
        dev=of_dev,
        feature_shape=encoder.feature_shape,
        encoder=encoder,
    )


def _read_pixels(
    encoder: Encoder,
    dataset: CaptionDataset,
    photos: Sequence[Photo],
    shown: Sequence[View] = (WHOLE,),
) -> tuple[list[Photo], SplitData]:
    """Read photos; as in an extraction, one that cannot be read is left out.

    Raises:
        TrainingError: none can be read.
    """
    read: list[tuple[Photo, np.ndarray]] = []
    for photo in photos:
        try:
            read.append((photo, encoder.pixels(read_image(dataset.path(photo)))))
        except ImageError as error:
            last = error
    if not read:
        raise TrainingError(f"None of {len(photos):,} photos can be read: {last}")
    kept, pixels = [photo for photo, _ in read], np.stack([square for _, square in read])
    count, names = len(kept), [photo.name for photo in kept]

    def look(indices: np.ndarray) -> np.ndarray:
        return np.stack(
            [shown[i // count].of(pixels[i % count], names[i % count]) for i in indices]
        )

    captions = [photo.captions for photo in kept]
    return kept, SplitData(look, captions=captions, names=names)
