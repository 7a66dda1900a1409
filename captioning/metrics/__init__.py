"""How captions are scored: BLEU-1 to BLEU-4, ROUGE-L and CIDEr-D against several references.

`score_captions` takes captions as people write them and gives the figures that are reported, on
the scale of 100.  The functions beneath it take lists of words and keep each metric's own scale.
METEOR and SPICE are left out: both need Java.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from captioning.errors import ConfigError
from captioning.metrics.bleu import (
    BleuScore,
    NgramCount,
    Precision,
    bleu_from_statistics,
    bleu_statistics,
    clip_ngrams,
    corpus_bleu,
)
from captioning.metrics.cider import CiderD, CiderScore, DocumentFrequencies, cider
from captioning.metrics.rouge import RougeScore, longest_common_subsequence, rouge_l
from captioning.text import tokenize

__all__ = [
    "BleuScore",
    "CaptionScores",
    "CiderD",
    "CiderScore",
    "DocumentFrequencies",
    "NgramCount",
    "Precision",
    "RougeScore",
    "bleu_from_statistics",
    "bleu_statistics",
    "cider",
    "clip_ngrams",
    "corpus_bleu",
    "longest_common_subsequence",
    "rouge_l",
    "score_captions",
]


@dataclass(frozen=True, slots=True)
class CaptionScores:
    """The reported figures, all x100.

    Attributes:
        bleu_1: corpus BLEU-1 without smoothing, 0 to 100; BLEU-2 to BLEU-4 likewise.
        rouge_l: mean ROUGE-L, 0 to 100.
        cider: mean CIDEr-D, 0 to 1000, with n-gram frequencies from the scored references.
        n: images scored.
        hypothesis_length: words in all hypotheses.
        reference_length: words in the references nearest in length to the hypotheses.
    """

    bleu_1: float
    bleu_2: float
    bleu_3: float
    bleu_4: float
    rouge_l: float
    cider: float
    n: int
    hypothesis_length: int
    reference_length: int

    def as_dict(self) -> dict[str, float | int]:
        """Return the fields by name, for JSON."""
        return asdict(self)


def score_captions(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> CaptionScores:
    """Score captions by the protocol of this project: all words count, no punctuation, no case.

    Args:
        hypotheses: one caption for each image, as text.
        references: for each image, its reference captions as text (Flickr8k has five).

    Raises:
        ConfigError: captions are not given as text, an image has no reference, there is no image,
            or the two arguments differ in length.

    >>> score_captions(["A red kite.", "Two dogs run"], [["a red kite"], ["two dogs run ."]]).bleu_3
    100.0
    """
    said = _tokenize_each(hypotheses, "The hypotheses")
    truth = [
        _tokenize_each(captions, f"The references of image {image}")
        for image, captions in enumerate(references)
    ]
    bleu = corpus_bleu(said, truth)
    bleu_1, bleu_2, bleu_3, bleu_4 = (100 * value for value in bleu.bleu)
    return CaptionScores(
        bleu_1=bleu_1,
        bleu_2=bleu_2,
        bleu_3=bleu_3,
        bleu_4=bleu_4,
        rouge_l=100 * rouge_l(said, truth).mean,
        cider=100 * cider(said, truth).mean,
        n=len(said),
        hypothesis_length=bleu.hypothesis_length,
        reference_length=bleu.reference_length,
    )


def _tokenize_each(captions: Sequence[str], what: str) -> list[list[str]]:
    """Split each caption into words, refusing one caption, or words, in place of captions."""
    if isinstance(captions, str):
        raise ConfigError(f"{what} are one text, {captions[:40]!r}. Give a list of captions.")
    for caption in captions:
        if not isinstance(caption, str):
            raise ConfigError(
                f"{what} hold a {type(caption).__name__} where a caption is expected as text. "
                "For captions already split into words use corpus_bleu, rouge_l and cider."
            )
    return [tokenize(caption) for caption in captions]
