"""The details of one caption in four tabs; only the open tab is computed."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

import streamlit as st

from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.errors import CaptioningError
from captioning.image_metadata import alt_html, alt_text, write_caption
from pages.ui import cache
from pages.ui.captions import compare_models, draw_tree
from pages.ui.components import problem
from pages.ui.pictures import Picture

if TYPE_CHECKING:
    from captioning.caption import Caption

WHY, TREE, MODELS, EXPORT = PARTS = (
    "Why this sentence",
    "Search tree",
    "Other models",
    "Export",
)


def choose_one(
    page: str, written: "Sequence[tuple[Picture, Caption]]"
) -> "tuple[Picture, Caption] | None":
    """Return the photo whose details to show, with its caption; of several photos ask for one."""
    if len(written) < 2:
        return next(iter(written), None)
    place = st.selectbox(
        "Show the details of one photo",
        range(len(written)),
        index=None,
        format_func=lambda number: f"{number + 1}. {written[number][1].sentence}",
        placeholder="Choose its caption",
        key=f"{page}.one",
        width=480,
    )
    return None if place is None else written[place]


def show_details(
    page: str, picture: Picture, models: Mapping[str, Bundle], bundle: Bundle, caption: "Caption"
) -> None:
    """Offer the details of a caption."""
    part = st.segmented_control(
        "Details", PARTS, key=f"{page}.closer", bind="query-params", label_visibility="visible"
    )
    try:
        if part == WHY and caption.words:
            from pages.caption.words import explain_words  # imports altair: a second

            explain_words(page, picture, bundle, caption)
        elif part == TREE:
            _show_tree(picture, bundle, caption.decoding)
        elif part == MODELS:
            compare_models(page, picture, models, bundle, caption.decoding)
        elif part == EXPORT:
            export(page, picture, caption)
    except CaptioningError as error:
        problem(error)


_MIME = {"jpg": "jpeg", "tif": "tiff"}

# Speaks with the browser's own voice, so it works without a network.  Text arrives as data and is
# never put into the page as HTML.
_SPEAK = st.components.v2.component(
    "speak_caption",
    html='<button type="button">Read it aloud</button><span role="status"></span>',
    css="""
    button { font: inherit; color: var(--st-text-color); background: transparent;
             border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius);
             padding: 0.4rem 0.9rem; cursor: pointer; }
    button:hover, button:focus-visible { border-color: var(--st-primary-color);
             color: var(--st-primary-color); }
    span { margin-left: 0.75rem; color: var(--st-text-color); opacity: 0.7; }
    """,
    js="""
    export default function ({ data, parentElement }) {
      const button = parentElement.querySelector("button");
      const status = parentElement.querySelector("span");
      if (!("speechSynthesis" in window)) {
        button.disabled = true;
        status.textContent = "This browser cannot speak.";
        return;
      }
      button.onclick = () => {
        const words = new SpeechSynthesisUtterance(data.text);
        words.lang = "en";
        words.onstart = () => { status.textContent = data.text; };
        words.onerror = () => { status.textContent = "This browser has no voice."; };
        window.speechSynthesis.cancel();
        window.speechSynthesis.speak(words);
      };
      return () => window.speechSynthesis.cancel();
    }
    """,
)


_captioned_copy = st.cache_data(max_entries=8, show_spinner=False)(write_caption)


def _show_tree(picture: Picture, bundle: Bundle, decoding: DecodingConfig) -> None:
    """Draw the search that wrote the caption."""
    if decoding.strategy != "beam":
        st.caption(
            'Sentences drawn at random have no search tree. Choose "Best sentences" in Settings.'
        )
        return
    from captioning.decoding import read_tree

    trace, _ = cache.trace(bundle, picture.data, picture.name, decoding)
    nodes = read_tree(trace, length_penalty=decoding.length_penalty)
    st.caption(
        "Read from left to right. Words in solid boxes were kept, words in dashed boxes were cut. "
        "The green path is the best sentence. Changing the length penalty in Settings ranks the "
        "same sentences again, without a new search."
    )
    st.graphviz_chart(draw_tree(nodes, bundle.vocabulary.words), width="stretch")


def export(page: str, picture: Picture, caption: "Caption") -> None:
    """Offer the caption as speech, as text, as alternative text, and inside the photo."""
    confidence, doubtful = caption.confidence, caption.doubtful
    spoken = alt_text(caption.sentence, confidence=confidence, doubtful=doubtful)
    _SPEAK(data={"text": spoken}, key=f"{page}.speak")
    st.caption("As text, and as alternative text for a web page:")
    st.code(caption.sentence, language=None, wrap_lines=True)
    html = alt_html(caption.sentence, picture.name, confidence=confidence, doubtful=doubtful)
    st.code(html, language=None, wrap_lines=True)
    bundle = cache.models().get(caption.model)  # None for a model of another folder
    try:
        copy = _captioned_copy(
            picture.data,
            caption.sentence,
            writer=caption.model,
            version=bundle.version if bundle is not None else "",
            confidence=confidence,
            doubtful=doubtful,
        )
    except CaptioningError as error:
        problem(error)
        return
    st.download_button(
        "The photo with its caption inside",
        copy.data,
        file_name=f"{PurePath(picture.name).stem}-captioned.{copy.ending}",
        mime=f"image/{_MIME.get(copy.ending, copy.ending)}",
        icon=":material/download:",
        key=f"{page}.copy",
        on_click="ignore",
    )
    st.caption(
        "The copy holds the sentence as its description (XMP, EXIF, and IPTC where there was one), "
        "marked as machine-made, with the model and how sure it is. "
        + ("The picture itself is unchanged." if not copy.notes else " ".join(copy.notes))
    )
