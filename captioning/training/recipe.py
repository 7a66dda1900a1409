"""A complete training run, from a configuration and a data set to a bundle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from captioning.arrays import assign_weights, weights_of
from captioning.bundle import Bundle, read_bundle, write_bundle
from captioning.config import TrainingConfig
from captioning.datasets import CaptionDataset
from captioning.datasets.splitting import with_dev
from captioning.decoders import Decoder, build_decoder
from captioning.errors import ConfigError
from captioning.features import fitted
from captioning.metrics import METRICS
from captioning.training.checkpoints import Checkpoints
from captioning.training.dev_scores import DevResult
from captioning.training.fine_tuning import SHARES, Averaged, Growth, average_with_start, grow
from captioning.training.loop import FILMSTRIP, Trainer, TrainingEvent
from captioning.training.report import (
    check_vocabulary,
    data_report,
    dev_baselines,
    new_words,
    training_card,
    verdict,
)
from captioning.training.sentences import Sentences, read_sentences
from captioning.training.sources import Inputs, StoredFeatures, from_features, from_pixels
from captioning.training.teachers import load_teachers
from captioning.vocabulary import Vocabulary


def train(
    config: TrainingConfig,
    dataset: CaptionDataset,
    *,
    extra: Sequence[CaptionDataset] = (),
    bundle_folder: str | Path,
    checkpoint_folder: Path | None = None,
    command: str = "",
    keep_best: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    on_event: Callable[[TrainingEvent], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Bundle | None:
    """Train a model on the training photos of `dataset` and save its best epoch on dev.

    Args:
        config: all settings.
        dataset: the data set; its test split is not read.
        extra: further data sets, each photo of which is shown `config.extra_repeats` times per
            epoch.  The best epoch has the best mean of the data sets' dev CIDEr.
        bundle_folder: of the finished model.
        checkpoint_folder: of the checkpoints; an unfinished run there is resumed.
        command: how the run was started, for the model card.
        keep_best: write the bundle after every best epoch so far, not only at the end.
        callbacks: Keras callbacks, such as `keras.callbacks.EarlyStopping("cider", mode="max")`; an
            epoch's figures are those of `history.jsonl`, and `val_loss` is the loss on dev.
        on_event: called with each `TrainingEvent`, and with "features" while photos are encoded.
        should_stop: called between steps; a true result stops the run, which can be resumed.

    Returns:
        The bundle; None if the run was stopped before its end.

    Raises:
        ConfigError: settings contradict each other or the data.
        BundleError: a model that the settings name cannot be read.
        DatasetError: the data set lacks many photos and the settings do not allow it.
        TrainingError: there are no training data, the data differ from the checkpoint's, or the
            loss is not finite.
        WeightsError: the encoder's weights cannot be found or downloaded.
        FeaturesError: features cannot be written, or their extraction was stopped.
    """
    prepared = prepare(
        config,
        dataset,
        extra=extra,
        checkpoint_folder=checkpoint_folder,
        callbacks=callbacks,
        on_event=on_event,
        should_stop=should_stop,
    )
    start = prepared.score_start(on_event)

    def write(prepared: Prepared = prepared) -> Bundle:
        return prepared.write(Path(bundle_folder), command=command, start=start)

    if keep_best:
        prepared.trainer.on_best = write
    if not prepared.trainer.run():
        return None
    finished = prepared.average(start, on_event)
    return write(finished) if finished is not None else None


def prepare(
    config: TrainingConfig,
    dataset: CaptionDataset,
    *,
    extra: Sequence[CaptionDataset] = (),
    checkpoint_folder: Path | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    on_event: Callable[[TrainingEvent], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> "Prepared":
    """Prepare a training run up to its first step; the arguments are those of `train`."""
    keras.utils.set_random_seed(config.seed)
    _check_combination(config, extra)
    config = config.replace(encoder=fitted(config.encoder, dataset))
    for data in (dataset, *extra):
        if not config.allow_missing:
            data.check_complete("train", "dev")
    dataset = with_dev(dataset)
    get = StoredFeatures((dataset, *extra), on_event, should_stop)
    sentences = read_sentences(config.sentences) if config.sentences else []
    origin = read_bundle(config.start_from) if config.start_from else None
    if config.train_encoder:
        inputs = from_pixels(config, dataset, origin)
    else:
        inputs = from_features(config, get)
    if origin is not None:
        config = config.replace(decoder=origin.decoder)
    growth = _vocabulary(config, inputs, sentences, origin)
    vocabulary = growth.vocabulary
    report = data_report(
        (dataset, *extra),
        inputs.unreadable,
        inputs.train.captions,
        vocabulary,
        config.decoder.max_length,
    )
    if origin is not None and len(growth.like):
        report.append(new_words(vocabulary.words[-len(growth.like) :], origin.name))
    on_event({"event": "data", "sentences": report})
    decoder = _decoder(config, inputs, growth, origin)
    teachers = load_teachers(config.teachers, vocabulary, inputs.train.names_by_source(), get)
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
        taught=teachers.taught,
        sentences=_sentences(config, sentences, vocabulary) if sentences else None,
        callbacks=callbacks,
    )
    return Prepared(config, dataset, inputs, trainer, growth, origin, extra, report)


def _check_combination(config: TrainingConfig, extra: Sequence[CaptionDataset]) -> None:
    """Refuse settings that exclude each other.

    Raises:
        ConfigError: they do.
    """
    if config.teachers and config.objective != "cross_entropy":
        raise ConfigError(
            "Teachers work only with cross_entropy; self_critical learns from rewards."
        )
    if config.sentences and (config.teachers or config.objective != "cross_entropy"):
        raise ConfigError("Sentences without photos work only with cross_entropy without teachers.")
    if config.start_share and (config.start_from is None or config.train_encoder):
        raise ConfigError(
            "start_share averages the decoder with the one of start_from: name a model there, and "
            "do not train the encoder."
        )
    if config.train_encoder and extra:
        raise ConfigError("train_encoder works with one data set; remove extra_data.")


def _vocabulary(
    config: TrainingConfig, inputs: Inputs, sentences: Sequence[str], origin: Bundle | None
) -> Growth:
    captions = [caption for photo in inputs.train_photos for caption in photo.captions]
    if origin is not None:
        if not config.grow_vocabulary:
            return grow(origin.vocabulary, [], min_count=1)
        return grow(
            origin.vocabulary,
            captions,
            min_count=config.min_count,
            sentences=sentences,
            sentence_min_count=config.sentence_min_count,
        )
    vocabulary = Vocabulary.build(
        captions,
        min_count=config.min_count,
        sentences=sentences,
        sentence_min_count=config.sentence_min_count,
    )
    check_vocabulary(vocabulary, config.min_count)
    return grow(vocabulary, [], min_count=1)


def _decoder(
    config: TrainingConfig, inputs: Inputs, growth: Growth, origin: Bundle | None
) -> Decoder:
    """Build the decoder, with fresh weights or with those of the bundle it starts from."""
    decoder = build_decoder(
        config.decoder,
        vocabulary_size=len(growth.vocabulary),
        feature_shape=inputs.feature_shape,
    )
    if origin is not None:
        source = str(origin.folder / "decoder.safetensors")
        assign_weights(decoder, growth.weights(origin.decoder_arrays()), source=source)
        decoder.heat(config.start_temperature)
    elif inputs.figures is not None:
        decoder.scaling.adapt(*inputs.figures)
    return decoder


def _sentences(
    config: TrainingConfig, sentences: Sequence[str], vocabulary: Vocabulary
) -> Sentences:
    return Sentences(
        sentences,
        vocabulary,
        max_length=config.decoder.max_length,
        per_step=config.sentences_per_step,
        weight=config.sentence_weight,
        seed=config.seed,
    )


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start.

    Attributes:
        config: with all fields filled in.
        dataset: the training data.
        inputs: its photos.
        trainer: the trainer.
        growth: its vocabulary, and the words in it that are new to `origin`.
        origin: the model whose decoder it starts from, if any.
        extra: further data sets.
        report: sentences about the data, for the model card.
        averaged: the trained decoder's average with that of `origin`, if one was made.
    """

    config: TrainingConfig
    dataset: CaptionDataset
    inputs: Inputs
    trainer: Trainer
    growth: Growth
    origin: Bundle | None = None
    extra: Sequence[CaptionDataset] = ()
    report: Sequence[str] = ()
    averaged: Averaged | None = None

    def score_start(self, on_event: Callable[[TrainingEvent], None]) -> DevResult | None:
        """Score the model that the run starts from on dev, before the trainer runs.

        Args:
            on_event: called with "start_scores".

        Returns:
            The scores; None if the run starts from no model, or is asked to stop.
        """
        if self.origin is None:
            return None
        # The decoder still has the weights of `start_from`, also where a checkpoint is continued.
        self.trainer.prepare()
        start = self.trainer.dev_result()
        if start is not None:
            on_event({"event": "start_scores", "model": self.config.start_from, **start.as_dict()})
        return start

    def average(
        self, start: DevResult | None, on_event: Callable[[TrainingEvent], None]
    ) -> "Prepared | None":
        """Average the trained decoder with that of `origin`, if the settings ask for it.

        Args:
            start: what the trainer's decoder achieved on dev before training, if it is known.
            on_event: called with "average" for each share, and with "averaged" for the best.

        Returns:
            The run with the average; None if it is asked to stop meanwhile.
        """
        share = self.config.start_share
        if self.origin is None or self.config.train_encoder or share == 0.0:
            return self

        known = {0.0: self.trainer.best_result()}
        if start is not None and self.config.start_temperature == 1.0:
            known[1.0] = start

        def on_result(share: float, dev: DevResult) -> None:
            on_event({"event": "average", "share": share, **dev.as_dict()})

        averaged = average_with_start(
            self.trainer,
            self.growth.weights(self.origin.decoder_arrays()),
            known=known,
            shares=SHARES if share is None else (share,),
            on_result=on_result,
        )
        if averaged is None:
            return None
        on_event(
            {
                "event": "averaged",
                "share": averaged.share,
                "dev_loss": averaged.dev.loss,
                **averaged.dev.scores.as_dict(),
                "captions": list(averaged.dev.hypotheses[:FILMSTRIP]),
            }
        )
        return replace(self, averaged=averaged)

    def write(self, folder: Path, *, command: str = "", start: DevResult | None = None) -> Bundle:
        """Write the current weights as a bundle.

        Args:
            folder: where to.
            command: how the run was started.
            start: what the model it started from achieves on dev.

        Raises:
            BundleError: it cannot be written.
        """
        config, trainer = self.config, self.trainer
        network, progress, kept = trainer.encoder, trainer.progress, self.inputs.kept_arrays
        facts = self._facts(command, start)
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

    def _facts(self, command: str, start: DevResult | None) -> dict[str, Any]:
        """Return the training facts for `metrics.json`, including the model's origin."""
        progress, dev = self.trainer.progress, self.inputs.dev.captions
        best = progress.history[progress.best_epoch]
        averaged = self.averaged
        share = averaged.share if averaged is not None else 0.0
        finished = averaged.dev.scores.as_dict() if averaged is not None else best
        baselines = dev_baselines(
            self.inputs.train.captions,
            dev[: best["n"]],
            start=self.config.start_from,
            start_cider=start.scores.cider if start is not None else None,
        )
        facts = {
            "data": self.dataset.name,
            "photos": len(self.inputs.train_photos),
            "data_summary": list(self.report),
            **({"extra_data": [d.name for d in self.extra]} if self.extra else {}),
            "best_epoch": best["epoch"],
            "dev": {name: finished[name] for name in (*METRICS, "n") if name in finished},
            "baselines": baselines,
            "verdict": verdict(baselines, finished["cider"], share=share),
            "seconds": round(progress.seconds, 1),
            "configuration": _without_folders(self.config).to_dict(),
            "command": command,
        }
        if averaged is not None:
            facts["start_share"] = share
            facts["cider_by_share"] = {f"{s:g}": cider for s, cider in averaged.cider.items()}
        if self.origin is not None:
            before = (self.origin.metrics or {}).get("training", {})
            facts["began_with"] = {"model": self.origin.name, **before}
        return facts


def _without_folders(config: TrainingConfig) -> TrainingConfig:
    """Remove paths, because a shared model should not reveal its author's folders."""
    return config.replace(sentences=Path(config.sentences).name) if config.sentences else config
