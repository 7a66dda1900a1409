"""A few dozen everyday words of captions: what names the same thing, and what contradicts it.

Small on purpose, and written by hand for photos like Flickr8k's and for the generated shapes: a
lesson needs an example in the sentence at hand, not a dictionary.
"""

__all__ = ["CONTRADICTIONS", "SMALL_WORDS", "SYNONYMS", "THINGS", "thing_of"]

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

_KIND = {word: kind for kind, words in THINGS.items() for word in words}


def thing_of(word: str) -> str | None:
    """Return the kind of thing that a cleaned word names; None if it names none that is known.

    >>> thing_of("puppies"), thing_of("quickly")
    ('dog', None)
    """
    return _KIND.get(word)
