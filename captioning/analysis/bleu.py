"""BLEU of one caption step by step, and captions of a data set whose BLEU misleads.

Right but low: a person's caption, scored against what the others wrote about the same photo.
Wrong but high: a caption of another photo that contradicts this photo's references: it names
another colour than they do, or men where they name women.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from captioning.analysis.agreement import Agreement
from captioning.datasets import CaptionDataset, Photo
from captioning.metrics import BleuScore, bleu_from_statistics, bleu_statistics, clip_ngrams
from captioning.metrics.ngrams import MAX_ORDER
from captioning.text import tokenize

Verdict = Literal["counted", "clipped", "absent"]


@dataclass(frozen=True, slots=True)
class MarkedWord:
    """A word and the longest n-gram through it that hypothesis and references share.

    Attributes:
        word: the word.
        order: words in that n-gram, 1 to 4; 0 if not even the word is shared.
        joined: whether the word before it and this one stand in a shared n-gram together.
    """

    word: str
    order: int
    joined: bool


@dataclass(frozen=True, slots=True)
class NgramUse:
    """One n-gram of the hypothesis, at one place.

    Attributes:
        words: the n-gram.
        start: the place of its first word in the hypothesis.
        verdict: "counted"; "clipped" if it occurs more often than in any reference; or
            "absent" from all references.
        found_in: the references that have it, numbered from 0.
    """

    words: tuple[str, ...]
    start: int
    verdict: Verdict
    found_in: tuple[int, ...]


@dataclass(frozen=True)
class BleuDrawing:
    """A hypothesis, its references, and its score.

    Attributes:
        hypothesis: its words, each marked by the longest match through it.
        references: likewise, marked by what the hypothesis shares with each.
        ngrams: for orders 1 to 4, every n-gram of the hypothesis from left to right.
        score: BLEU-1 to BLEU-4 with the numbers they are made of.
        nearest: the reference whose length counts, numbered from 0.
    """

    hypothesis: tuple[MarkedWord, ...]
    references: tuple[tuple[MarkedWord, ...], ...]
    ngrams: tuple[tuple[NgramUse, ...], ...]
    score: BleuScore
    nearest: int


def draw_bleu(hypothesis: str, references: Sequence[str]) -> BleuDrawing:
    """Explain BLEU of one caption.

    Args:
        hypothesis: a caption as it is written.
        references: at least one, likewise.

    Raises:
        ConfigError: there is no reference.

    >>> drawing = draw_bleu("the red the kite", ["The red kite.", "a kite"])
    >>> [(use.words, use.verdict) for use in drawing.ngrams[0]][2]
    (('the',), 'clipped')
    >>> [word.order for word in drawing.references[0]]
    [2, 2, 1]
    """
    words = tokenize(hypothesis)
    truth = [tokenize(reference) for reference in references]
    score = bleu_from_statistics(bleu_statistics(words, truth, max_order=MAX_ORDER))
    shared = [_shared(words, reference) for reference in truth]
    marked = [_mark(reference, grams) for reference, grams in zip(truth, shared, strict=True)]
    sizes = [len(reference) for reference in truth]
    return BleuDrawing(
        hypothesis=_mark(words, set().union(*shared)),
        references=tuple(marked),
        ngrams=tuple(_uses(words, truth, order) for order in range(1, MAX_ORDER + 1)),
        score=score,
        nearest=sizes.index(score.reference_length),
    )


def sentence_scores(hypothesis: str, references: Sequence[str]) -> tuple[float, ...]:
    """Return BLEU-1 to BLEU-4 of one caption, x100.

    Raises:
        ConfigError: there is no reference.
    """
    truth = [tokenize(reference) for reference in references]
    score = bleu_from_statistics(bleu_statistics(tokenize(hypothesis), truth, max_order=MAX_ORDER))
    return tuple(100 * value for value in score.bleu)


def _grams(words: Sequence[str], order: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + order]) for i in range(len(words) - order + 1)]


def _shared(words: Sequence[str], reference: Sequence[str]) -> set[tuple[str, ...]]:
    """Return the n-grams of orders 1 to 4 that both have."""
    return {
        gram
        for order in range(1, MAX_ORDER + 1)
        for gram in set(_grams(words, order)) & set(_grams(reference, order))
    }


def _mark(words: Sequence[str], shared: set[tuple[str, ...]]) -> tuple[MarkedWord, ...]:
    """Mark each word with the order of the longest shared n-gram through it, 0 for none."""
    orders = [0] * len(words)
    for order in range(1, MAX_ORDER + 1):
        for start, gram in enumerate(_grams(words, order)):
            if gram in shared:
                orders[start : start + order] = [order] * order
    joined = [False] + [gram in shared for gram in _grams(words, 2)]
    return tuple(map(MarkedWord, words, orders, joined))


def _uses(words: Sequence[str], truth: Sequence[Sequence[str]], order: int) -> tuple[NgramUse, ...]:
    """List the n-grams of one order; first occurrences are counted, surplus ones are clipped."""
    allowed = {g: c.clipped for g, c in clip_ngrams(words, truth, max_order=order).items()}
    having = [set(_grams(reference, order)) for reference in truth]
    used: Counter[tuple[str, ...]] = Counter()
    uses = []
    for start, gram in enumerate(_grams(words, order)):
        found_in = tuple(number for number, grams in enumerate(having) if gram in grams)
        verdict: Verdict = "absent" if not found_in else "clipped"
        if used[gram] < allowed[gram]:
            verdict = "counted"
        used[gram] += 1
        uses.append(NgramUse(gram, start, verdict, found_in))
    return tuple(uses)


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
_WRONG, _TRIED = 5, 400
"""Examples of wrong captions that are shown, and pairs of a photo and a caption that are scored."""

_GROUP = {w: (kind, g) for kind in _KINDS for g, group in enumerate(kind) for w in group}


@dataclass(frozen=True)
class MisleadingScore:
    """A caption whose score misleads.

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
        least_words: shorter captions, often typing errors, are left out.
    """
    lengths = agreement.statistics[:, -2]
    unigrams = agreement.statistics[:, 0] / np.maximum(lengths, 1)
    order = [int(i) for i in np.lexsort((-lengths, unigrams)) if lengths[i] >= least_words]
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


def wrong_but_high(dataset: CaptionDataset, split: str) -> list[MisleadingScore]:
    """Return captions of other photos that score best where they are plainly wrong.

    Candidates are the pairs of photos that share most four-word sequences; the best of them are
    scored.

    Args:
        dataset: where to look.
        split: "train", "dev" or "test".

    Returns:
        The best, at most one of a photo.

    Raises:
        DatasetError: there is no such split.
    """
    photos = dataset.split(split)
    scored = [
        MisleadingScore(
            photo, caption, photo.captions, sentence_scores(caption, photo.captions), source, wrong
        )
        for photo, source, caption, wrong in _candidates(photos)
    ]
    found: dict[str, MisleadingScore] = {}
    for example in sorted(scored, key=lambda e: (-e.bleu[-1], e.photo.name, e.hypothesis)):
        taken = {e.hypothesis for e in found.values()}
        if example.photo.name not in found and example.hypothesis not in taken:
            found[example.photo.name] = example
    return list(found.values())[:_WRONG]


def _candidates(photos: Sequence[Photo]) -> Iterator[tuple[Photo, Photo, str, tuple[str, ...]]]:
    """Yield (photo, source, caption of source, words wrong of photo), most four-grams first."""
    words = [[tokenize(caption) for caption in photo.captions] for photo in photos]
    known = [set().union(*captions) for captions in words]
    having: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for place, captions in enumerate(words):
        for gram in set().union(*(_grams(words, 4) for words in captions)):
            having[gram].add(place)
    pairs: list[tuple[float, int, int, int, tuple[str, ...]]] = []
    for source, captions in enumerate(words):
        for number, caption in enumerate(captions):
            for share, place in _sharing(caption, source, having):
                wrong = tuple(w for w in caption if _contradicts(w, known[place]))
                if wrong:
                    pairs.append((-share, place, source, number, wrong))
    for _, place, source, number, wrong in sorted(pairs)[:_TRIED]:
        yield photos[place], photos[source], photos[source].captions[number], wrong


def _contradicts(word: str, known: set[str]) -> bool:
    """Return whether references with these words name others of its kind and none of its group."""
    if word not in _GROUP:
        return False
    kind, own = _GROUP[word]
    return not kind[own] & known and any(group & known for group in kind)


def _sharing(
    caption: Sequence[str], source: int, having: dict[tuple[str, ...], set[int]]
) -> Iterator[tuple[float, int]]:
    """Yield the other photos that have at least half of a caption's four-grams, and the share."""
    grams = set(_grams(caption, 4))
    if len(grams) < 3:
        return
    matches: dict[int, int] = defaultdict(int)
    for gram in grams:
        for place in having[gram]:
            matches[place] += 1
    for place, count in matches.items():
        if place != source and 2 * count >= len(grams):
            yield count / len(grams), place
