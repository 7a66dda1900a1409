"""Format numbers and foreign text for the pages."""

import math
import re

from captioning.text import readable

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def plain(text: str) -> str:
    r"""Escape `text` so that Markdown shows it unchanged, line breaks included.

    In file names, error texts and a model's words, an underscore is not emphasis and a colon
    does not start an icon.  A byte of a file name that is not UTF-8 is replaced.

    >>> plain("my_photo.jpg")
    'my\\_photo\\.jpg'
    >>> plain("half \ud83d")
    'half �'
    """
    return _PUNCTUATION.sub(r"\\\1", readable(text)).replace("\n", "  \n")


def counted(number: int, thing: str) -> str:
    """Write a number with its noun.

    >>> counted(1, "photo"), counted(1200, "photo")
    ('1 photo', '1,200 photos')
    """
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def percent(log_prob: float) -> str:
    """Write a probability, given as its natural logarithm, with two significant digits.

    >>> percent(math.log(0.874)), percent(math.log(0.00291)), percent(0.0), percent(-30.0)
    ('87%', '0.29%', 'over 99.9%', 'under 0.001%')
    """
    share = 100 * math.exp(min(log_prob, 0.0))
    if share > 99.9:
        return "over 99.9%"
    if share < 0.001:
        return "under 0.001%"
    if share >= 99:
        return f"{share:.1f}%"
    # The decimals that leave two significant digits, none for 10 and more.
    decimals = max(0, 1 - math.floor(math.log10(share)))
    return f"{share:.{decimals}f}%"


def seconds(duration: float) -> str:
    """Write a duration in seconds, rounded.

    >>> seconds(0.0841), seconds(1.26), seconds(75.2)
    ('0.08 s', '1.3 s', '75 s')
    """
    decimals = 2 if duration < 1 else 1 if duration < 10 else 0
    return f"{duration:.{decimals}f} s"


def milliseconds(duration: float) -> str:
    """Write a short duration, given in seconds.

    >>> milliseconds(0.0004), milliseconds(0.0123)
    ('under 1 ms', '12 ms')
    """
    return f"{1000 * duration:.0f} ms" if duration >= 0.001 else "under 1 ms"


def or_dash(value: float | None, form: str) -> str:
    """Write a number, or a dash where there is none.

    >>> or_dash(0.5, ".0%"), or_dash(None, ".0%")
    ('50%', '–')
    """
    return "–" if value is None else f"{value:{form}}"
