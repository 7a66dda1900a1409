"""A few dozen common words of captions: which name the same thing, and which contradict it.

Small on purpose, and written by hand for photos like Flickr8k's and for the generated shapes: a
lesson needs an example in the sentence it shows, not a dictionary.
"""

from collections.abc import Sequence

THINGS: dict[str, frozenset[str]] = {
    group.split()[0]: frozenset(group.split())
    for group in (
        "dog dogs puppy puppies hound hounds",
        "cat cats kitten kittens",
        "horse horses pony",
        "bird birds",
        "person people persons man men woman women boy boys girl girls child children kid kids "
        "baby toddler guy guys lady ladies player players rider surfer climber skier biker crowd",
        "ball balls football basketball soccer tennis",
        "bicycle bicycles bike bikes motorcycle motorbike dirtbike",
        "car cars truck van vehicle",
        "water ocean sea lake river pool wave waves creek pond",
        "snow ice",
        "grass field lawn meadow",
        "beach sand shore seashore",
        "street road sidewalk path",
        "mountain mountains rock rocks cliff hill",
        "tree trees wood woods forest",
        "building buildings house wall",
        "table tables bench chair",
        "frisbee disc",
        "stick sticks branch",
        "camera cameras",
        "circle circles",
        "square squares",
        "triangle triangles",
        "star stars",
        "cross crosses",
    )
}
"""Words for one kind of thing, by the first of them."""

SYNONYMS: dict[str, str] = {
    **{"dog": "hound", "dogs": "hounds", "puppy": "pup", "man": "guy", "men": "guys"},
    **{"woman": "lady", "women": "ladies", "boy": "lad", "girl": "lass", "child": "kid"},
    **{"children": "kids", "kid": "child", "kids": "children", "people": "persons"},
    **{"bicycle": "bike", "bike": "bicycle", "ocean": "sea", "beach": "shore", "rock": "stone"},
    **{"street": "road", "road": "street", "picture": "image", "photo": "photograph"},
    **{"big": "large", "large": "big", "small": "little", "little": "small", "young": "youthful"},
    **{"middle": "center", "center": "middle", "above": "over", "below": "under"},
    **{"under": "beneath", "runs": "sprints", "running": "sprinting", "jumps": "leaps"},
    **{"jumping": "leaping", "walks": "strolls", "walking": "strolling", "looks": "gazes"},
    **{
        "looking": "gazing",
        "circle": "disc",
        "through": "across",
        "near": "by",
        "outside": "outdoors",
    },
}
"""Another word for the same, where there is one that keeps the sentence's grammar."""

CONTRADICTIONS: dict[str, str] = {
    **{"man": "woman", "woman": "man", "men": "women", "women": "men", "boy": "girl"},
    **{"girl": "boy", "boys": "girls", "girls": "boys", "dog": "cat", "dogs": "cats"},
    **{"cat": "dog", "horse": "cow", "child": "dog", "people": "dogs"},
    **{"circle": "square", "square": "triangle", "triangle": "circle"},
    **{"star": "cross", "cross": "star"},
    **{"red": "blue", "blue": "red", "green": "yellow", "yellow": "green", "black": "white"},
    **{"white": "black", "brown": "white", "orange": "purple", "purple": "orange"},
    **{"big": "small", "small": "big", "large": "little", "little": "large"},
    **{"left": "right", "right": "left", "above": "below", "below": "above", "under": "above"},
    **{"top": "bottom", "bottom": "top", "grass": "snow", "snow": "sand", "beach": "forest"},
    **{"water": "sand", "street": "beach", "running": "sleeping", "runs": "sleeps"},
    **{"jumping": "sitting", "jumps": "sits", "standing": "lying", "two": "three"},
}
"""A word that makes the sentence false and leaves it fluent."""

SMALL_WORDS = frozenset(
    "a an the and or of in on at to with by for from is are was there it its his her their "
    "one two three we see as".split()
)
"""Words that name nothing by themselves."""

_COLOURS = frozenset(
    "red blue green yellow black white brown orange purple pink grey gray tan".split()
)

_KIND = {word: kind for kind, words in THINGS.items() for word in words}


def thing_of(word: str) -> str | None:
    """Return the kind of thing that a cleaned word names; None if it names none that is known.

    >>> thing_of("puppies"), thing_of("quickly")
    ('dog', None)
    """
    return _KIND.get(word)


def are_related(one: str, other: str) -> bool:
    """Return whether two cleaned words name the same kind of thing, mean the same or the opposite.

    >>> are_related("dog", "puppy"), are_related("red", "blue"), are_related("dog", "kite")
    (True, True, False)
    """
    if one == other or (thing_of(one) is not None and thing_of(one) == thing_of(other)):
        return True
    colours = {one, other} <= _COLOURS
    pairs = (SYNONYMS.get(one), CONTRADICTIONS.get(one))
    back = (SYNONYMS.get(other), CONTRADICTIONS.get(other))
    return colours or other in pairs or one in back


def content_places(words: Sequence[str]) -> list[int]:
    """Return the places of a caption's content words: those that are worth guessing.

    These are the nouns listed here; where there is none, all words but articles and the like; and
    where there is none of those either, all words.

    >>> content_places("a red circle and a star".split())
    [2, 5]
    """
    nouns = [place for place, word in enumerate(words) if thing_of(word)]
    others = [place for place, word in enumerate(words) if word not in SMALL_WORDS]
    return nouns or others or list(range(len(words)))
