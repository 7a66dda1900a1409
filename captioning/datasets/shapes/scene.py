"""The random contents of a picture in the generated data set, and its captions.

A picture has five different correct captions, from a vocabulary of 45 words.
"""

from dataclasses import dataclass
from random import Random
from typing import TypeVar

#: Width and height of a picture, in pixels.
CANVAS = 96

_T = TypeVar("_T")

KINDS = ("circle", "square", "triangle", "star", "cross")

Color = tuple[int, int, int]

COLORS: dict[str, Color] = {
    "red": (219, 50, 54),
    "orange": (245, 130, 32),
    "yellow": (247, 202, 34),
    "green": (52, 160, 84),
    "blue": (38, 120, 214),
    "purple": (132, 66, 170),
    "black": (46, 52, 60),
}

#: Plain, pale background colours, which no caption mentions.
GROUNDS: tuple[Color, ...] = (
    (250, 248, 243),
    (234, 241, 247),
    (232, 243, 236),
    (242, 237, 248),
    (248, 238, 232),
)

#: The radius of a figure, in pixels.
_RADII = {"small": (9, 10, 11), "big": (18, 19, 20)}

# Range of centres in the first third of the canvas, and their offset from the middle; the last
# third mirrors the first.  Big figures keep 4 pixels from the border and from each other.
_FIRST_THIRD = {"small": (17, 26), "big": (24, 26)}
_OFF_MIDDLE = {"small": 4, "big": 2}
_OFF_LINE = 6


@dataclass(frozen=True)
class Figure:
    """One shape: its words, and its centre and radius in pixels, y downwards."""

    kind: str
    color: str
    size: str
    x: int
    y: int
    radius: int


@dataclass(frozen=True)
class Scene:
    """One picture: one figure at a position, or two in a relation.

    Attributes:
        ground: The background colour.
        figures: One figure, or two; of two, the first is the left or upper one.
        place: Position of a single figure, such as "top left" or "middle"; "" for two.
        relation: "left of" or "above" for two figures; "" for one.
    """

    ground: Color
    figures: tuple[Figure, ...]
    place: str = ""
    relation: str = ""


_COLUMNS = ("left", "", "right")
_ROWS = ("top", "", "bottom")


def draw_lots(rng: Random) -> Scene:
    """Draw one scene; one in three has a single figure.

    It uses only `rng.randrange`, whose results are the same in all versions of Python.
    """
    ground = _pick(rng, GROUNDS)
    if rng.randrange(3) == 0:
        return _single(rng, ground)
    return _pair(rng, ground)


def _pick(rng: Random, options: tuple[_T, ...]) -> _T:
    return options[rng.randrange(len(options))]


def _single(rng: Random, ground: Color) -> Scene:
    column, row = rng.randrange(3), rng.randrange(3)
    size = _pick(rng, tuple(_RADII))
    figure = Figure(
        kind=_pick(rng, KINDS),
        color=_pick(rng, tuple(COLORS)),
        size=size,
        x=_in_third(rng, column, size),
        y=_in_third(rng, row, size),
        radius=_pick(rng, _RADII[size]),
    )
    place = f"{_ROWS[row]} {_COLUMNS[column]}".strip() or "middle"
    return Scene(ground, (figure,), place=place)


def _pair(rng: Random, ground: Color) -> Scene:
    side_by_side = rng.randrange(2) == 0
    line = 30 + rng.randrange(CANVAS - 60 + 1)
    figures: list[Figure] = []
    while len(figures) < 2:
        kind, color, size = _pick(rng, KINDS), _pick(rng, tuple(COLORS)), _pick(rng, tuple(_RADII))
        along = _in_third(rng, 2 * len(figures), size)
        across = line - _OFF_LINE + rng.randrange(2 * _OFF_LINE + 1)
        x, y = (along, across) if side_by_side else (across, along)
        if all((kind, color) != (other.kind, other.color) for other in figures):
            figures.append(Figure(kind, color, size, x, y, _pick(rng, _RADII[size])))
    return Scene(ground, tuple(figures), relation="left of" if side_by_side else "above")


def _in_third(rng: Random, third: int, size: str) -> int:
    """Draw a coordinate in the first (0), middle (1) or last (2) third of the canvas."""
    if third == 1:
        off = _OFF_MIDDLE[size]
        return CANVAS // 2 - off + rng.randrange(2 * off + 1)
    low, high = _FIRST_THIRD[size]
    inset = low + rng.randrange(high - low + 1)
    return inset if third == 0 else CANVAS - inset


CAPTIONS_EACH = 5

_OTHER_SIZE = {"big": "large", "small": "little"}
_WHERE = {
    "middle": ("in the middle", "in the center"),
    "left": ("on the left", "on the left side"),
    "right": ("on the right", "on the right side"),
    "top": ("at the top", "at the top"),
    "bottom": ("at the bottom", "at the bottom"),
}


def describe(scene: Scene, rng: Random) -> tuple[str, ...]:
    """Return five different sentences of `sentences(scene)`, chosen at random."""
    left = list(sentences(scene))
    return tuple(left.pop(rng.randrange(len(left))) for _ in range(CAPTIONS_EACH))


def sentences(scene: Scene) -> tuple[str, ...]:
    """Return all sentences about a scene, each with a full stop.

    They have 7 to 13 words.  The first is the simplest.
    """
    if len(scene.figures) == 1:
        phrases = _about_one(scene.figures[0], scene.place)
    elif scene.relation == "left of":
        phrases = _about_two(*scene.figures) + _side_by_side(*scene.figures)
    else:
        phrases = _about_two(*scene.figures) + _one_above_the_other(*scene.figures)
    return tuple(f"{phrase[0].upper()}{phrase[1:]}." for phrase in phrases)


def _about_one(figure: Figure, place: str) -> tuple[str, ...]:
    where, exactly = _WHERE.get(place, (f"in the {place} corner", f"in the {place}"))
    full, plain = _full(figure), f"{figure.color} {figure.kind}"
    other = f"{_OTHER_SIZE[figure.size]} {plain}"
    return (
        f"a {full} {where}",
        f"there is a {full} {where}",
        f"{where} is a {full}",
        f"the {plain} {where} is {figure.size}",
        f"a picture of a {full} {where}",
        f"one {other} {exactly}",
        f"we see one {other} {where}",
    )


def _about_two(one: Figure, two: Figure) -> tuple[str, ...]:
    return (
        f"a {_full(one)} and a {_full(two)}",
        f"two shapes, a {_full(one)} and a {_full(two)}",
    )


def _side_by_side(left: Figure, right: Figure) -> tuple[str, ...]:
    return (
        f"a {_full(left)} to the left of a {_full(right)}",
        f"a {_full(right)} to the right of a {_full(left)}",
        f"{_plain(left)} on the left and {_plain(right)} on the right",
        f"the {_full(left)} is left of the {_full(right)}",
        f"a {_full(left)} next to a {_full(right)}",
    )


def _one_above_the_other(upper: Figure, lower: Figure) -> tuple[str, ...]:
    return (
        f"a {_full(upper)} above a {_full(lower)}",
        f"a {_full(lower)} below a {_full(upper)}",
        f"{_plain(upper)} at the top and {_plain(lower)} at the bottom",
        f"the {_full(upper)} is above the {_full(lower)}",
        f"a {_full(lower)} under a {_full(upper)}",
    )


def _full(figure: Figure) -> str:
    return f"{figure.size} {figure.color} {figure.kind}"


def _plain(figure: Figure) -> str:
    article = "an" if figure.color[0] in "aeiou" else "a"
    return f"{article} {figure.color} {figure.kind}"
