"""What training says about its data before the first step: losses, guesses, unknown words."""

from collections import Counter
from collections.abc import Mapping, Sequence

from captioning.datasets import CaptionDataset
from captioning.errors import TrainingError
from captioning.text import tokenize
from captioning.vocabulary import SPECIAL, Vocabulary

__all__ = ["check_vocabulary", "data_report", "unreadable_photos"]

_EXAMPLES = 3
# Rare words are unknown in every data set: 2 to 3 % of the words of Flickr8k.
_MANY_UNKNOWN = 0.2


def data_report(
    datasets: Sequence[CaptionDataset],
    unreadable: Mapping[str, str],
    captions: Sequence[Sequence[str]],
    vocabulary: Vocabulary,
    max_length: int,
) -> list[str]:
    """Return sentences about the data that a run learns from.

    Args:
        datasets: all of them.
        unreadable: the photos that were left out, with the reason.
        captions: of each training photo.
        vocabulary: the words the model knows.
        max_length: steps of a caption; one word less fits.
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


def unreadable_photos(unreadable: Mapping[str, str]) -> str:
    """Say which photos cannot be read and why, the first few by name."""
    count = len(unreadable)
    reasons = " ".join(list(unreadable.values())[:_EXAMPLES])
    first = f"{count:,} photo{'s' * (count > 1)} cannot be read and {'are' if count > 1 else 'is'}"
    more = f" {count - _EXAMPLES:,} more are not shown." if count > _EXAMPLES else ""
    return f"{first} left out: {reasons}{more}"


def check_vocabulary(vocabulary: Vocabulary, min_count: int) -> None:
    """Make sure that there is a word to learn.

    Raises:
        TrainingError: the vocabulary holds nothing but its special marks.
    """
    if len(vocabulary) <= len(SPECIAL):
        raise TrainingError(
            f"No word occurs {min_count} times in the training captions, so there is nothing to "
            "learn. Lower 'min_count' (--set min_count=1), or add captions."
        )
