"""Five different correct captions of a scene, from a vocabulary of 45 words."""

from random import Random

from captioning.datasets.shapes.scene import Figure, Scene

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
