"""Small changes to a sentence with a known effect on its meaning, to test a score."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from captioning.errors import ConfigError
from captioning.lessons.lexicon import CONTRADICTIONS, SMALL_WORDS, SYNONYMS, thing_of
from captioning.metrics import bleu_from_statistics, bleu_statistics
from captioning.text import tokenize

_ARTICLES = frozenset("a an the one two".split())


@dataclass(frozen=True, slots=True)
class Edit:
    """A sentence with one thing changed.

    Attributes:
        kind: "synonym", "order", "negation", "wrong", "repeated" or "shortened".
        title: what was done, in a few words.
        text: the changed sentence, cleaned.
        keeps_truth: whether it is still true if the first one was.
    """

    kind: str
    title: str
    text: str
    keeps_truth: bool


def edits_of(sentence: str) -> list[Edit]:
    """Return the changes that this sentence allows; each kind at most once.

    >>> [edit.text for edit in edits_of("A big dog runs .")][:2]
    ['a large dog runs', 'a runs dog big']
    """
    words = tokenize(sentence)
    if len(words) < 2:
        return []
    return [edit for make in _MAKERS for edit in make(words) if edit.text != " ".join(words)]


@dataclass(frozen=True, slots=True)
class Duel:
    """Two sentences about one photo of which the score prefers the wrong one.

    Attributes:
        photo: its place among the photos given.
        right: what a person wrote about it, raw.
        wrong: another person's sentence about it with one word that makes it false, cleaned.
        false_word: that word, and `true_word` the one it stands for.
        true_word: see there.
        references: what both are scored against, raw: all captions but `right`.
        right_bleu: BLEU-4 of `right`, x100.
        wrong_bleu: BLEU-4 of `wrong`, x100.
    """

    photo: int
    right: str
    wrong: str
    false_word: str
    true_word: str
    references: tuple[str, ...]
    right_bleu: float
    wrong_bleu: float


def find_duel(captions: Sequence[Sequence[str]]) -> Duel | None:
    """Find the pair of a right and a wrong sentence that BLEU-4 misjudges most.

    The wrong one is a reference with a single word replaced by its contradiction, so it is as
    fluent as a person's sentence and false for sure.

    Args:
        captions: for each photo what people wrote about it, raw.

    Returns:
        The widest misjudgement; None where no photo has three captions and a word to contradict.
    """
    found = (duel for place, texts in enumerate(captions) for duel in _duels(place, texts))
    best = max(found, key=lambda duel: duel.wrong_bleu - duel.right_bleu, default=None)
    return best if best is not None and best.wrong_bleu > best.right_bleu else None


def _duels(photo: int, captions: Sequence[str]) -> Iterator[Duel]:
    for number, right in enumerate(captions):
        others = (*captions[:number], *captions[number + 1 :])
        if len(others) < 2:
            continue
        known = {word for text in captions for word in tokenize(text)}
        right_bleu = _bleu_4(tokenize(right), others)
        for other in others:
            words = tokenize(other)
            place, false = _contradicted(words, known)
            if false:
                wrong = [*words[:place], false, *words[place + 1 :]]
                pair = (" ".join(wrong), false, words[place])
                yield Duel(photo, right, *pair, others, right_bleu, _bleu_4(wrong, others))


def _contradicted(words: Sequence[str], known: set[str]) -> tuple[int, str]:
    """Return the place of a word, and a word that contradicts it and is in no reference."""
    for place, word in enumerate(words):
        false = CONTRADICTIONS.get(word, "")
        if false and false not in known:
            return place, false
    return 0, ""


def _bleu_4(words: Sequence[str], references: Sequence[str]) -> float:
    if not references:
        raise ConfigError("There is no reference to score against. Give at least one.")
    counts = bleu_statistics(words, [tokenize(text) for text in references])
    return 100 * bleu_from_statistics(counts).bleu[3]


def _synonym(words: Sequence[str]) -> Iterator[Edit]:
    for place, word in enumerate(words):
        if word in SYNONYMS:
            text = _joined(words, place, SYNONYMS[word])
            yield Edit("synonym", f"'{word}' becomes '{SYNONYMS[word]}'", text, True)
            return


def _order(words: Sequence[str]) -> Iterator[Edit]:
    places = [place for place, word in enumerate(words) if thing_of(word)]
    if len({words[place] for place in places}) < 2:
        places = [place for place, word in enumerate(words) if word not in SMALL_WORDS]
    if not places:
        return
    first = places[0]
    for other in reversed(places):
        if words[other] != words[first]:
            swapped = list(words)
            swapped[first], swapped[other] = words[other], words[first]
            title = f"'{words[first]}' and '{words[other]}' change places"
            yield Edit("order", title, " ".join(swapped), False)
            return


def _negation(words: Sequence[str]) -> Iterator[Edit]:
    place = next((p for p, word in enumerate(words) if word in _ARTICLES), None)
    if place is None:
        yield Edit("negation", "'no' before the sentence", " ".join(["no", *words]), False)
        return
    title = f"'{words[place]}' becomes 'no'"
    yield Edit("negation", title, _joined(words, place, "no"), False)


def _wrong(words: Sequence[str]) -> Iterator[Edit]:
    for place, word in enumerate(words):
        if word in CONTRADICTIONS:
            false = CONTRADICTIONS[word]
            yield Edit("wrong", f"'{word}' becomes '{false}'", _joined(words, place, false), False)
            return


def _repeated(words: Sequence[str]) -> Iterator[Edit]:
    place = next((p for p, word in enumerate(words) if word not in SMALL_WORDS), 0)
    word = words[place]
    text = " ".join([*words[: place + 1], word, word, *words[place + 1 :]])
    yield Edit("repeated", f"'{word}' three times", text, True)


def _shortened(words: Sequence[str]) -> Iterator[Edit]:
    kept = words[: max(2, len(words) // 2)]
    yield Edit("shortened", f"only the first {len(kept)} words", " ".join(kept), True)


def _joined(words: Sequence[str], place: int, word: str) -> str:
    return " ".join([*words[:place], word, *words[place + 1 :]])


_MAKERS = (_synonym, _order, _negation, _wrong, _repeated, _shortened)
