"""Where BLEU misleads, in the data at hand: right captions it punishes, wrong ones it praises.

Right but low: a person's own caption, scored against what the others wrote about the same photo.
Wrong but high: a caption of another photo, scored against this one's references, that contradicts
them: it names another colour than they do, or men where they name women.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from captioning.analysis.agreement import Agreement
from captioning.analysis.bleu_breakdown import sentence_scores
from captioning.datasets import CaptionDataset, Photo
from captioning.text import tokenize

__all__ = ["MisleadingScore", "right_but_low", "wrong_but_high"]

# Words of one group may stand for one another; words of another group of its kind contradict them.
_KINDS = (
    (
        {"man", "men", "boy", "boys", "guy", "guys", "he", "his"},
        {"woman", "women", "girl", "girls", "lady", "ladies", "she", "her"},
    ),
    (
        {"black"},
        {"white"},
        {"red", "pink", "orange"},
        {"blue", "purple"},
        {"green"},
        {"yellow", "gold", "tan", "beige", "brown"},
        {"gray", "grey", "silver"},
    ),
)
_GROUP = {w: (kind, g) for kind in _KINDS for g, group in enumerate(kind) for w in group}


@dataclass(frozen=True)
class MisleadingScore:
    """A caption whose score says the opposite of what is true.

    Attributes:
        photo: the photo it is scored on.
        hypothesis: the caption, raw.
        references: what it is scored against, raw.
        bleu: BLEU-1 to BLEU-4, x100.
        source: the photo it was written about, if another one.
        wrong_words: words of it that contradict the references.
    """

    photo: Photo
    hypothesis: str
    references: tuple[str, ...]
    bleu: tuple[float, ...]
    source: Photo | None = None
    wrong_words: tuple[str, ...] = ()


def right_but_low(
    dataset: CaptionDataset, agreement: Agreement, *, count: int = 5, least_words: int = 6
) -> list[MisleadingScore]:
    """Return people's captions that share the fewest words with the others of their photo.

    Args:
        dataset: the one `agreement` was measured on.
        agreement: of the split to look in.
        count: how many, at most one of a photo.
        least_words: shorter captions are left out; a slip of the keyboard is no example.
    """
    said = agreement.statistics[:, -2]
    unigrams = agreement.statistics[:, 0] / np.maximum(said, 1)
    order = [int(i) for i in np.lexsort((-said, unigrams)) if said[i] >= least_words]
    found: dict[str, MisleadingScore] = {}
    for place in order:
        photo = dataset[agreement.names[agreement.photo_of[place]]]
        if photo.name not in found:
            number = int(agreement.number[place])
            others = (*photo.captions[:number], *photo.captions[number + 1 :])
            caption = photo.captions[number]
            found[photo.name] = MisleadingScore(
                photo, caption, others, sentence_scores(caption, others)
            )
        if len(found) == count:
            break
    return list(found.values())


def wrong_but_high(
    dataset: CaptionDataset, split: str, *, count: int = 5, tried: int = 400
) -> list[MisleadingScore]:
    """Return captions of other photos that score best where they are plainly wrong.

    Candidates are the pairs of photos that share most four-word sequences; the `tried` best of
    them are scored.

    Args:
        dataset: where to look.
        split: "train", "dev" or "test".
        count: how many, at most one of a photo.
        tried: how many pairs of a photo and a caption to score.

    Raises:
        DatasetError: there is no such split.
    """
    photos = dataset.split(split)
    scored = [
        MisleadingScore(
            photo, caption, photo.captions, sentence_scores(caption, photo.captions), source, wrong
        )
        for photo, source, caption, wrong in _candidates(photos, tried)
    ]
    found: dict[str, MisleadingScore] = {}
    for example in sorted(scored, key=lambda e: (-e.bleu[-1], e.photo.name, e.hypothesis)):
        taken = {e.hypothesis for e in found.values()}
        if example.photo.name not in found and example.hypothesis not in taken:
            found[example.photo.name] = example
    return list(found.values())[:count]


def _candidates(
    photos: Sequence[Photo], tried: int
) -> Iterator[tuple[Photo, Photo, str, tuple[str, ...]]]:
    """Yield (photo, source, caption of source, words wrong of photo), most four-grams first."""
    words = [[tokenize(caption) for caption in photo.captions] for photo in photos]
    known = [set().union(*captions) for captions in words]
    having: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for place, captions in enumerate(words):
        for gram in set().union(*map(_four_grams, captions)):
            having[gram].add(place)
    pairs: list[tuple[float, int, int, int, tuple[str, ...]]] = []
    for source, captions in enumerate(words):
        for number, caption in enumerate(captions):
            for share, place in _sharing(caption, source, having):
                wrong = tuple(w for w in caption if _contradicts(w, known[place]))
                if wrong:
                    pairs.append((-share, place, source, number, wrong))
    for _, place, source, number, wrong in sorted(pairs)[:tried]:
        yield photos[place], photos[source], photos[source].captions[number], wrong


def _contradicts(word: str, known: set[str]) -> bool:
    """Tell whether references with these words name others of its kind and none of its group."""
    if word not in _GROUP:
        return False
    kind, own = _GROUP[word]
    return not kind[own] & known and any(group & known for group in kind)


def _sharing(
    caption: Sequence[str], source: int, having: dict[tuple[str, ...], set[int]]
) -> Iterator[tuple[float, int]]:
    """Yield the other photos that have at least half of a caption's four-grams, and the share."""
    grams = _four_grams(caption)
    if len(grams) < 3:
        return
    matches: dict[int, int] = defaultdict(int)
    for gram in grams:
        for place in having[gram]:
            matches[place] += 1
    for place, count in matches.items():
        if place != source and 2 * count >= len(grams):
            yield count / len(grams), place


def _four_grams(words: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + 4]) for i in range(len(words) - 3)}
