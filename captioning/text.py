"""Caption cleaning and tokenization, used everywhere in the project.

Training and scoring use the same rule: lower-case, strip punctuation, keep everything else.
One-letter words ("a") and digits stay; on Flickr8k this gives the same BLEU, ROUGE-L and CIDEr as
the Java tokenizer of pycocoevalcap.  Unicode punctuation (category P) is stripped like ASCII
punctuation, text is normalised to one Unicode form, and scripts without spaces between words
(Chinese, Japanese, Thai, Lao, Khmer, Burmese) are split into characters with their marks.
"""

import re
import string
from collections.abc import Iterable
from itertools import pairwise
from unicodedata import category, normalize

STOP_WORDS = frozenset(
    "a an the is are was were be been being am and or but of in on at to by for with from into "
    "onto over under up down out off as it its he she his her him they them their this that "
    "these those there while who which has have had".split()
)
"""Frequent English words that name nothing in a photo."""

_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)
_SURROGATE = re.compile("[\ud800-\udfff]")
# Combining marks are neither letters nor spaces.
_LONG_RUN = re.compile(r"[^\w\s]{31}")
_SHORT_RUNS = re.compile(r"[\w\s]*+[^\w\s]{0,30}")
# Accents and a modifier letter used as apostrophes, which Unicode does not class as punctuation
_APOSTROPHES = "\u00b4\u02bc\uff40"
_JOINERS = "\u200c\u200d"  # part of Indic and Persian spelling
_UNSPACED = re.compile(
    "["
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U0003ffff"  # Chinese and Japanese
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Burmese, Khmer
    "]"
)


class _Stripping(dict[int, str | int | None]):
    """A table for `str.translate` that strips punctuation and caches each character."""

    def __missing__(self, code: int) -> str | int | None:
        character = chr(code)
        stripped = character in string.punctuation or character in _APOSTROPHES
        stripped = stripped or category(character)[0] == "P"
        invisible = category(character) == "Cf" and character not in _JOINERS
        self[code] = value = None if stripped or invisible else code
        return value


_PUNCTUATION = _Stripping({0x200B: " "})  # an invisible space between words

_WRITTEN = {"i": "I", "tshirt": "T-shirt", "tshirts": "T-shirts"}
"""The usual spelling of words that cleaning changes."""

# A list and not a rule: in other languages "a" is a word that no vowel changes.
_BEFORE_VOWEL = re.compile(
    r"\ba(?= (adult|airplane|airport|american|antique|apple|asian|elderly|elephant|empty|enclosed"
    r"|individual|inflatable|office|old|older|orange|outdoor|oven|overhead|umbrella)\b)"
)


def readable(text: str) -> str:
    r"""Replace what no file and no page can hold: halves of emojis and bytes of file names.

    JSON files may hold one half of an emoji, and a file name may hold bytes that are not UTF-8.

    >>> readable("a dog \ud83d runs")
    'a dog \ufffd runs'
    """
    return text if text.isascii() else _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def composed(text: str) -> str:
    r"""Return a text in Unicode's composed form (NFC).

    No language puts more than 30 marks on a letter.  Longer runs are composed in parts of 30,
    because the time to put marks in order grows with the square of their number.

    >>> composed("a\u0308") == "\u00e4"
    True
    """
    if not _LONG_RUN.search(text):
        return normalize("NFC", text)
    return "".join(normalize("NFC", part) for part in _SHORT_RUNS.findall(text))


def clean(caption: str) -> str:
    """Lower-case `caption`, strip punctuation, and join its words with single spaces.

    >>> clean("A  dog's T-shirt , red .")
    'a dogs tshirt red'
    """
    return " ".join(tokenize(caption))


def tokenize(caption: str) -> list[str]:
    """Split `caption` into words for training and scoring.

    >>> tokenize("Two dogs run ."), tokenize("“Zwei” Hunde…"), tokenize("一只狗。")
    (['two', 'dogs', 'run'], ['zwei', 'hunde'], ['一', '只', '狗'])
    """
    lower = caption.lower()
    if lower.isascii():
        return lower.translate(_ASCII_PUNCTUATION).split()
    words = composed(lower).translate(_PUNCTUATION).split()
    if not _UNSPACED.search(lower):
        return words
    return [part for word in words for part in _characters(word)]


def sentence(caption: str) -> str:
    """Format a model's caption as a sentence: capital letter, full stop, "an" before a vowel.

    >>> sentence("two dogs look out of a window")
    'Two dogs look out of a window.'
    >>> sentence("a man in a uniform under a umbrella")
    'A man in a uniform under an umbrella.'
    >>> sentence("")
    ''
    """
    written = " ".join(_WRITTEN.get(word, word) for word in caption.split())
    written = _BEFORE_VOWEL.sub("an", written)
    stop = "。" if "\u3040" <= written[-1:] <= "\u9fff" else "."
    return f"{written[0].upper()}{written[1:]}{stop}" if written else ""


def join_words(words: Iterable[str]) -> str:
    """Join words with spaces, except in scripts that use none.

    >>> join_words(["two", "dogs"]), join_words(["一", "只", "狗"])
    ('two dogs', '一只狗')
    """
    joined = ""
    for word in words:
        unspaced = word and joined and _UNSPACED.match(word[0]) and _UNSPACED.match(joined[-1])
        joined += word if unspaced or not joined else f" {word}"
    return joined


def _characters(word: str) -> list[str]:
    """Split a word at each character of a script without spaces; marks stay with their letters."""
    starts: list[int] = []
    splitting = True
    for place, character in enumerate(word):
        unspaced = _UNSPACED.match(character) is not None
        if not starts or (category(character)[0] != "M" and (unspaced or splitting)):
            starts.append(place)
            splitting = unspaced
    return [word[start:end] for start, end in pairwise((*starts, len(word)))]
