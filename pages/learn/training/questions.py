"""The questions of the lesson on training, answered by the live model."""

from captioning.errors import QueryError
from captioning.text import clean
from pages.learn.frame import LessonPage, Question
from pages.learn.training import data
from pages.ui.wording import plain

__all__ = ["questions_about"]


def questions_about(page: LessonPage) -> tuple[Question, ...]:
    """Return three questions on the photo and model at hand."""
    return (
        Question(
            "What happens when the learning rate is a hundred times too high?",
            lambda: _too_high(page),
        ),
        Question(
            "Can it learn a false sentence just as easily as its own?",
            lambda: _false(page),
        ),
        Question(
            "Does it already know its own sentence by heart?",
            lambda: _own(page),
        ),
    )


def _own_sentence(page: LessonPage) -> str:
    longest = page.subject.bundle.decoder.max_length - 1
    return " ".join(clean(page.subject.caption.text).split()[:longest])


def _too_high(page: LessonPage) -> str:
    sentence, lines = _own_sentence(page), []
    for rate in (0.01, 1.0):
        learned = data.learned(page.subject, sentence, rate, 5)
        losses = ", ".join(f"{loss:.2f}" for loss in learned.losses)
        lines.append(
            f"- Rate {rate:g}: the loss goes {losses}; then it says **{_short(learned.after[0])}**."
        )
    ending = "A slope holds close by only: a step too long lands somewhere else."
    return "\n".join([*lines, "", ending])


def _false(page: LessonPage) -> str:
    own = _own_sentence(page)
    words = own.split()
    backwards = " ".join(reversed(words))
    first, other = (data.learned(page.subject, text, 0.01, 5) for text in (own, backwards))
    return (
        f"Its own sentence begins with a loss of {first.losses[0]:.2f} and has "
        f"{first.losses[-1]:.2f} after five steps of rate 0.01. The same words backwards, "
        f"**{plain(backwards)}**, go from {other.losses[0]:.2f} to {other.losses[-1]:.2f}. "
        "Training asks for no truth: it makes likelier whatever it is shown."
    )


def _own(page: LessonPage) -> str:
    own = _own_sentence(page)
    try:
        found = data.forced(page.subject, own)
    except QueryError as error:
        return plain(str(error))
    right = sum(word.right for word in found)
    return (
        f"Read to itself word by word, **{plain(own)}** is its first choice at {right} of "
        f"{len(found)} places, the end included. Where it is not, a beam found that a second "
        "choice makes the whole likelier."
    )


def _short(text: str) -> str:
    words = text.split()
    return plain(" ".join(words[:12]) + (" ..." if len(words) > 12 else "")) or "(nothing)"
