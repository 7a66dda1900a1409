"""The data report before training: missing photos, guessed settings, unknown words."""

from collections import Counter
from collections.abc import Mapping, Sequence

from captioning.datasets import CaptionDataset
from captioning.errors import TrainingError
from captioning.text import tokenize
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
