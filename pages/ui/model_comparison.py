"""Captions of several models for one photo, with the differences marked."""

import difflib
from collections.abc import Mapping

import streamlit as st

from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.errors import CaptioningError
from captioning.text import clean
from pages.ui import cache
from pages.ui.captions import say_needs
from pages.ui.components import problem
from pages.ui.pictures import Picture
from pages.ui.wording import percent, plain, seconds

_MOST = 4


def compare_models(
    page: str,
    picture: Picture,
    models: Mapping[str, Bundle],
    bundle: Bundle,
    decoding: DecodingConfig,
) -> None:
    """Show captions of other models for the same photo."""
    others = [name for name in models if name != bundle.name]
    if not others:
        st.caption("There is only one model. Train another one to compare the two.")
        return
    asked = st.pills(
        "Other models",
        others,
        selection_mode="multi",
        key=f"{page}.others",
        bind="query-params",
    )
    say_needs(models[name] for name in others)
    if len(asked) > _MOST:
        st.caption(f"At most {_MOST} at once: only the first {_MOST} are shown.")
    first = cache.caption(bundle, picture.data, picture.name, decoding)
    for name in [bundle.name, *asked[:_MOST]]:
        with st.container(border=True):
            try:
                caption = cache.caption(models[name], picture.data, picture.name, decoding)
            except CaptioningError as error:
                problem(error)
                continue
            st.subheader(mark_differences(caption.sentence, first.sentence), anchor=False)
            st.caption(
                f"**{plain(name)}**, {models[name].decoder.kind}, {models[name].encoder.name}: "
                f"{percent(caption.log_prob)}, {seconds(caption.seconds)}"
            )


def mark_differences(sentence: str, other: str) -> str:
    r"""Write `sentence` with the words marked that `other` does not have at that place.

    >>> mark_differences("a big dog runs", "a dog runs")
    'a :primary-background[big] dog runs'
    >>> mark_differences("A dog.", "A dog runs.")
    'A dog\\.'
    """
    words = sentence.split()
    compared, others = ([clean(word) for word in text.split()] for text in (sentence, other))
    parts = []
    matcher = difflib.SequenceMatcher(a=others, b=compared, autojunk=False)
    for kind, _, _, start, end in matcher.get_opcodes():
        text = plain(" ".join(words[start:end]))
        if text:
            parts.append(text if kind == "equal" else f":primary-background[{text}]")
    return " ".join(parts)
