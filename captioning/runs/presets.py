"""The named training configurations that come with the program."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from captioning.bundle import Bundle
from captioning.config import DecoderConfig, EncoderConfig, TrainingConfig, read_training_config
from captioning.datasets import CaptionDataset
from captioning.datasets.splitting import with_dev
from captioning.errors import ConfigError
from captioning.storage import read_json, shipped_configs
from captioning.text import tokenize

FEW_PHOTOS, FEW_DEV_PHOTOS = 50, 10
"""Below these numbers of training and dev photos a person is warned."""

MANY_PHOTOS = 3000
"""From this many training photos on, a new decoder learns more than a fine-tuned one."""

KNOWN_WORDS = 0.75
"""A model can be fine-tuned if it knows this share of the words in the training captions."""

FAMILIAR_WORDS = 0.95
"""If a model knows less than this share of the words, larger steps teach it new ones."""


@dataclass(frozen=True)
class Preset:
    """A training configuration with a name for people.

    Attributes:
        path: its file.
        title: its name for people, `_title` in the file.
        about: its purpose, `_about` in the file.
        config: the settings.
    """

    path: Path
    title: str
    about: str
    config: TrainingConfig


def presets() -> list[Preset]:
    """Return the configurations in `configs/` that have a `_title`, the quickest first.

    The order is by `_order` in the files.

    Raises:
        ConfigError: one of them is damaged.
    """
    found = []
    for path in sorted(shipped_configs().glob("*.json")):
        config = read_training_config(path)
        notes = read_json(path, dict)
        if "_title" in notes:
            order = notes.get("_order", 100)
            found.append((order, Preset(path, notes["_title"], notes.get("_about", ""), config)))
    return [preset for _, preset in sorted(found, key=lambda pair: (pair[0], pair[1].title))]


def preset_for(dataset: CaptionDataset, data: str, bundle: Bundle | None) -> Preset:
    """Return settings that suit the size and the language of a data set.

    Few photos fine-tune a model; many, or captions in words that it does not know, train a new
    decoder over EfficientNet-Lite2, whose weights need no download.  `about` of the preset says
    which and what to expect.

    Args:
        dataset: what will be learned from.
        data: what to call it; a valid name of a folder.
        bundle: the model to fine-tune; None if there is none.

    Raises:
        ConfigError: the data set has features without photos, or no training captions.
    """
    dataset = with_dev(dataset)
    photos = [photo for photo in dataset.split("train") if photo.captions]
    captions = [caption for photo in photos for caption in photo.captions]
    if not dataset.has_photos or not captions:
        raise ConfigError(
            f"{dataset.name} has no training photos with captions to choose settings by. Name a "
            "configuration with --config."
        )
    if dataset.name == "shapes":
        return next(p for p in presets() if p.config.data == "shapes")
    known = _known_share(captions, bundle)
    if bundle is not None and len(photos) < MANY_PHOTOS and known >= KNOWN_WORDS:
        preset = fine_tuning(bundle, data, photos=len(photos), captions=len(captions), known=known)
        reason = f"{bundle.name} knows {known:.0%} of the words in their captions"
    else:
        preset = _new_decoder(data, photos=len(photos), captions=len(captions))
        reason = "they are enough for a decoder of their own"
        if len(photos) < MANY_PHOTOS:
            reason = f"{bundle.name if bundle else 'no model'} knows {known:.0%} of their words"
    about = f"{len(photos):,} training photos; {reason}. {preset.about} {_warning(dataset)}"
    return replace(preset, about=about.strip())


def _known_share(captions: Sequence[str], bundle: Bundle | None) -> float:
    if bundle is None:
        return 0.0
    words = [word for caption in captions for word in tokenize(caption)]
    return sum(word in bundle.vocabulary for word in words) / max(1, len(words))


def _warning(dataset: CaptionDataset) -> str:
    """Say what a very small data set cannot give; empty if it is large enough."""
    train, dev = (sum(1 for p in dataset.split(s) if p.captions) for s in ("train", "dev"))
    warning = ""
    if train < FEW_PHOTOS:
        warning = (
            f"{train} training photos are very few: the model learns some of their words and "
            "little else. 100 or more are better."
        )
    if dev < FEW_DEV_PHOTOS:
        photos = "1 dev photo gives" if dev == 1 else f"{dev} dev photos give"
        warning += f" {photos} rough scores: expect them to differ on other photos."
    return warning.strip()


def _pace(photos: int, *, steps: int, epochs: int) -> tuple[int, int]:
    """Return batch size and epochs for about `steps` steps and at least `epochs` epochs."""
    size = 8 if photos < 200 else 16 if photos < 1000 else 24
    wanted = round(steps / -(-photos // size))
    return size, min(40, max(epochs, wanted))


def _new_decoder(data: str, *, photos: int, captions: int) -> Preset:
    """Return a preset that trains a decoder from fresh weights, of a size that suits the data."""
    small = photos < MANY_PHOTOS
    size, epochs = _pace(photos, steps=800, epochs=12)
    config = TrainingConfig(
        name=f"{data} new",
        data=data,
        encoder=EncoderConfig(name="efficientnetlite2"),
        decoder=DecoderConfig(
            embedding_size=128 if small else 256, units=256 if small else 384, heads=4
        ),
        min_count=_rarest(captions),
        epochs=epochs,
        images_per_batch=size,
        horizontal_flip=True,
        ema_momentum=0.998,
        score_images=300,
    )
    about = (
        f"A new attention decoder of {config.decoder.units} units reads EfficientNet-Lite2's "
        f"regions and is trained for {config.epochs} epochs."
    )
    if small:
        about += " From so few photos it learns common words and short patterns."
    return Preset(Path(f"train-{data}"), f"Your photos: {data}", about, config)


def _rarest(captions: int) -> int:
    """Return how often a word must occur to be learned, by the number of captions."""
    return 1 if captions < 500 else 2 if captions < 5000 else 3


def fine_tuning(
    bundle: Bundle, data: str, *, photos: int = 300, captions: int = 1500, known: float = 1.0
) -> Preset:
    """Return a preset that trains a model further on a user's data set.

    A fresh decoder learns little from few photos, so the run starts with the weights of the model,
    adds the words that it does not know, takes small steps, and does not change the encoder.

    Args:
        bundle: the model to start from.
        data: name of the data set.
        photos: how many training photos it has.
        captions: how many captions these have.
        known: share of the words in these captions that the model knows.
    """
    size, epochs = _pace(photos, steps=200, epochs=4)
    config = TrainingConfig(
        name=f"{data} {bundle.name}",
        data=data,
        encoder=bundle.encoder,
        encoder_from=_lender(bundle),
        decoder=bundle.decoder,
        start_from=bundle.name,
        grow_vocabulary=True,
        min_count=_rarest(captions),
        decoding=bundle.decoding,
        epochs=epochs,
        images_per_batch=size,
        learning_rate=2e-4 if known >= FAMILIAR_WORDS else 5e-4,
        warmup_steps=20,
        horizontal_flip=True,
        ema_momentum=0.99,
        score_images=300,
    )
    about = (
        f"For your own photos: starts from {bundle.name} instead of fresh weights, and learns "
        "the words that it does not know. A few hundred photos are enough. The captions become "
        "similar to yours."
    )
    return Preset(Path(f"fine-tune-{data}"), f"Your photos: {data}", about, config)


def _lender(bundle: Bundle) -> str | None:
    """Return the model whose trained encoder reads the photos; None for ImageNet's weights."""
    has_own = (bundle.folder / "encoder.safetensors").exists()
    return bundle.encoder_from or (bundle.name if has_own else None)
