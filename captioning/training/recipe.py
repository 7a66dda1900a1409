"""From a configuration and a data set to a bundle: the whole of a training run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from captioning.arrays import assign_weights, weights_of
from captioning.bundles import Bundle, lent_encoder, read_bundle, write_bundle
from captioning.config import TrainingConfig
from captioning.datasets import CaptionDataset, Photo
from captioning.decoders import build_decoder
from captioning.encoders import Encoder, load_encoder
from captioning.errors import ConfigError, FeaturesError, ImageError, TrainingError
from captioning.features import FeatureStore, Progress, extract_features, fitted, store_folder
from captioning.images import read_image
from captioning.training.card import training_card
from captioning.training.checkpoints import Checkpoints
from captioning.training.loop import SplitData, Trainer, TrainingEvent
from captioning.views import View, can_flip, views
from captioning.vocabulary import Vocabulary

__all__ = ["Inputs", "Prepared", "prepare", "train"]


def train(
    config: TrainingConfig,
    dataset: CaptionDataset,
    *,
    bundle_folder: Path,
    checkpoint_folder: Path | None = None,
    command: str = "",
    keep_best: bool = False,
    on_event: Callable[[TrainingEvent], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Bundle | None:
    """Train a model on the training photos of `dataset`, choose its epoch on dev, and keep it.

    Args:
        config: every setting.
        dataset: its test split is not read.
        bundle_folder: where the finished model goes.
        checkpoint_folder: where checkpoints go; a run found there is continued.
        command: how the run was started, for the model's card.
        keep_best: write the bundle whenever an epoch was the best so far, and not only at the end.
        on_event: told what happens: `TrainingEvent`s, and "features" while photos are encoded.
        should_stop: asked between steps; the run can be continued from its checkpoint.

    Returns:
        The bundle; None if the run was stopped before its end.

    Raises:
        ConfigError: settings contradict each other or the data.
        TrainingError: there is nothing to learn from, or the loss is not a number.
        WeightsError: the encoder's weights cannot be had.
        FeaturesError: features cannot be written, or their extraction was stopped.
    """
    prepared = prepare(
        config,
        dataset,
        checkpoint_folder=checkpoint_folder,
        on_event=on_event,
        should_stop=should_stop,
    )

    def write() -> Bundle:
        return prepared.write(bundle_folder, command=command)

    if keep_best:
        prepared.trainer.on_best = write
    return write() if prepared.trainer.run() else None


def prepare(
    config: TrainingConfig,
    dataset: CaptionDataset,
    *,
    checkpoint_folder: Path | None = None,
    on_event: Callable[[TrainingEvent], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> "Prepared":
    """Make everything a training run needs, up to its first step: arguments as for `train`."""
    keras.utils.set_random_seed(config.seed)
    config = config.replace(encoder=fitted(config.encoder, dataset))
    origin = read_bundle(config.start_from) if config.start_from else None
    if config.train_encoder:
        inputs = _pixels(config, dataset, origin)
    else:
        inputs = _features(config, dataset, on_event, should_stop)
    if origin is not None:
        config, vocabulary = config.replace(decoder=origin.decoder), origin.vocabulary
    else:
        captions = (caption for photo in inputs.train_photos for caption in photo.captions)
        vocabulary = Vocabulary.build(captions, min_count=config.min_count)
    decoder = build_decoder(
        config.decoder, vocabulary_size=len(vocabulary), feature_shape=inputs.feature_shape
    )
    if origin is not None:
        source = str(origin.folder / "decoder.safetensors")
        assign_weights(decoder, origin.decoder_arrays(), source=source)
        decoder.heat(config.start_temperature)
    elif inputs.figures is not None:
        decoder.scaling.adapt(*inputs.figures)
    trainer = Trainer(
        config,
        decoder=decoder,
        encoder=inputs.encoder.network if inputs.encoder is not None else None,
        vocabulary=vocabulary,
        train=inputs.train,
        dev=inputs.dev,
        checkpoints=Checkpoints(checkpoint_folder) if checkpoint_folder else None,
        on_event=on_event,
        should_stop=should_stop,
    )
    return Prepared(config, dataset, inputs, trainer, origin)


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
class Prepared:
    """A run that is ready to begin.

    Attributes:
        config: with the open fields filled in.
        dataset: what it learns from.
        inputs: where its photos come from.
        trainer: which does the work.
        origin: the model whose decoder it begins with, if there is one.
    """

    config: TrainingConfig
    dataset: CaptionDataset
    inputs: Inputs
    trainer: Trainer
    origin: Bundle | None = None

    def write(self, folder: Path, *, command: str = "") -> Bundle:
        """Write the weights the model has now as a bundle.

        Raises:
            BundleError: it cannot be written.
        """
        config, trainer = self.config, self.trainer
        network, progress, kept = trainer.encoder, trainer.progress, self.inputs.kept_arrays
        facts = self._facts(command)
        return write_bundle(
            folder,
            encoder=config.encoder,
            decoder=config.decoder,
            feature_shape=self.inputs.feature_shape,
            decoding=config.decoding,
            vocabulary=trainer.vocabulary,
            decoder_arrays=weights_of(trainer.decoder),
            encoder_arrays=weights_of(network) if network is not None else kept,
            encoder_from=config.encoder_from if network is None and kept is None else None,
            metrics={"training": facts},
            history=progress.history,
            card=training_card(config, self.dataset, progress, facts),
        )

    def _facts(self, command: str) -> dict[str, Any]:
        """Return what `metrics.json` tells of the training, with what came before it."""
        progress = self.trainer.progress
        facts = {
            "data": self.dataset.name,
            "photos": len(self.inputs.train_photos),
            "best_epoch": progress.history[progress.best_epoch]["epoch"],
            "seconds": round(progress.seconds, 1),
            "configuration": self.config.to_dict(),
            "command": command,
        }
        if self.origin is not None:
            before = (self.origin.metrics or {}).get("training", {})
            facts["began_with"] = {"model": self.origin.name, **before}
        return facts


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


def _features(
    config: TrainingConfig,
    dataset: CaptionDataset,
    on_event: Callable[[TrainingEvent], None],
    should_stop: Callable[[], bool],
) -> Inputs:
    """Read features from the store; photos are encoded first if that was never done."""
    arrays, lent = lent_encoder(config.encoder_from) if config.encoder_from else (None, True)

    def tell(progress: Progress) -> None:
        on_event({"event": "features", **vars(progress)})

    def stored(view: View) -> FeatureStore:
        folder = store_folder(config.encoder, dataset, arrays=arrays, view=view)
        try:
            return FeatureStore(folder)
        except FeaturesError:
            encoder = load_encoder(config.encoder, arrays=arrays)
            return extract_features(
                encoder,
                dataset,
                folder,
                view=view,
                on_progress=tell,
                should_stop=should_stop,
            )

    shown = views(crops=config.crops, flips=config.horizontal_flip)
    stores = [stored(view) for view in shown]
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


def _pixels(config: TrainingConfig, dataset: CaptionDataset, origin: Bundle | None) -> Inputs:
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
    train, of_train = _from_pixels(encoder, dataset, chosen_train, shown)
    dev, of_dev = _from_pixels(encoder, dataset, chosen_dev)
    return Inputs(
        train_photos=train,
        train=replace(of_train, **_further_views(config, of_train)),
        dev=of_dev,
        feature_shape=encoder.feature_shape,
        encoder=encoder,
    )


def _from_pixels(
    encoder: Encoder,
    dataset: CaptionDataset,
    photos: Sequence[Photo],
    shown: Sequence[View] = (View(),),
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
