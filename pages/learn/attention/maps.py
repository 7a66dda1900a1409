"""The looks of the caption: a strip of all words, the heads of one, and the formula's numbers."""

import numpy as np
import streamlit as st

from captioning.lessons.attention import look_formulas
from captioning.lessons.worksheet import Picture as PaperPicture
from pages.learn import inspector
from pages.learn.attention.overlays import Looks
from pages.learn.frame import LessonPage
from pages.learn.subject import Subject
from pages.ui.pictures import as_jpeg
from pages.ui.wording import plain

__all__ = ["lit", "show_maps"]

_STRIP, _ON_PAPER = 220, 480


def show_maps(page: LessonPage, subject: Subject, looks: Looks, place: int) -> None:
    """Show where the model looked for each word, and how one head weighs one region."""
    page.heading("Where it looked for each word")
    with st.grid(6, min_column_width=130):
        for number, word in enumerate(subject.words):
            picture = lit(subject, looks.maps[number], _STRIP)
            with st.container(gap="xsmall"):
                st.image(picture, width="stretch", alt=_spoken(looks.maps[number], word))
                here = f":primary-background[**{plain(word)}**]"
                st.markdown(here if number == place else plain(word))
    word = subject.words[place]
    large = lit(subject, looks.maps[place], _ON_PAPER)
    told = _spoken(looks.maps[place], word)
    page.keep(PaperPicture(large, told, f"Where it looked for “{word}”"))
    page.aside(
        "Bright regions counted most when the word was chosen: the mean over the heads of the "
        "attention. A map says what was read, not why a word was said; and each region has seen "
        "more of the photo than its own square (lesson 2)."
    )
    _show_heads(page, subject, looks, place)
    page.code("captioning.lessons.numpy_decoder", "PlainDecoder.look")


def lit(subject: Subject, values: np.ndarray, side: int) -> bytes:
    """Return the photo, bright where a map is high, at most so many pixels wide or high."""
    shape = values.shape
    return _lit(subject.key, tuple(values.ravel().tolist()), shape, side, subject)


@st.cache_data(max_entries=256, show_spinner=False)
def _lit(
    key: tuple[str, int, str],
    values: tuple[float, ...],
    shape: tuple[int, ...],
    side: int,
    _subject: Subject,
) -> bytes:
    from captioning import explain

    photo = _subject.photo
    photo.thumbnail((side, side))
    return as_jpeg(explain.spotlight(photo, np.array(values).reshape(shape)))


def _show_heads(page: LessonPage, subject: Subject, looks: Looks, place: int) -> None:
    word, heads = subject.words[place], looks.heads[place]
    page.heading(f"How it weighs the regions at “{word}”")
    page.text(
        f"The LSTM's state asks a question q, every region r answers with a key k. The better "
        f"they fit, the more the region counts. {len(heads)} heads ask at once, each for itself."
    )
    with st.grid(len(heads) if len(heads) <= 4 else 4, min_column_width=130):
        for number, weights in enumerate(heads):
            with st.container(gap="xsmall"):
                st.image(
                    lit(subject, weights, _STRIP),
                    width="stretch",
                    alt=f"Head {number + 1}: {_spoken(weights, word)}",
                )
                st.caption(f"Head {number + 1}: most at {weights.max():.0%}")
    head, region = _choose(heads, looks)
    step = inspector.reading(subject).steps[place]
    formulas = look_formulas(step, inspector.memory(subject), head, region)
    row, column = divmod(region, looks.grid[1])
    page.text(
        f"Head {head + 1} and region {region + 1} (row {row + 1}, column {column + 1}), with the "
        f"first three of the numbers that q and k have:"
    )
    page.formula(formulas.product)
    page.formula(formulas.score)
    page.formula(formulas.weight)
    page.aside(
        "The largest score is taken off before the exponential, which leaves the shares as they "
        "are and keeps the numbers small. What is read is the sum of the regions' values, each "
        "times its weight."
    )


def _choose(heads: np.ndarray, looks: Looks) -> tuple[int, int]:
    """Ask for a head; the region is the one it looks at most, unless another is asked for."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        head = st.segmented_control(
            "Head",
            range(len(heads)),
            default=0,
            required=True,
            format_func=lambda number: str(number + 1),
            key=f"attention.head.{len(heads)}",
        )
        strongest = st.checkbox(
            "The region it looks at most", value=True, key="attention.strongest"
        )
        if strongest:
            return head, int(heads[head].argmax())
        region = st.number_input(
            f"Region, 1 to {looks.regions}",
            min_value=1,
            max_value=looks.regions,
            key=f"attention.region.{looks.regions}",
            width=180,
        )
    return head, int(region) - 1


def _spoken(weights: np.ndarray, word: str) -> str:
    row, column = np.unravel_index(int(weights.argmax()), weights.shape)
    return (
        f"The photo at the word {word}: brightest in row {row + 1} of {weights.shape[0]}, column "
        f"{column + 1} of {weights.shape[1]}, with {weights.max():.0%} of the attention"
    )
