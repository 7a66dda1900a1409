"""How often the words that the app marks as doubtful are wrong, compared with the other words.

    python -m benchmarks.doubted_words --model NAME --data DIR [--data DIR] [--split dev]

A content word counts as wrong if no reference of the photo has a form of it ("dogs" for "dog").
References leave out much of what a photo shows, so both shares are too high; their distance says
what a mark is worth.
"""

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from captioning.analysis.caption_index import stem
from captioning.caption import DOUBTED, Word
from captioning.captioner import Captioner
from captioning.datasets import CaptionDataset, load
from captioning.text import STOP_WORDS, tokenize

LIMITS = (0.1, DOUBTED, 0.5)


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
        words = _words(captioner, dataset, asked.split)
        print(f"{dataset.name}, {asked.split}, {captioner.name}, the model's usual decoding")
        for limit in LIMITS:
            print(f"  {report(words, limit)}", flush=True)
    return 0


def _words(captioner: Captioner, dataset: CaptionDataset, split: str) -> list[Judged]:
    photos = dataset.split(split)
    # The model's own words: neutral words for people have no probabilities.
    decoding = captioner.bundle.decoding.replace(gender_certainty=0.0)
    captions = [
        caption
        for features in captioner.look(dataset, photos)
        for caption in captioner.describe(features, decoding)
    ]
    return [
        word
        for caption, photo in zip(captions, photos, strict=True)
        for word in judge(caption.words, photo.captions)
    ]


if __name__ == "__main__":
    sys.exit(main())
