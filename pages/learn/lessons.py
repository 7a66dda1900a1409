"""The nine lessons in their order, and the tools that go with them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LearnPage:
    """A page of the section.

    Attributes:
        file: of the page, as `app.py` lists it.
        title: what links call it.
        icon: name of a Material symbol.
        purpose: what it is for, in one line.
    """

    file: str
    title: str
    icon: str
    purpose: str

    @property
    def path(self) -> str:
        """The page's file, as links name it."""
        return f"pages/{self.file}"


@dataclass(frozen=True)
class Lesson(LearnPage):
    """One lesson: its number, from 1, and its key; its page is `pages/learn/<key>/page.py`."""

    number: int
    key: str


@dataclass(frozen=True)
class Tool(LearnPage):
    """A page next to the lessons, and the key of the lesson it belongs to, if any."""

    lesson: str | None = None


LESSONS = tuple(
    Lesson(f"learn/{key}/page.py", title, icon, purpose, number, key)
    for number, (key, title, icon, purpose) in enumerate(
        [
            ("overview", "Overview", "schema", "From a photo to a sentence, in one picture."),
            ("encoder", "The encoder", "grid_view", "How a CNN turns pixels into regions."),
            (
                "words",
                "Words",
                "abc",
                "How words become numbers, and captions become training rows.",
            ),
            ("lstm", "The LSTM", "memory", "One cell, opened at any word of the sentence."),
            ("attention", "Attention", "visibility", "Where the model looks for each word."),
            ("decoding", "Decoding", "account_tree", "How a sentence is chosen, word by word."),
            ("scores", "Scores", "straighten", "What BLEU and CIDEr count, and what they miss."),
            ("training", "Training", "trending_down", "What one step changes, and overfitting."),
            ("limits", "Limits", "report", "What comes from habit and not from the photo."),
        ],
        start=1,
    )
)


TOOLS = (
    Tool(
        "train/step.py",
        "Training step by step",
        "footprint",
        "A new model takes one step at a time, and you see each number.",
        "training",
    ),
    Tool("play/play.py", "Class game", "groups", "A class and two models caption the same photo."),
)


def lesson(key: str) -> Lesson:
    """Return the lesson called `key`.

    Raises:
        LookupError: there is none.
    """
    for found in LESSONS:
        if found.key == key:
            return found
    raise LookupError(f"There is no lesson called {key!r}.")
