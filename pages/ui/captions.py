"""Show captions: how sure the model is, its candidates and search, and other models' captions.

A picture that is not a photo is captioned on request only (`is_wanted`).
"""

import difflib
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from captioning.bundle import Bundle
from captioning.calibration.picture_kind import Kind
from captioning.caption import DOUBTED
from captioning.config import DecodingConfig
from captioning.errors import CaptioningError, ImageError
from captioning.text import clean, sentence
from captioning.vocabulary import EOS
from pages.ui import cache
from pages.ui.components import problem
from pages.ui.pictures import Picture
from pages.ui.settings import how_chosen, say_needs
from pages.ui.theme import look
from pages.ui.wording import percent, plain, seconds

if TYPE_CHECKING:
    from captioning.caption import Caption, Word
    from captioning.decoding import Node

_MOST_OTHERS = 4
_ROW_HEIGHT = 26
_STROKES = {"best": "penwidth=2.5 group=best", "ended": "style=bold", "cut": "style=dashed"}
_DETAILS = "How sure the model is, and what else it considered"


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
                f"Left out, because the model is less than {decoding.detail_certainty:.0%} sure: "
                f"{'; '.join(map(plain, caption.left_out))}.",
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


def word_chart(words: "Sequence[Word]") -> dict[str, Any]:
    """Draw the probability of each word, in the order of the sentence, as bars from 0 to 100%.

    Returns:
        A Vega-Lite specification with its numbers inside.  A table or an Altair chart would make
        the first caption of a server wait more than a second for Altair and pandas to import.
    """
    columns: dict[str, list[Any]] = {
        "word": [word.word for word in words],
        "share": [math.exp(word.log_prob) for word in words],
        "text": [percent(word.log_prob) for word in words],
    }
    # A word may occur twice, so rows are keyed by place and labelled with words.
    return {
        "data": {"sequence": {"start": 0, "stop": len(words), "as": "place"}},
        "transform": [
            {"calculate": f"{json.dumps(values)}[datum.place]", "as": name}
            for name, values in columns.items()
        ],
        "layer": [
            _bars({"datum": 1}, columns["word"], "left", opacity=0.12),
            _bars({"field": "share"}, columns["text"], "right"),
        ],
        "resolve": {"scale": {"y": "independent"}},
        "height": _ROW_HEIGHT * len(words),
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": {"view": {"strokeWidth": 0}},
    }


def _bars(
    length: dict[str, Any], labels: Sequence[object], side: str, **mark: float
) -> dict[str, Any]:
    axis = {"orient": side, "title": None, "domain": False, "ticks": False}
    text = {"labelExpr": f"{json.dumps(labels)}[datum.value]", "labelFontSize": 14}
    x = {**length, "type": "quantitative", "scale": {"domain": [0, 1]}, "axis": None}
    y = {
        "field": "place",
        "type": "ordinal",
        "scale": {"paddingInner": 0.45},
        "axis": {**axis, **text, "labelPadding": 8},
    }
    tooltip = [
        {"field": "word", "type": "nominal"},
        {"field": "text", "type": "nominal", "title": "probability"},
    ]
    return {
        "mark": {"type": "bar", "cornerRadius": 3, **mark},
        "encoding": {"x": x, "y": y, "tooltip": tooltip},
    }


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
    if len(asked) > _MOST_OTHERS:
        st.caption(f"At most {_MOST_OTHERS} at once: only the first {_MOST_OTHERS} are shown.")
    first = cache.caption(bundle, picture.data, picture.name, decoding)
    for name in [bundle.name, *asked[:_MOST_OTHERS]]:
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


def draw_tree(nodes: "list[Node]", words: tuple[str, ...]) -> str:
    """Return the tree as Graphviz source, in the colours of the visitor's theme."""
    page = look()
    colours = {"best": page.accent, "ended": page.text, "kept": page.text, "cut": page.muted}
    looks = {
        fate: f'color="{colour}" fontcolor="{colour}" {_STROKES.get(fate, "")}'
        for fate, colour in colours.items()
    }
    lines = [
        "digraph {",
        'rankdir=LR bgcolor="transparent" nodesep=0.06 ranksep=0.16',
        'node [shape=box fontname="sans-serif" fontsize=13 height=0.3 width=0.4]',
        'node [margin="0.04,0.02"]',
        "edge [arrowsize=0.4]",
        f'start [label="begin" {looks["best"]}]',
    ]
    for number, node in enumerate(nodes):
        word = "end" if node.token == EOS else words[node.token]
        shape = "shape=ellipse " if node.token == EOS else ""
        label = f"{word}\\n{percent(node.log_prob)}".replace('"', "")
        before = "start" if node.parent is None else f"n{node.parent}"
        lines.append(f'n{number} [{shape}label="{label}" {looks[node.fate]}]')
        lines.append(f"{before} -> n{number} [{looks[node.fate].replace(' group=best', '')}]")
    return "\n".join([*lines, "}"])
