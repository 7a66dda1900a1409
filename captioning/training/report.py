"""The reports of a run: about its data, whether its model is good, and the model card.

The verdict compares the model with what it must beat on dev: the commonest caption, and the model
that it started from.  The card says what a model is, how it was trained, its scores and its limits.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from captioning.bundle import SCORES_BEGIN, SCORES_END
from captioning.config import TrainingConfig
from captioning.datasets import CaptionDataset
from captioning.errors import TrainingError
from captioning.metrics import format_headline, score_captions
from captioning.text import clean, tokenize
from captioning.training.checkpoints import Progress
from captioning.vocabulary import SPECIAL, Vocabulary

_EXAMPLES = 3
# Every data set has rare words that stay unknown: 2 to 3 % of the words of Flickr8k.
_MANY_UNKNOWN = 0.2


def data_report(
    datasets: Sequence[CaptionDataset],
    unreadable: Mapping[str, str],
    captions: Sequence[Sequence[str]],
    vocabulary: Vocabulary,
    max_length: int,
) -> list[str]:
    """Return sentences about the data of a run.

    Args:
        datasets: all data sets of the run.
        unreadable: photos that were left out, with the reason.
        captions: of each training photo.
        vocabulary: of the model.
        max_length: maximum steps of a caption, one more than its maximum words.
    """
    report = [dataset.summary() for dataset in datasets]
    if unreadable:
        report.append(unreadable_photos(unreadable))
    texts = [tokenize(caption) for of_photo in captions for caption in of_photo]
    cut = sum(len(words) > max_length - 1 for words in texts)
    if cut:
        report.append(
            f"{cut:,} of {len(texts):,} training captions are longer than {max_length - 1} words "
            "and are cut."
        )
    counts = Counter(word for words in texts for word in words)
    unknown = sum(count for word, count in counts.items() if word not in vocabulary)
    share = unknown / max(1, counts.total())
    if share > _MANY_UNKNOWN:
        report.append(
            f"{share:.0%} of the words in the training captions are too rare to be learned. Lower "
            "'min_count', or add photos."
        )
    return report


def new_words(words: Sequence[str], model: str) -> str:
    """List the words that are added to a model's vocabulary, the first few by name."""
    shown = ", ".join(words[:_EXAMPLES]) + (", ..." if len(words) > _EXAMPLES else "")
    if len(words) == 1:
        return f"1 word is new to {model} and is added to its vocabulary: {shown}."
    return f"{len(words):,} words are new to {model} and are added to its vocabulary: {shown}."


def unreadable_photos(unreadable: Mapping[str, str]) -> str:
    """List photos that cannot be read and why, the first few by name."""
    count = len(unreadable)
    reasons = " ".join(list(unreadable.values())[:_EXAMPLES])
    first = f"{count:,} photo{'s' * (count > 1)} cannot be read and {'are' if count > 1 else 'is'}"
    more = f" {count - _EXAMPLES:,} more are not shown." if count > _EXAMPLES else ""
    return f"{first} left out: {reasons}{more}"


def check_vocabulary(vocabulary: Vocabulary, min_count: int) -> None:
    """Check that the vocabulary has words.

    Raises:
        TrainingError: the vocabulary holds only special tokens.
    """
    if len(vocabulary) <= len(SPECIAL):
        raise TrainingError(
            f"No word occurs {min_count} times in the training captions, so there is nothing to "
            "learn. Lower 'min_count' (--set min_count=1), or add captions."
        )


def dev_baselines(
    train: Sequence[Sequence[str]],
    dev: Sequence[Sequence[str]],
    *,
    start: str | None = None,
    start_cider: float | None = None,
) -> dict[str, Any]:
    """Score on dev what needs no training.

    Args:
        train: the captions of each training photo.
        dev: the captions of each dev photo.
        start: name of the model that the training started from.
        start_cider: CIDEr of that model on the same dev photos.

    Returns:
        Plain data for `metrics.json`: CIDEr of the commonest training caption (of several, the
        first) given to every photo; name and CIDEr of the model at the start, if they are given.
        The caption itself is left out: a model's folder holds no caption of its data.
    """
    counts = Counter(clean(caption) for of_photo in train for caption in of_photo)
    commonest = counts.most_common(1)[0][0]
    found: dict[str, Any] = {
        "photos": len(dev),
        "commonest_cider": score_captions([commonest] * len(dev), dev).cider,
    }
    if start is not None and start_cider is not None:
        found |= {"start": start, "start_cider": start_cider}
    return found


def verdict(baselines: Mapping[str, Any], cider: float, *, share: float = 0.0) -> str:
    """Say in a few sentences whether a model beats the baselines.

    Args:
        baselines: as `dev_baselines` returns them.
        cider: of the model, on the same photos.
        share: of the weights before training in the finished model.

    >>> print(verdict({"photos": 30, "commonest_cider": 9.0}, 41.0))
    CIDEr on 30 dev photos: 41.0. The commonest caption for every photo: 9.0. The model is better.
    """
    if baselines["photos"] < 2:
        return "One dev photo cannot tell models apart: CIDEr of a single photo is always 0."
    start = baselines.get("start")
    rivals = {"the commonest caption": baselines["commonest_cider"]}
    parts = [
        f"CIDEr on {baselines['photos']:,} dev photo{'s' * (baselines['photos'] != 1)}: "
        f"{cider:.1f}.",
        f"The commonest caption for every photo: {baselines['commonest_cider']:.1f}.",
    ]
    if start is not None:
        rivals[f"{start} without training"] = baselines["start_cider"]
        parts.append(f"{start} without training on these photos: {baselines['start_cider']:.1f}.")
    if share == 1.0:
        parts.append(
            f"{start} was already as good without training, so the finished model has its weights, "
            "unchanged. More photos usually help."
        )
        return " ".join(parts)
    if share:
        parts.append(
            f"The weights are an average, {share:.0%} of {start} and {1 - share:.0%} trained."
        )
    unbeaten = [name for name, score in rivals.items() if cider <= score]
    if unbeaten:
        parts.append(
            f"The model is not better than {' or '.join(unbeaten)}. More photos usually help."
        )
    else:
        parts.append("The model is better." if len(rivals) == 1 else "The model beats both.")
    return " ".join(parts)


_MARKUP, _ESCAPED = re.compile(r"[<>`*\[\]]"), r"\\\g<0>"

_LIMITS = {
    "flickr8k": (
        "It was trained on 6,000 photos of people and dogs, mostly outdoors, and describes what "
        "such photos usually show. It cannot describe food, text, screens, drawings, medical or "
        "satellite images. It counts badly, mixes up colours, and calls people man, woman, boy or "
        "girl by their looks, as its training captions do. Do not rely on it where a wrong caption "
        "could harm someone."
    ),
    "everyday": (
        "It was trained on 897 photos of everyday things (food, rooms, animals, streets), so it "
        "names common things and little else."
    ),
    "shapes": "It knows only drawn shapes: any photo gets a caption about shapes.",
}

_LICENCES = {
    "flickr8k": (
        "Flickr8k (Hodosh, Young and Hockenmaier 2013), for research and teaching: captions "
        "CC BY 3.0, photos by their owners on Flickr. This folder contains no photo and no caption."
    ),
    "everyday": (
        "everyday: photos of MS-COCO 2014 (Lin et al. 2014) by their owners on Flickr, captions "
        "CC BY 4.0."
    ),
    "shapes": "Pictures and captions generated by this project, without third-party rights.",
}


def training_card(
    config: TrainingConfig,
    dataset: CaptionDataset,
    progress: Progress,
    facts: Mapping[str, Any],
) -> str:
    """Write the README.md of a bundle, in Markdown.

    Args:
        config: all settings.
        dataset: the training data.
        progress: the epochs of the run.
        facts: the `training` entry of its `metrics.json`.
    """
    decoder, encoder = config.decoder, config.encoder
    network = f"{decoder.cell_name} of {decoder.units} units ({decoder.kind})"
    best = progress.history[progress.best_epoch]
    names = [dataset.name, *facts.get("extra_data", ())]
    licences = " ".join(_LICENCES.get(name, f"{name}: see its terms of use.") for name in names)
    known = [_LIMITS[name] for name in names if name in _LIMITS]
    limits = "\n\n".join(known) or "It can describe what its training photos show, and little else."
    extra = _sentences(config) + _summary(facts)
    splits = "split" if len(names) == 1 else "splits"
    minutes = progress.seconds / 60
    before = _origin(facts.get("began_with")) + _average(config, facts) + _teachers(config)
    chosen = "epoch and the share" if len(facts.get("cider_by_share", ())) > 1 else "epoch"
    decoding = f"beam {config.decoding.beam_width}, {best['n']:,} photos"
    return f"""# {config.name}

The encoder {encoder.name} ({encoder.layer}, {encoder.input_size} pixels) reads a photo, and
{network} writes a caption.

## Training

- Data: the training {splits} of {" and ".join(names)}, {facts["photos"]:,} photos. {licences}
{extra}{before}- Command: `{facts["command"] or "python -m captioning train"}`
- Seed {config.seed}, {len(progress.history)} epochs in {minutes:.0f} minutes; epoch
  {best["epoch"]} had the best CIDEr on dev.
- All settings are in `metrics.json`, all epochs in `history.jsonl`.

## Results

On dev, which was used to choose the {chosen}: {format_headline(facts["dev"])} ({decoding}).
{_plain(facts["verdict"])}

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
    return "".join(f"- {_plain(text)}\n" for text in sentences)


def _plain(text: str) -> str:
    """Escape Markdown: names of files and captions are anybody's words, never a link or HTML."""
    return _MARKUP.sub(_ESCAPED, text)


def _origin(before: Mapping[str, Any] | None, *, whose: str = "It") -> str:
    """Describe the model that this training started from, and its own origin."""
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
        f"- {whose} started with the weights of {name}{made}.\n"
        f"{_origin(before.get('began_with'), whose=name)}"
    )


def _average(config: TrainingConfig, facts: Mapping[str, Any]) -> str:
    share, tried = facts.get("start_share", 0.0), facts.get("cider_by_share", {})
    if not tried:
        return ""
    text = f"{share:.0%} of {config.start_from} and {1 - share:.0%} of the epoch below"
    text = f"- Trained weights and the start's are averaged: {text}"
    if len(tried) > 1:
        ciders = ", ".join(f"{float(s):.0%}: {cider:.1f}" for s, cider in tried.items())
        mean = ", the mean of the data sets," if config.extra_data else ""
        text += f". The share was chosen on dev (CIDEr{mean} with a share of {ciders})"
    return f"{text}.\n"


def _teachers(config: TrainingConfig) -> str:
    if not config.teachers:
        return ""
    return f"- Besides the true words, it learned from {' and '.join(config.teachers)}.\n"
