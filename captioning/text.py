"""Caption cleaning: the one place that decides what a word is.

The rule is the one captions are scored by (DESIGN, "How captions are scored"): lower-case, ASCII
punctuation stripped, nothing else dropped.  One-letter words ("a") and digits stay; on Flickr8k
this gives the same BLEU, ROUGE-L and CIDEr as the Java tokeniser of pycocoevalcap.
"""

import string

__all__ = ["clean", "tokenize"]

_STRIP_PUNCTUATION = str.maketrans("", "", string.punctuation)


def clean(caption: str) -> str:
    """Lower-case `caption`, strip ASCII punctuation, and join its words with single spaces.

    >>> clean("A  dog's T-shirt , red .")
    'a dogs tshirt red'
    """
    return " ".join(tokenize(caption))


def tokenize(caption: str) -> list[str]:
    """Split `caption` into the words it is trained on and scored by.

    >>> tokenize("Two dogs run .")
    ['two', 'dogs', 'run']
    """
    return caption.lower().translate(_STRIP_PUNCTUATION).split()
