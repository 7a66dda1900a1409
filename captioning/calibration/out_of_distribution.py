"""Random pictures that are not photos, for which a captioner should have low confidence."""

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 400, 300
INK = ("#1f3b73", "#a33b20", "#2d7a46", "#7a2d78", "#333333", "#c28a12")
WORDS = "the of and to in a is that for it as was with be by on not he his but at are this".split()


def draw_oddities(count: int, *, seed: int = 0) -> Iterator[tuple[str, Image.Image]]:
    """Draw odd pictures, `count` of each kind in `ODDITIES`, each with the name of its kind."""
    for kind, (name, draw) in enumerate(ODDITIES.items()):
        for number in range(count):
            yield name, draw(np.random.default_rng((seed, kind, number)))


def _blank(random: np.random.Generator) -> Image.Image:
    return Image.new("RGB", (WIDTH, HEIGHT), tuple(random.integers(0, 256, 3).tolist()))


def _black(random: np.random.Generator) -> Image.Image:
    return Image.new("RGB", (WIDTH, HEIGHT), (int(random.integers(0, 4)),) * 3)


def _noise(random: np.random.Generator) -> Image.Image:
    """Noise of any grain, in colour or in grey."""
    grain = int(random.choice([1, 1, 2, 4]))
    shape = (HEIGHT // grain, WIDTH // grain, int(random.choice([1, 3])))
    pixels = np.broadcast_to(random.integers(0, 256, shape), (*shape[:2], 3)).astype(np.uint8)
    return Image.fromarray(pixels).resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)


def _text(random: np.random.Generator) -> Image.Image:
    """A page of lines of words, dark on light."""
    page = Image.new("RGB", (WIDTH, HEIGHT), tuple(random.integers(235, 256, 3).tolist()))
    pen, size = ImageDraw.Draw(page), int(random.integers(9, 22))
    font = ImageFont.load_default(size)
    for top in range(15, HEIGHT - size, round(size * 1.5)):
        line = " ".join(random.choice(WORDS, 18))
        pen.text((18, top), line, fill="#222222", font=font)
    return page


def _chart(random: np.random.Generator) -> Image.Image:
    """Bars or a line between two axes."""
    chart = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen, count = ImageDraw.Draw(chart), int(random.integers(4, 12))
    pen.line([(40, 20), (40, 270), (385, 270)], fill="black", width=2)
    step = 330 / count
    tops = random.integers(30, 255, count)
    lefts = [48 + step * place for place in range(count)]
    if random.random() < 0.5:
        for left, top in zip(lefts, tops, strict=True):
            box = [left, float(top), left + step * 0.7, 269.0]
            pen.rectangle(box, fill=str(random.choice(INK)))
    else:
        points = [(left, float(top)) for left, top in zip(lefts, tops, strict=True)]
        pen.line(points, fill=str(random.choice(INK)), width=3)
    for place, left in enumerate(lefts):
        pen.text((left, 275), str(place), fill="black", font=ImageFont.load_default(12))
    return chart


def _drawing(random: np.random.Generator) -> Image.Image:
    """Outlines and stick figures on paper, as a child draws them."""
    paper = Image.new("RGB", (WIDTH, HEIGHT), "#fffdf5")
    pen = ImageDraw.Draw(paper)
    pen.line([(0, 270), (WIDTH, 270)], fill="#2d7a46", width=4)
    for _ in range(int(random.integers(2, 6))):
        left, ink = int(random.integers(10, WIDTH - 90)), str(random.choice(INK))
        if random.random() < 0.5:
            _house(pen, left, ink)
        else:
            _figure(pen, left, ink)
    left = int(random.integers(0, WIDTH - 60))
    pen.ellipse([left, 10, left + 50, 60], outline="#c28a12", width=4)
    return paper


def _house(pen: ImageDraw.ImageDraw, left: int, ink: str) -> None:
    pen.rectangle([left, 190, left + 80, 270], outline=ink, width=4)
    pen.line([(left - 8, 192), (left + 40, 140), (left + 88, 192)], fill=ink, width=4)


def _figure(pen: ImageDraw.ImageDraw, left: int, ink: str) -> None:
    pen.ellipse([left, 150, left + 30, 180], outline=ink, width=4)
    middle = left + 15
    for start, end in (
        ((middle, 180), (middle, 230)),
        ((middle, 195), (left - 10, 215)),
        ((middle, 195), (left + 40, 215)),
        ((middle, 230), (left - 5, 268)),
        ((middle, 230), (left + 35, 268)),
    ):
        pen.line([start, end], fill=ink, width=4)


ODDITIES: dict[str, Callable[[np.random.Generator], Image.Image]] = {
    "blank": _blank,
    "black": _black,
    "noise": _noise,
    "text": _text,
    "chart": _chart,
    "drawing": _drawing,
}
"""The functions that draw odd pictures, by kind."""
