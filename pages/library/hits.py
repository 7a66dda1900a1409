"""Photos that a search found, each with the reason."""

import math
from collections.abc import Callable, Sequence

import streamlit as st

from captioning.analysis.caption_index import stem, token_spans
from captioning.datasets import Photo
from captioning.errors import CaptioningError
from captioning.retrieval import WordGain
from captioning.text import tokenize
from pages.library.sources import Place
from pages.ui.photo_grid import highlighted
from pages.ui.wording import plain

END = "(end)"
_CLEAR = math.log(2)


def show_hits(
    page: str, place: Place, photos: Sequence[Photo], why: Callable[[int], Sequence[str]]
) -> None:
    """Show photos in rows.

    Args:
        page: for keys.
        place: where they were found.
        photos: the best first.
        why: returns lines of Markdown that say why the photo at a place was found.
    """
    if not photos:
        st.info("No photo was found. Try more common words, or another way to search.")
    for number, photo in enumerate(photos):
        left, right = st.columns([1, 4], vertical_alignment="center")
        with left:
            _thumbnail(place, photo)
        with right:
            first, *others = why(number)
            st.markdown(first)
            for line in others:
                st.caption(line)
            with st.container(horizontal=True, vertical_alignment="center"):
                place.link(photo)
                st.button(
                    "More like this",
                    type="tertiary",
                    icon=":material/image_search:",
                    key=f"{page}.like.{photo.name}",
                    on_click=_like,
                    args=(page, photo.name),
                )


def marked(caption: str, sentence: str) -> str:
    r"""Write a caption as Markdown with the words marked that a sentence has too, in any form.

    >>> marked("Two dogs running", "a dog runs")
    'Two :primary-background[dogs] :primary-background[running]'
    """
    stems = {stem(word) for word in tokenize(sentence)}
    spans = [(s.start, s.end) for s in token_spans(caption) if stem(s.word) in stems]
    return highlighted(caption, spans)


def spoken_gains(words: Sequence[WordGain]) -> str:
    """Write a sentence with the factor by which the photo raised the probability of each word.

    Words that became at least twice as probable are marked.
    """
    parts = []
    for word in words:
        text = plain(word.word) if word.word is not None else END
        if word.gain is None:
            parts.append(f"{text} :small[:gray[unknown]]")
        elif word.gain >= _CLEAR:
            parts.append(f":primary-background[{text}] :small[{times(word.gain)}]")
        else:
            parts.append(f"{text} :small[:gray[{times(word.gain)}]]")
    return " ".join(parts)


def times(gain: float) -> str:
    """Write a natural logarithm as a factor.

    >>> times(0.0), times(math.log(33.4)), times(math.log(0.25))
    ('×1.0', '×33', '×0.3')
    """
    factor = math.exp(min(gain, 20.0))
    return f"×{factor:,.0f}" if factor >= 9.5 else f"×{factor:.1f}"


def _thumbnail(place: Place, photo: Photo) -> None:
    try:
        st.image(place.picture(photo), width="stretch", alt=f"The photo {photo.name}")
    except CaptioningError as error:
        st.caption(f":material/broken_image: {plain(str(error))}")


def _like(page: str, name: str) -> None:
    """Search for photos like this one from the next rerun on."""
    st.session_state[f"{page}.by"] = EXAMPLE
    st.session_state[f"{page}.example"] = name


EXAMPLE = "A photo like this"
"""The way to search that "More like this" opens."""
