"""Show a caption: the sentence, how sure the model is, and its other candidates.

A picture that is not a photo is captioned on request only (`is_wanted`).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from captioning.bundle import Bundle
from captioning.calibration.picture_kind import Kind
from captioning.caption import DOUBTED
from captioning.config import DecodingConfig
from captioning.errors import CaptioningError, ImageError
from captioning.metrics import format_headline
from captioning.text import clean, sentence
from captioning.vocabulary import SPECIAL
from pages.ui import cache, state
from pages.ui.components import problem, prose
from pages.ui.decoding_settings import choose_decoding, how_chosen
from pages.ui.pictures import Picture
from pages.ui.word_chart import word_chart
from pages.ui.wording import percent, plain, seconds

if TYPE_CHECKING:
    from captioning.caption import Caption

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_DETAILS = "How sure the model is, and what else it considered"


def open_page(page: str, title: str) -> dict[str, Bundle]:
    """Write a page's title and introduction, and return the models by name.

    Without a model, the page says so and ends.
    """
    st.header(title, anchor=False)
    prose(page)
    models = cache.models()
    if not models:
        prose("no-model")
        st.stop()
    check_link(page, models)
    return models


def choose_settings(page: str, models: Mapping[str, Bundle]) -> tuple[Bundle, DecodingConfig]:
    """Ask for the model, and for the way it chooses words."""
    with st.popover("Settings", icon=":material/tune:"):
        name = next(iter(models))
        if len(models) > 1:
            name = st.selectbox("Model", list(models), key=f"{page}.model", bind="query-params")
            say_needs(models.values())
        bundle = models[name]
        return bundle, choose_decoding(page, bundle)


def say_needs(bundles: Iterable[Bundle]) -> None:
    """List the models that cannot run yet, and how to change that."""
    lacking = [bundle for bundle in bundles if not bundle.has_weights]
    names = [bundle.name for bundle in lacking if bundle.has_known_encoder]
    if names:
        st.caption(
            f":material/download: {plain(', '.join(names))}: the ImageNet weights are not on this "
            "machine. Choose such a model to download them; that needs a network."
        )
    unknown = [bundle.name for bundle in lacking if not bundle.has_known_encoder]
    if unknown:
        st.caption(
            f":material/extension_off: {plain(', '.join(unknown))}: the encoder is not known here. "
            "Such a model needs the package that its encoder comes from."
        )


def check_link(page: str, models: Mapping[str, Bundle]) -> None:
    """Show what is wrong with the model that the link names, if it cannot be used."""
    asked = state.linked(f"{page}.model")
    if asked and asked not in models and (error := cache.missing_model(asked)):
        problem(error)


@st.dialog("About the model", width="large")
def show_model(bundle: Bundle) -> None:
    """Describe a model in a dialog: what it does, its scores, and its card."""
    st.markdown(
        f"**{plain(bundle.name)}** looks at a photo and writes one English sentence about it. It "
        f"knows {len(bundle.vocabulary) - len(SPECIAL):,} words and uses no others. "
        "It always writes a sentence, so it is often partly wrong: check what matters."
    )
    say_publication(bundle)
    for score in bundle.scores():
        st.caption(_score(score))
    st.caption(
        f"Inside: the encoder {plain(bundle.encoder.name)} turns the photo into numbers, and "
        f"{bundle.decoder.cell_name} ({bundle.decoder.kind}) writes the words."
    )
    card = _COMMENT.sub("", bundle.card)
    if card.strip():
        with st.expander("Model card: data, training, results, limits"):
            st.markdown(card)


def say_publication(bundle: Bundle) -> None:
    """Say who published a model, when, and from which run, if somebody did."""
    if bundle.published is not None:
        who = f" by {plain(bundle.published.by)}" if bundle.published.by else ""
        when = bundle.published.at[:16].replace("T", " ")
        run = plain(bundle.published.run)
        st.caption(f"Published{who} on {plain(when)} (UTC) from the run {run}.")


def show_captions(
    pictures: Sequence[Picture], bundle: Bundle, decoding: DecodingConfig
) -> "list[tuple[Picture, Caption]]":
    """Show each photo with the sentence about it, or why there is none.

    A photo that cannot be read does not stop the others; a model that cannot be loaded does.

    Returns:
        The photos that could be captioned, each with its caption.
    """
    written = []
    for picture in pictures:
        try:
            caption = _card(picture, bundle, decoding, alone=len(pictures) == 1)
            written += [(picture, caption)] if caption else []
        except ImageError as error:
            problem(error)
        except CaptioningError as error:
            problem(error)
            break
    return written


def _card(
    picture: Picture, bundle: Bundle, decoding: DecodingConfig, *, alone: bool
) -> "Caption | None":
    """Show one photo and its sentence; with several photos, the details are folded."""
    copy, width = cache.preview(picture.data, picture.name)
    with st.container(border=not alone):
        answer = st.container()
        left, right = st.columns([2, 3], gap="medium")
        # In a container of that width, the copy keeps its pixels: sharp on a fine screen.
        left.container(width=width).image(copy, width="stretch", alt=f"The photo {picture.name}")
    with answer:
        kind = cache.kind(bundle, picture.data, picture.name)
        if not is_wanted(picture, bundle, kind):
            return None
        caption = replace(cache.caption(bundle, picture.data, picture.name, decoding), kind=kind)
        write = st.title if alone else st.header
        marked, doubted = mark_doubted(caption)
        write(marked or "(no words)", anchor=False)
        show_sureness(caption)
        if doubted:
            st.caption(
                f"The model doubts the words in italics: {', '.join(map(plain, doubted))}. Each of "
                f"them has a probability below {DOUBTED:.0%}, so check them first."
            )
        if caption.left_out:
            st.caption(
                f"Left out, because the model is less than {decoding.detail_certainty:.0%} sure of "
                f"a word in it: {'; '.join(map(plain, caption.left_out))}.",
                help="To see the whole sentence, switch off “Leave out uncertain details” in "
                "Settings.",
            )
    with right, st.container() if alone else st.expander(_DETAILS):
        _words(caption)
        _alternatives(caption)
        _how_written(caption, folded=alone)
    return caption


def mark_doubted(caption: "Caption") -> tuple[str, list[str]]:
    """Mark the words of a caption that the model doubts.

    Returns:
        The sentence as Markdown with these words marked, and the words.
    """
    doubted = {caption.words[i].word for i in caption.certain_places if caption.words[i].is_doubted}
    shown = caption.sentence.split()
    marked = [
        f":orange[*{plain(text)}*]" if clean(text) in doubted else plain(text) for text in shown
    ]
    return " ".join(marked), [clean(text) for text in shown if clean(text) in doubted]


_MEANING = {
    "sure": "**Sure:** most captions with this mark describe the photo well.",
    "fairly sure": "**Fairly sure:** about half of the captions with this mark are good; "
    "the others have mistakes.",
    "not sure": "**Not sure:** most captions with this mark have mistakes.",
}
_JUDGED = (
    "Measured on photos the model did not learn from. A caption is good if it scores at least 50 "
    "in CIDEr, compared with captions by people."
)


def _how_written(caption: "Caption", *, folded: bool) -> None:
    """Show which model wrote the caption, and how; the technical details may be folded."""
    st.caption(f"Written by **{plain(caption.model)}** in {seconds(caption.seconds)}.")
    with st.expander("How this sentence was chosen") if folded else st.container():
        st.caption(
            f"It was chosen {how_chosen(caption.decoding)}. The probabilities of its words "
            f"multiply to {percent(caption.log_prob)}."
        )


def show_sureness(caption: "Caption") -> None:
    """Show how reliable the sentence is, if the model is calibrated."""
    if caption.kind not in (None, "photo"):
        st.warning(
            "**Not sure:** this is probably not a photo. The sentence may have nothing to do with "
            "it.",
            icon=":material/help:",
        )
    elif caption.level is None:
        return
    elif caption.familiar is False:
        st.warning(
            "**Not sure:** this picture is unlike the photos the model learned from. The "
            "sentence may have nothing to do with it.",
            icon=":material/help:",
        )
    elif caption.doubtful:
        st.warning(_MEANING[caption.level], icon=":material/help:")
    else:
        st.caption(f":material/check_circle: {_MEANING[caption.level]}", help=_JUDGED)


def _words(caption: "Caption") -> None:
    st.subheader("How sure the model is of each word", anchor=False)
    spoken = ", ".join(f"{w.word} {percent(w.log_prob)}" for w in caption.words)
    st.vega_lite_chart(word_chart(caption.words), alt=f"Probability of each word: {spoken}.")


def _alternatives(caption: "Caption") -> None:
    st.subheader("What else it considered", anchor=False)
    if not caption.alternatives:
        st.caption(
            "With beam width 1 there is only one sentence. Choose a larger beam width in Settings."
        )
        return
    # Not `st.table`, which imports pandas: half a second of the first caption of a server.
    lines = ["| Probability | Sentence |", "| --- | --- |"]
    lines += [
        f"| {percent(a.log_prob)} | {plain(sentence(a.caption))} |" for a in caption.alternatives
    ]
    st.markdown("\n".join(lines))
    if caption.decoding.strategy == "beam" and caption.decoding.length_penalty:
        st.caption("Ranked by the search: by probability and length, the best first.")


def _score(score: Mapping[str, Any]) -> str:
    return (
        f"{format_headline(score)} on the {score['images']:,} "
        f"photos of {plain(str(score['data']))}, {plain(str(score['split']))} split, "
        f"with beam width {score['beam_width']}."
    )


LOOKS_LIKE: dict[Kind, str] = {
    "screenshot": "This looks like a screenshot, not a photo.",
    "document": "This looks like a page of text, not a photo.",
    "chart": "This looks like a chart, not a photo.",
    "drawing": "This looks like a drawing, not a photo.",
    "blank": "This picture looks empty.",
    "noise": "This looks like random dots, not a photo.",
}


def is_wanted(picture: Picture, bundle: Bundle, kind: Kind | None) -> bool:
    """Return whether to caption a picture: every photo, and other pictures on request.

    Until then the page says what the picture looks like and offers a button.
    """
    if kind is None or kind == "photo":
        return True
    asked: set[str] = st.session_state.setdefault("caption_anyway", set())
    digest = hashlib.sha256(picture.data).hexdigest()[:16]
    if digest in asked:
        return True
    st.warning(LOOKS_LIKE[kind], icon=":material/image_not_supported:")
    st.button(
        "Caption it anyway",
        key=f"anyway.{bundle.name}.{digest}",
        on_click=asked.add,
        args=(digest,),
    )
    return False
