"""How often words that a model doubts are wrong, and captions right that leave such details out.

    python -m benchmarks.doubted_words --model NAME --data DIR [--data DIR] [--split dev]

A content word counts as wrong if no reference of the photo has a form of it ("dogs" for "dog"), and
a caption as right if none of its words is wrong.  References leave out much of what a photo shows,
so more words count as wrong than are; the differences say what a mark is worth, and what it is
worth to leave details out.
"""

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from captioning.analysis.caption_index import stem
from captioning.caption import DOUBTED, Caption, Word
from captioning.captioner import Captioner
from captioning.datasets import CaptionDataset, Photo, load
from captioning.text import STOP_WORDS, tokenize

LIMITS = (0.1, DOUBTED, 0.5)
BANDS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
CERTAINTIES = (0.0, 0.2, 0.3, 0.4, 0.5)


class Judged(NamedTuple):
    """A content word of a caption.

    Attributes:
        probability: of the word, 0 to 1.
        wrong: whether no reference has a form of it.
    """

    probability: float
    wrong: bool


def judge(words: Iterable[Word], references: Iterable[str]) -> list[Judged]:
    """Compare the content words of a caption with the references of its photo."""
    known = {stem(word) for text in references for word in tokenize(text)}
    return [
        Judged(math.exp(word.log_prob), stem(word.word) not in known)
        for word in words
        if word.word not in STOP_WORDS
    ]


def report(words: Sequence[Judged], limit: float) -> str:
    """Compare the words below a probability with the others, in one line."""
    marked = [word.wrong for word in words if word.probability < limit]
    others = [word.wrong for word in words if word.probability >= limit]
    return (
        f"below {limit:.0%}: {len(marked) / len(words):.0%} of {len(words):,} words, "
        f"{sum(marked) / max(len(marked), 1):.0%} of them wrong; "
        f"others: {sum(others) / max(len(others), 1):.0%} wrong; "
        f"{sum(marked) / max(sum(marked) + sum(others), 1):.0%} of the wrong words are below"
    )


def report_bands(words: Sequence[Judged]) -> str:
    """Count how many of the words of similar probability are wrong, in one line."""
    parts = []
    for low, high in pairwise(BANDS):
        wrong = [word.wrong for word in words if low <= word.probability < high]
        parts.append(f"{low:.0%} to {high:.0%}: {sum(wrong) / max(len(wrong), 1):.0%}")
    return f"wrong words by probability, {', '.join(parts)}"


def report_details(
    captions: Sequence[Caption], references: Sequence[Iterable[str]], at_least: float
) -> str:
    """Count how many captions are right without the details below a certainty, in one line."""
    right, words = 0, 0
    for caption, texts in zip(captions, references, strict=True):
        decoding = caption.decoding.replace(detail_certainty=at_least)
        kept = replace(caption, decoding=decoding).certain_places
        right += not any(word.wrong for word in judge([caption.words[i] for i in kept], texts))
        words += len(kept)
    count = len(captions)
    return (
        f"details of at least {at_least:.0%}: {right / count:.0%} of {count:,} captions have no "
        f"wrong word; {words / count:.1f} words per caption"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report of each data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="name or folder of a model")
    parser.add_argument("--data", required=True, action="append", type=Path, metavar="DIR")
    parser.add_argument("--split", default="dev")
    asked = parser.parse_args(arguments)
    captioner = Captioner.load(asked.model)
    for folder in asked.data:
        dataset = load(folder)
        photos = dataset.split(asked.split)
        references = [photo.captions for photo in photos]
        captions = _captions(captioner, dataset, photos)
        words = [
            word
            for caption, texts in zip(captions, references, strict=True)
            for word in judge(caption.words, texts)
        ]
        print(f"{dataset.name}, {asked.split}, {captioner.name}, the model's usual decoding")
        for limit in LIMITS:
            print(f"  {report(words, limit)}", flush=True)
        print(f"  {report_bands(words)}", flush=True)
        for certainty in CERTAINTIES:
            print(f"  {report_details(captions, references, certainty)}", flush=True)
    return 0


def _captions(
    captioner: Captioner, dataset: CaptionDataset, photos: Sequence[Photo]
) -> list[Caption]:
    # The model's own words: neutral words for people have no probabilities.
    decoding = captioner.bundle.decoding.replace(gender_certainty=0.0)
    return [
        caption
        for features in captioner.look(dataset, photos)
        for caption in captioner.describe(features, decoding)
    ]


if __name__ == "__main__":
    sys.exit(main())
