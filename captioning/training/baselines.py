"""What a new model must beat on dev: the commonest caption, and the model it started from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from captioning.metrics import score_captions
from captioning.text import clean


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
