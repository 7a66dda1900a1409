"""Words for people: "person" instead of "man" where the model is not certain of the gender.

A model chooses between "man" and "woman" by looks, and it copies the habits of its training data
(Hendricks et al., "Women also Snowboard", ECCV 2018).  Firefox trained its captioner again to
avoid such words; here they are replaced only where the model itself nearly wrote the other one.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from captioning.config import DecodingConfig
from captioning.uncertain_details import asked_words
from captioning.vocabulary import Vocabulary

_FEMALE = {
    **{"woman": "person", "lady": "person", "female": "person", "girl": "child"},
    **{"women": "people", "ladies": "people", "females": "people", "girls": "children"},
}
_MALE = {
    **{"man": "person", "guy": "person", "male": "person", "boy": "child"},
    **{"men": "people", "guys": "people", "males": "people", "boys": "children"},
}

GENDERED: Mapping[str, str] = _FEMALE | _MALE
"""Each word that names a person's gender, and the word that does not."""

_PRONOUNS = {
    "his": "their",
    "her": "their",
    "him": "them",
    "himself": "themselves",
    "herself": "themselves",
}

_ADULT, _CHILD = "person|man|woman|lady|guy|male|female", "child|boy|girl"
_PAIRS = {
    re.compile(rf"\ba person and a (?:{_ADULT})\b|\ba (?:{_ADULT}) and a person\b"): "two people",
    re.compile(rf"\ba child and a (?:{_CHILD})\b|\ba (?:{_CHILD}) and a child\b"): "two children",
}


def certainties(
    words: Sequence[str], log_probs: np.ndarray, vocabulary: Vocabulary
) -> list[float | None]:
    """Return how certain the model is of the gender that each word names.

    Args:
        words: the caption's words, T of them.
        log_probs: float `(T, V)` or longer, natural logarithms over the vocabulary at each word.
        vocabulary: the V words.

    Returns:
        For each word, the share of its gender among all gendered words at its position, 0 to 1;
        None for a word that names no gender.
    """
    female = [vocabulary.id(w) for w in _FEMALE if w in vocabulary]
    male = [vocabulary.id(w) for w in _MALE if w in vocabulary]
    found: list[float | None] = []
    for word, row in zip(words, log_probs, strict=False):
        if word not in GENDERED:
            found.append(None)
            continue
        likely = np.exp(row)
        women, men = float(likely[female].sum()), float(likely[male].sum())
        own = women if word in _FEMALE else men
        found.append(own / (women + men) if women + men else 0.0)
    return found


def neutral_words(words: Sequence[str], certain: Sequence[float | None], at_least: float) -> str:
    """Write a caption without the genders that the model is not certain of.

    Pronouns follow if no gendered noun is left: they refer to a person whose gender is not named.

    Args:
        words: the caption's words.
        certain: what `certainties` returned for them.
        at_least: a gendered word stays if its certainty is this high; 0 keeps all of them.

    >>> neutral_words("a man and a woman sit".split(), [None, 0.7, None, None, 0.99, None], 0.9)
    'two people sit'
    >>> neutral_words(["a", "man", "rides", "his", "bike"], [None, 0.7, None, None, None], 0.9)
    'a person rides their bike'
    """
    replaced = [
        GENDERED[word] if sure is not None and sure < at_least else word
        for word, sure in zip(words, certain, strict=True)
    ]
    if replaced != list(words) and not any(word in GENDERED for word in replaced):
        replaced = [_PRONOUNS.get(word, word) for word in replaced]
    written = " ".join(replaced)
    for pair, two in _PAIRS.items():
        written = pair.sub(two, written)
    return written


def gender_certainties(
    words: Sequence[str],
    decoding: DecodingConfig,
    vocabulary: Vocabulary,
    log_probs: Callable[[list[int]], np.ndarray],
) -> list[float | None]:
    """Return how certain the model is of the gender that each word names; None for a word to keep.

    A word that the caption was required to have, or to begin with, is kept.

    Args:
        words: the caption's words, T of them.
        decoding: the settings that the caption was written with.
        vocabulary: the V words of the model.
        log_probs: takes the ids of the words and returns their natural logarithms, float `(T, V)`
            or longer; called only if they are needed, because it runs the model.
    """
    asked = asked_words(decoding)
    if decoding.gender_certainty == 0 or not (GENDERED.keys() - asked) & set(words):
        return [None] * len(words)
    shares = certainties(words, log_probs([vocabulary.id(word) for word in words]), vocabulary)
    return [None if word in asked else share for word, share in zip(words, shares, strict=True)]
