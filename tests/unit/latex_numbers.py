"""Works out what a printed formula says, to hold it to the value it claims."""

import math
import re

_WORDS = {
    r"\cdot": "*",
    r"\left(": "(",
    r"\right)": ")",
    r"\ln": "log",
    r"\times": "*",
    r"\exp": "exp",
}
_NAMES = {"log": math.log, "exp": math.exp, "sqrt": math.sqrt}


def value_of(latex):
    """Return the value of an arithmetic expression in LaTeX."""
    text = latex
    for word, sign in _WORDS.items():
        text = text.replace(word, sign)
    text = _frac(text)
    text = re.sub(r"\\sqrt\{(.*)\}", r"sqrt(\1)", text)
    text = text.replace("e^{", "exp^{")
    text = _braces(text)
    text = re.sub(r"\blog\s*\(", "log(", text)
    return eval(text, {"__builtins__": {}}, _NAMES)


def sides(latex):
    """Return the parts of a chain of equations, the first one left out if it is a name."""
    return [part.strip() for part in latex.split("=")]


def check(latex, tolerance):
    """Check that all numeric sides of a chain agree; returns the last one."""
    values = [value_of(part) for part in sides(latex)[1:]]
    assert len(values) > 1
    for value in values:
        assert abs(value - values[-1]) <= tolerance, (latex, values)
    return values[-1]


def _matching(text, start):
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            return place
    raise AssertionError(text)


def _frac(text):
    while r"\frac{" in text:
        start = text.rindex(r"\frac{")
        above = start + len(r"\frac")
        middle = _matching(text, above)
        end = _matching(text, middle + 1)
        top, bottom = text[above + 1 : middle], text[middle + 2 : end]
        text = f"{text[:start]}(({top})/({bottom})){text[end + 1 :]}"
    return text


def _braces(text):
    while "^{" in text:
        start = text.index("^{")
        end = _matching(text, start + 1)
        inner = text[start + 2 : end]
        if text[max(0, start - 3) : start] == "exp":
            text = f"{text[: start - 3]}exp({inner}){text[end + 1 :]}"
        else:
            text = f"{text[:start]}**({inner}){text[end + 1 :]}"
    return text.replace("^", "**")
