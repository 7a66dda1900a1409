"""Pictures that are no photos, made on the spot: what does a captioner say to these?"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["ODD_PICTURES", "odd_picture"]

SIZE = (320, 240)
_TEXT = (
    "Dear reader,",
    "this page has words on it",
    "and no picture at all.",
    "What can be said of it?",
    "Only what is written here.",
)


def _even(shade: int) -> Callable[[], Image.Image]:
    return lambda: Image.new("RGB", SIZE, (shade,) * 3)


def _noise() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    return Image.fromarray(pixels)


def _text_page() -> Image.Image:
    page = Image.new("RGB", SIZE, "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(20)
    for line, text in enumerate(_TEXT):
        pen.text((22, 24 + 40 * line), text, fill="black", font=font)
    return page


def _bar_chart() -> Image.Image:
    chart = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(chart)
    pen.line([(40, 20), (40, 210), (305, 210)], fill="black", width=3)
    colors = ("#3366aa", "#cc6633", "#559944", "#884488", "#aaaa33")
    for place, (height, color) in enumerate(zip((60, 130, 95, 165, 40), colors, strict=True)):
        left = 58 + 50 * place
        pen.rectangle([left, 209 - height, left + 32, 208], fill=color)
    return chart


def _drawing() -> Image.Image:
    """A house, a sun and a figure of sticks, as a child draws them."""
    paper = Image.new("RGB", SIZE, "#fffdf5")
    pen = ImageDraw.Draw(paper)
    pen.rectangle([40, 110, 150, 210], outline="#333333", width=4)
    pen.line([(30, 112), (95, 50), (160, 112)], fill="#aa3333", width=5)
    pen.rectangle([80, 150, 112, 210], outline="#333333", width=4)
    pen.ellipse([250, 18, 300, 68], fill="#f2c230")
    pen.ellipse([213, 92, 247, 126], outline="#333333", width=4)
    for line in ([(230, 126), (230, 176)], [(230, 140), (205, 160)], [(230, 140), (255, 160)]):
        pen.line(line, fill="#333333", width=4)
    for line in ([(230, 176), (212, 212)], [(230, 176), (248, 212)], [(10, 213), (310, 213)]):
        pen.line(line, fill="#333333", width=4)
    return paper


ODD_PICTURES: dict[str, Callable[[], Image.Image]] = {
    "even grey": _even(127),
    "black": _even(0),
    "white": _even(255),
    "noise": _noise,
    "a page of text": _text_page,
    "a bar chart": _bar_chart,
    "a child's drawing": _drawing,
}
"""What they are called, and how they are made; the same pixels every time."""


def odd_picture(name: str) -> Image.Image:
    """Make one of `ODD_PICTURES`, RGB, 320 x 240.

    Raises:
        KeyError: there is none of that name.
    """
    return ODD_PICTURES[name]()
