"""Leave details out of a caption that the model is not certain of.

Captioners fill their sentences with likely details that are not in the photo (Rohrbach et al.,
"Object Hallucination in Image Captioning", EMNLP 2018).  The rules below split a sentence at its
verbs and prepositions and leave out the parts with an uncertain word, so that the rest is still a
sentence.  They fit the short English captions that models write, not every English sentence.
"""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Literal, NamedTuple

from captioning.config import DecodingConfig
from captioning.text import STOP_WORDS, tokenize

_ADJECTIVES = frozenset(
    "red blue green yellow black white brown pink orange purple gray grey tan blond blonde silver "
    "gold golden dark little young small large big old older tall long wooden brick snowy rocky "
    "grassy sandy wet dirty busy stuffed metal concrete two three four five six".split()
)
"""Colours, sizes, materials and numbers."""

_BEFORE_NOUNS = _ADJECTIVES | {"a", "an", "the", "his", "her", "its", "their"}

_CLOTHES = frozenset(
    "shirt tshirt jacket dress hat coat sweater suit shorts pants top bikini wetsuit uniform vest "
    "outfit jersey helmet cap swimsuit clothes clothing costume sweatshirt jeans skirt".split()
)
_PREPOSITIONS = frozenset(
    "in on at with through down into over by near under behind against along across around from "
    "off onto up between among inside outside towards toward past above below during for".split()
)
_LONG_PREPOSITIONS = (
    ("in", "front", "of"),
    ("on", "top", "of"),
    ("next", "to"),
    ("out", "of"),
    ("on", "the", "side", "of"),
    ("on", "the", "edge", "of"),
    ("at", "the", "edge", "of"),
    ("in", "the", "middle", "of"),
)
_COMPOUNDS = frozenset({("hot", "dog"), ("teddy", "bear"), ("ice", "cream"), ("parking", "lot")})
"""Their second word alone is something else."""

_OF_PLACES = frozenset("in on at near behind under by inside outside next between among".split())
"""A phrase that begins so can follow "is" without another verb: "a man is on a bench"."""

_NO_VERBS = frozenset(
    "building swing clothing railing wedding ring string painting ceiling king wing evening "
    "morning living spring thing something nothing crossing pudding icing bedding sling awning "
    "parking".split()
)
_INCOMPLETE = frozenset("covered filled dressed surrounded topped made loaded lined tied".split())
"""Words that need the phrase after them: "a hill covered" is not a description."""

_PRONOUNS = frozenset("it its his her him their them".split())
"""Phrases with such a word refer to the part before them: "with a stick in its mouth"."""

_IS = frozenset({"is", "are"})
_WHICH = frozenset({"that", "who", "which"})
_ALSO = frozenset({"and", "while"})


class _Part(NamedTuple):
    """The words from `start` to `end`; those before `core` are a preposition, "is" or "and"."""

    kind: Literal["subject", "verb", "phrase"]
    start: int
    core: int
    end: int


def certain_places(
    words: Sequence[str], certain: Sequence[float | None], at_least: float
) -> list[int]:
    """Choose the words of a caption that remain without its uncertain details.

    Words that only describe the next one, such as colours, are left out alone, verbs with their
    objects, and other details with their prepositions.  The noun that the caption is about stays.
    For a verb that the certain words after it need, half of the certainty is enough.

    Args:
        words: the caption's words.
        certain: how certain the model is of each word, 0 to 1; None for a word that stays.
        at_least: a detail stays if all its words are this certain; 0 keeps every detail.

    Returns:
        The places of the remaining words in `words`, in their order.

    >>> def rest(caption, **certain):
    ...     words = caption.split()
    ...     kept = certain_places(words, [certain.get(word, 0.9) for word in words], 0.4)
    ...     return " ".join(words[place] for place in kept)
    >>> rest("a man in a blue shirt is sitting on a bench by a wall", blue=0.3, bench=0.2)
    'a man is sitting by a wall'
    >>> rest("two brown dogs are playing with a ball in a bed", two=0.1, playing=0.2, ball=0.3)
    'brown dogs are in a bed'
    """
    parts = _split(words)
    sure = [1.0 if p is None or w in STOP_WORDS else p for w, p in zip(words, certain, strict=True)]
    uncertain = {place for place, share in enumerate(sure) if share < at_least}
    alone = uncertain & _modifiers(words, parts)
    stays = [_is_certain(words, part, uncertain, alone) for part in parts]
    for number, part in enumerate(parts):
        if part.kind == "verb" and part.core < part.end and sure[part.core] >= at_least / 2:
            doubted = (uncertain - alone) & set(range(part.start, part.end))
            after = parts[number + 1] if number + 1 < len(parts) and stays[number + 1] else None
            stays[number] |= doubted == {part.core} and _is_needed(words, part, after)
    _leave_out_dependent(words, parts, stays)
    kept: set[int] = set()
    has_verb = False
    for number, part in enumerate(parts):
        if stays[number]:
            kept.update(set(range(part.start, part.end)) - alone)
            if part.kind == "verb" and words[part.start] in _ALSO and not has_verb:
                kept.discard(part.start)  # the verb that it joined to this one is left out
            has_verb = has_verb or part.kind == "verb"
        elif words[part.start] in _IS and _goes_on(words, parts[number:], stays[number:]):
            kept.add(part.start)
    # Of "black and white" only one colour may be left.
    loose = {place for place in kept if words[place] == "and" and {place - 1, place + 1} & alone}
    return sorted(kept - loose)


def remaining(words: Sequence[str], kept: Sequence[int]) -> list[str]:
    """Write the words that `certain_places` chose.

    "an" becomes "a" if its word is left out, and a subject alone becomes "a photo of" it.

    >>> " ".join(remaining("an orange cat is sitting".split(), [0, 2, 3, 4]))
    'a cat is sitting'
    >>> " ".join(remaining("a man is sitting".split(), [0, 1]))
    'a photo of a man'
    """
    parts = _split(words)
    is_bare = len(parts) > 1 and all(place < parts[0].end for place in kept)
    written = ["a" if words[i] == "an" and i + 1 not in kept else words[i] for i in kept]
    return ["a", "photo", "of", *written] if is_bare else written


def left_out(words: Sequence[str], kept: Sequence[int]) -> list[str]:
    """Return the details that `certain_places` left out.

    >>> words = "a man in a red hat is sitting on a bench".split()
    >>> left_out(words, [0, 1, 6])
    ['in a red hat', 'sitting', 'on a bench']
    """
    found = []
    for part in _split(words):
        missing = [words[i] for i in range(part.start, part.end) if i not in kept]
        while missing and missing[0] in _IS:
            del missing[0]
        if not STOP_WORDS.issuperset(missing):
            found.append(" ".join(missing))
    return found


def asked_words(decoding: DecodingConfig) -> set[str]:
    """Return the words that a caption was required to have, or to begin with."""
    return {*tokenize(" ".join(decoding.prefix)), *decoding.required_words}


def _split(words: Sequence[str]) -> list[_Part]:
    """Split a caption at its verbs and prepositions; the first part is its subject."""
    parts: list[_Part] = []
    part, place = _Part("subject", 0, 0, len(words)), 1
    while place < len(words):
        begun = _begin_part(words, place, part)
        if begun is not None:
            parts.append(part._replace(end=place))
            part = begun
        place = max(place + 1, part.core)
    return [*parts, part] if words else []


def _begin_part(words: Sequence[str], place: int, current: _Part) -> _Part | None:
    """Return the part that begins at a word; None inside the current part."""
    word, end = words[place], len(words)
    after = words[place + 1] if place + 1 < end else ""
    if word in _WHICH or (word in _ALSO and (after in _IS or _is_verb(words, place + 1))):
        return _Part("verb", place, place + 1 + (after in _IS), end)
    if word in _IS:
        return _Part("verb", place, place + 1, end)
    if word == "and" and current.kind == "phrase" and after in ("a", "an", "the"):
        return _Part("phrase", place, place + 1, end)
    if word in _ALSO and (length := _preposition(words, place + 1)):
        return _Part("phrase", place, place + 1 + length, end)
    if place > current.core and words[current.start] != "with" and _is_verb(words, place):
        return _Part("verb", place, place, end)
    length = _preposition(words, place)
    if length and words[place - 1] not in _INCOMPLETE:
        return _Part("phrase", place, place + length, end)
    return None


def _preposition(words: Sequence[str], place: int) -> int:
    """Return how many words the preposition at a place has; 0 if there is none."""
    for phrase in _LONG_PREPOSITIONS:
        if tuple(words[place : place + len(phrase)]) == phrase:
            return len(phrase) * (place + len(phrase) < len(words))
    # "down" is an adverb in "sits down" and "sits down on a bench", and "up" in "a close up of".
    after = words[place + 1] if place + 1 < len(words) else ""
    return int(
        words[place] in _PREPOSITIONS and after != "" and after not in _PREPOSITIONS | {"of"}
    )


def _is_verb(words: Sequence[str], place: int) -> bool:
    """Return whether a word is a verb in "ing", unlike "flying" in "a flying kite"."""
    if place >= len(words) or not words[place].endswith("ing") or words[place] in _NO_VERBS:
        return False
    return words[place - 1] not in _BEFORE_NOUNS


def _modifiers(words: Sequence[str], parts: Sequence[_Part]) -> set[int]:
    """Return the places of words that describe the next, as "red" and "city" in "red city bus"."""
    found = set()
    for part, after in zip_longest(parts, parts[1:]):
        first = part.core + (part.kind == "verb")
        # "a dog runs through the grass": the subject may end with a verb.
        only_nouns = part.kind != "subject" or (after is not None and after.kind == "verb")
        for place in range(first, part.end - 1):
            before_noun = (
                STOP_WORDS.isdisjoint(words[place : place + 2])
                and not _BEFORE_NOUNS.isdisjoint(words[first:place])
                and tuple(words[place : place + 2]) not in _COMPOUNDS
            )
            if words[place] in _ADJECTIVES or (only_nouns and before_noun):
                found.add(place)
    return found


def _is_certain(words: Sequence[str], part: _Part, uncertain: set[int], alone: set[int]) -> bool:
    if part.kind == "subject":
        return True
    if part.kind == "verb" and part.core == part.end:  # "is" alone
        return False
    if words[part.end - 1] in _CLOTHES and alone & set(range(part.core, part.end)):
        return False  # "in a shirt" says nothing without its colour
    return not (uncertain - alone) & set(range(part.core, part.end))


def _is_needed(words: Sequence[str], verb: _Part, after: _Part | None) -> bool:
    """Return whether the words after a verb need it: "runs through the grass", not "sits on it"."""
    has_object = verb.end > verb.core + 1
    return has_object or (
        after is not None and words[after.start] not in _OF_PLACES | _ALSO | {"with"}
    )


def _leave_out_dependent(words: Sequence[str], parts: Sequence[_Part], stays: list[bool]) -> None:
    """Leave out what cannot stand without the part before it."""
    verb_is_lost = False
    for number, part in enumerate(parts):
        if part.kind == "verb":
            verb_is_lost = not stays[number] and part.core < part.end
            continue
        own = words[part.start : part.end]
        if own[0] == "and" or not _PRONOUNS.isdisjoint(own):
            stays[number] &= part.kind == "subject" or stays[number - 1]
        elif part.kind == "phrase" and verb_is_lost:
            stays[number] &= own[0] in _OF_PLACES | {"with"}


def _goes_on(words: Sequence[str], parts: Sequence[_Part], stays: Sequence[bool]) -> bool:
    """Return whether the "is" of a verb that is left out is still needed for what follows."""
    lost, *rest = parts
    for after, stay in zip(rest, stays[1:], strict=True):
        if stay and after.kind == "verb":  # "is on a bench and reading" becomes "is reading"
            return (_IS | _WHICH).isdisjoint(words[after.start : after.core])
        if stay:
            return words[after.start] != "with" or lost.core == lost.end
        if words[after.start] in _IS:
            return False
    return False
