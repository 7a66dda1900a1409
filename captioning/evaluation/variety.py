"""What captions are like apart from being right: how long, how varied, how much of it copied."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from captioning.datasets import CaptionDataset
from captioning.text import clean, tokenize

__all__ = ["Variety", "caption_variety", "training_texts"]


@dataclass(frozen=True)
class Variety:
    """Figures about N captions as sentences.

    Attributes:
        mean_length: words in a caption.
        vocabulary: different words in all of them.
        distinct: share of captions among the N that are different ones, 0 to 1; 1 says that no
            two photos got the same.
        copied: share of captions that stand word by word among the training captions, 0 to 1.
    """

    mean_length: float
    vocabulary: int
    distinct: float
    copied: float

    def to_dict(self) -> dict[str, float | int]:
        """Plain data."""
        return asdict(self)


def caption_variety(captions: Sequence[str], training: Collection[str]) -> Variety:
    """Describe captions as sentences.

    Args:
        captions: as text, at least one.
        training: cleaned captions of the training photos, as `training_texts` gives them.
    """
    said = [tokenize(caption) for caption in captions]
    texts = [" ".join(words) for words in said]
    return Variety(
        mean_length=sum(map(len, said)) / len(said),
        vocabulary=len({word for words in said for word in words}),
        distinct=len(set(texts)) / len(texts),
        copied=sum(text in training for text in texts) / len(texts),
    )


def training_texts(dataset: CaptionDataset) -> frozenset[str]:
    """Return the captions of the training photos, cleaned, each once."""
    return frozenset(clean(text) for photo in dataset.split("train") for text in photo.captions)
