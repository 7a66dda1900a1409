"""A model's card: what it is, how it was made, how good it is, and what it cannot do."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from captioning.bundle import SCORES_BEGIN, SCORES_END
from captioning.config import TrainingConfig
from captioning.datasets import CaptionDataset
from captioning.metrics import format_headline
from captioning.training.checkpoints import Progress

__all__ = ["training_card"]

_MARKUP, _ESCAPED = re.compile(r"[<>`*\[\]]"), r"\\\g<0>"

_LIMITS = {
    "flickr8k": (
        "It has seen 6,000 photos of people and dogs, mostly outdoors, and says what such photos "
        "usually show. Food, text, screens, drawings, medical or satellite pictures are beyond it. "
        "It counts badly, mixes up colours, and calls people man, woman, boy or girl by their "
        "looks, as the people who wrote its training captions did. Do not rely on it where a wrong "
        "sentence could harm someone."
    ),
    "everyday": (
        "It has seen 897 photos of everyday things (food, rooms, animals, streets), so it names "
        "common things and little else."
    ),
    "shapes": "It knows drawn shapes and nothing else: a photo gets a sentence about shapes.",
}

_LICENCES = {
    "flickr8k": (
        "Flickr8k (Hodosh, Young and Hockenmaier 2013), for research and teaching: captions "
        "CC BY 3.0, photos by their owners on Flickr. No photo and no caption is in this folder."
    ),
    "everyday": (
        "everyday: photos of MS-COCO 2014 (Lin et al. 2014) by their owners on Flickr, captions "
        "CC BY 4.0."
    ),
    "shapes": "Pictures and captions drawn by this project; free of any rights of others.",
}


def training_card(
    config: TrainingConfig,
    dataset: CaptionDataset,
    progress: Progress,
    facts: Mapping[str, Any],
) -> str:
    """Write the README.md of a bundle, in Markdown.

    Args:
        config: every setting.
        dataset: what it learned from.
        progress: its epochs.
        facts: the `training` of its `metrics.json`.
    """
    decoder, encoder = config.decoder, config.encoder
    network = f"{decoder.cell_name} of {decoder.units} units ({decoder.kind})"
    best = progress.history[progress.best_epoch]
    names = [dataset.name, *facts.get("extra_data", ())]
    licences = " ".join(_LICENCES.get(name, f"{name}: see its own terms.") for name in names)
    known = [_LIMITS[name] for name in names if name in _LIMITS]
    limits = "\n\n".join(known) or "It knows what its training photos showed and little else."
    extra = _sentences(config) + _summary(facts)
    splits = "split" if len(names) == 1 else "splits"
    minutes = progress.seconds / 60
    before = _origin(facts.get("began_with")) + _teachers(config)
    decoding = f"beam {config.decoding.beam_width}, {best['n']:,} photos"
    return f"""# {config.name}

{encoder.name} ({encoder.layer}, {encoder.input_size} pixels) reads a photo, and
{network} writes a sentence about it.

## Training

- Data: the training {splits} of {" and ".join(names)}, {facts["photos"]:,} photos. {licences}
{extra}{before}- Command: `{facts["command"] or "python -m captioning train"}`
- Seed {config.seed}, {len(progress.history)} epochs in {minutes:.0f} minutes; epoch
  {best["epoch"]} had the best CIDEr on dev and was kept.
- Every setting stands in `metrics.json`, every epoch in `history.jsonl`.

## Results

On dev, which chose the epoch: {format_headline(best)} ({decoding}).
Measured afterwards by `python -m captioning evaluate --save`:

{SCORES_BEGIN}
{SCORES_END}

Scored against all references of each photo: lower-case, ASCII punctuation stripped, corpus BLEU
without smoothing, ROUGE-L and CIDEr-D as pycocoevalcap computes them, times 100.

## Limits

{limits}
"""


def _sentences(config: TrainingConfig) -> str:
    if not config.sentences:
        return ""
    return (
        f"- It also learned words from the sentences of {Path(config.sentences).name}, which have "
        "no photos.\n"
    )


def _summary(facts: Mapping[str, Any]) -> str:
    sentences = facts.get("data_summary", ())
    # Names of files are anybody's words: none may become a link or HTML.
    return "".join(f"- {_MARKUP.sub(_ESCAPED, text)}\n" for text in sentences)


def _origin(before: Mapping[str, Any] | None, *, whose: str = "It") -> str:
    """Say what a model was before this training, and before that, if it was anything."""
    if not before:
        return ""
    name = before["model"]
    made = f" (`{before['command']}`)" if before.get("command") else ""
    taught = before.get("configuration", {}).get("teachers")
    if "seconds" in before:
        made += f": epoch {before['best_epoch']}, trained for {before['seconds'] / 60:.0f} minutes"
    if taught:
        made += f", with {' and '.join(taught)} as teacher{'s' * (len(taught) > 1)}"
    return (
        f"- {whose} began with the weights of {name}{made}.\n"
        f"{_origin(before.get('began_with'), whose=name)}"
    )


def _teachers(config: TrainingConfig) -> str:
    if not config.teachers:
        return ""
    return f"- Beside the true words it learned from {' and '.join(config.teachers)}.\n"
