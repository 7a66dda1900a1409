"""Choose where the model looks for one word, and read what it then writes."""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from captioning.lessons.attention import Box, box_look, words_by_region
from captioning.lessons.numpy_decoder import write_greedily
from captioning.lessons.worksheet import Text
from pages.learn import inspector
from pages.learn.attention.maps import Looks
from pages.learn.figures import paired_bars, themed
from pages.learn.frame import LessonPage
from pages.learn.subject import BY_SUBJECT, Subject
from pages.ui.pictures import as_jpeg, as_url
from pages.ui.theme import Look
from pages.ui.wording import counted, percent, plain

_SIDE, _LARGE_SIDE, _WORDS = 360, 520, 410
_BARS = 6
_TINTS = 5
_MOST_NAMED = 10
_TOLD = 8
_BRUSH = "spot"
_CHART = "attention.map"


def show_chosen_region(page: LessonPage, subject: Subject, looks: Looks, place: int) -> None:
    """Let a student choose the regions, and show what the model writes."""
    word = subject.words[place]
    page.heading(f"Choose where it looks, at “{word}”")
    page.text(
        "Drag over the photo, or move the two sliders. The model then looks only there, equally at "
        "each region, with all its heads. The words before stay as they are."
    )
    # Not columns: the photo keeps its size, and what does not fit next to it goes below.
    with st.container(horizontal=True, gap="medium"):
        left = st.container(width=_LARGE_SIDE if page.large else _SIDE)
        right = st.container(width=_WORDS)
    with left:
        box = _choose_box(looks)
        tinted = st.toggle("Show the word that each region alone would give", key="attention.tint")
        _show_map(page, subject, looks, place, box, tinted=tinted)
    with right:
        _show_words(page, subject, looks, place, box)
    page.code("captioning.lessons.attention", "box_look")


def _choose_box(looks: Looks) -> Box:
    rows, columns = looks.grid
    bounds = []
    for name, count in (("rows", rows), ("columns", columns)):
        if count == 1:
            bounds.append((1, 1))
            continue
        key = f"attention.{name}"
        kept = st.session_state.get(key)
        if kept and max(kept) > count:
            st.session_state[key] = (1, count)
        bounds.append(
            st.slider(
                f"{name.capitalize()}, 1 to {count}",
                1,
                count,
                (1, max(1, count // 3)),
                key=key,
                bind="query-params",
            )
        )
    (top, bottom), (left, right) = bounds
    return Box(top - 1, left - 1, bottom - top + 1, right - left + 1)


def _show_map(
    page: LessonPage, subject: Subject, looks: Looks, place: int, box: Box, *, tinted: bool
) -> None:
    regions = _region_words(subject, place) if tinted else []
    chart = _map_chart(subject, looks, box, regions, page.look)
    key = f"{_CHART}.{looks.regions}"
    st.altair_chart(
        themed(chart, page.look),
        width="content",
        key=key,
        on_select=lambda: _take_drag(key, looks.grid),
        selection_mode=_BRUSH,
        alt=f"The photo with its {looks.grid[0]} x {looks.grid[1]} regions; yours are rows "
        f"{box.top + 1} to {box.top + box.height}, columns {box.left + 1} to "
        f"{box.left + box.width}.",
    )
    if tinted:
        counts = pd.Series(regions).value_counts()
        listed = ", ".join(f"{plain(str(w))} {n}" for w, n in counts[:_TOLD].items())
        rest = len(counts) - _TOLD
        listed += f", and {counted(rest, 'word')} more" if rest > 0 else ""
        st.caption(
            f"How many regions would give each word if the model looked there alone: {listed}."
        )


def _take_drag(key: str, grid: tuple[int, int]) -> None:
    """Move the sliders to what was dragged over."""
    dragged = st.session_state[key].selection.get(_BRUSH) or {}
    for name, axis, count in (("rows", "y", grid[0]), ("columns", "x", grid[1])):
        if axis in dragged and count > 1:
            low, high = sorted(dragged[axis])
            first = min(max(int(np.floor(low)), 0), count - 1)
            last = min(max(int(np.ceil(high)), first + 1), count)
            st.session_state[f"attention.{name}"] = (first + 1, last)


def _map_chart(
    subject: Subject, looks: Looks, box: Box, words: list[str], look: Look
) -> alt.LayerChart:
    rows, columns = looks.grid
    photo = subject.photo
    width = _LARGE_SIDE if look.large else _SIDE
    height = round(width * photo.height / photo.width)
    brush = alt.selection_interval(name=_BRUSH, encodings=["x", "y"])
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, columns], nice=False), axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, rows], nice=False, reverse=True), axis=None)
    table = pd.DataFrame(
        {"x": c, "y": r, "x2": c + 1, "y2": r + 1, "row": r + 1, "column": c + 1}
        for r in range(rows)
        for c in range(columns)
    )
    background = (
        alt.Chart(pd.DataFrame({"x": [columns / 2], "y": [rows / 2], "url": [_as_url(subject)]}))
        .mark_image(width=alt.expr("width"), height=alt.expr("height"), aspect=False)
        .encode(x=x, y=y, url="url:N")
    )
    cells = alt.Chart(table).mark_rect(stroke="#ffffff", strokeWidth=0.4, strokeOpacity=0.6)
    cells = cells.encode(x=x, y=y, x2="x2:Q", y2="y2:Q", tooltip=["row:Q", "column:Q"])
    layers = [background]
    if words:
        table["word"], table["rank"] = words, _ranks(words)
        layers += [_tinted(cells, look).add_params(brush)]
        layers += [_named(table, x, y, width / columns)] if columns <= _MOST_NAMED else []
    else:
        layers += [cells.encode(opacity=alt.value(0.12)).add_params(brush)]
    frame = (
        alt.Chart(pd.DataFrame([_edges(box)]))
        .mark_rect(filled=False, strokeWidth=4, stroke="#ffb000")
        .encode(x=x, y=y, x2="x2:Q", y2="y2:Q")
    )
    return alt.layer(*layers, frame).properties(width=width, height=height)


def _ranks(words: list[str]) -> list[int]:
    """Number the words by how many regions give them; the last number is for all rare ones."""
    common = list(pd.Series(words).value_counts().index)
    return [min(common.index(word), _TINTS) for word in words]


def _tinted(cells: alt.Chart, look: Look) -> alt.Chart:
    tints = alt.Scale(domain=list(range(_TINTS + 1)), range=list(look.series))
    return cells.encode(
        opacity=alt.value(0.6),
        color=alt.Color("rank:O", scale=tints, legend=None),
        tooltip=["row:Q", "column:Q", alt.Tooltip("word:N", title="would write")],
    )


def _named(table: pd.DataFrame, x: alt.X, y: alt.Y, cell: float) -> alt.LayerChart:
    """Write the words onto their regions, white with a dark edge, to be read on any photo."""
    middles = table.assign(x=table["x"] + 0.5, y=table["y"] + 0.5)
    look = {"fontSize": max(7, round(cell / 4.6)), "fontWeight": "bold", "limit": cell}
    texts = alt.Chart(middles).encode(x=x, y=y, text="word:N")
    edge = texts.mark_text(**look, color="#000000", stroke="#000000", strokeWidth=2.5)
    return alt.layer(edge, texts.mark_text(**look, color="#ffffff"))


def _edges(box: Box) -> dict[str, int]:
    return {
        "x": box.left,
        "y": box.top,
        "x2": box.left + box.width,
        "y2": box.top + box.height,
    }


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs=BY_SUBJECT)
def _as_url(subject: Subject) -> str:
    photo = subject.photo
    photo.thumbnail((_LARGE_SIDE, _LARGE_SIDE))
    return as_url(as_jpeg(photo))


@st.cache_data(max_entries=128, show_spinner=False, hash_funcs=BY_SUBJECT)
def _region_words(subject: Subject, place: int) -> list[str]:
    step = inspector.reading(subject).steps[place]
    state = step.cell.hidden_before, step.cell.cell_before
    found = words_by_region(
        inspector.decoder(subject.bundle), inspector.memory(subject), int(step.tokens[0]), state
    )
    return [inspector.word_of(subject.vocabulary, int(token)) for token in found.argmax(axis=1)]


def _show_words(page: LessonPage, subject: Subject, looks: Looks, place: int, box: Box) -> None:
    force = box_look(looks.grid, box)
    own = inspector.reading(subject).steps[place].log_probs[0]
    forced = inspector.look_again(subject, place, force).log_probs[0]
    word = inspector.word_of(subject.vocabulary, int(forced.argmax()))
    before = " ".join(subject.words[:place])
    st.markdown(f"### {plain(before)} :primary-background[{plain(word)}]")
    st.caption(
        f"With your {counted(box.height * box.width, 'region')}, the likeliest word is "
        f"{plain(word)}, {percent(float(forced.max()))}. With the model's own attention this word "
        f"has {percent(float(own[forced.argmax()]))}."
    )
    table = _compared(subject, own, forced)
    page.chart(
        _bars(table, page.look),
        alt="Probability of the next word, with your regions and with the model's attention: "
        + "; ".join(f"{r.word} {r.yours:.0%}, {r.own:.0%}" for r in table.itertuples()),
        table={
            "word": table["word"].tolist(),
            "your regions": [f"{share:.1%}" for share in table["yours"]],
            "its own attention": [f"{share:.1%}" for share in table["own"]],
        },
    )
    _go_on(page, subject, place, force)


def _compared(subject: Subject, own: np.ndarray, forced: np.ndarray) -> pd.DataFrame:
    order = np.argsort(-np.maximum(own, forced), kind="stable")[:_BARS]
    return pd.DataFrame(
        {
            "word": [inspector.word_of(subject.vocabulary, int(token)) for token in order],
            "yours": np.exp(forced[order]),
            "own": np.exp(own[order]),
        }
    )


def _bars(table: pd.DataFrame, look: Look) -> alt.Chart:
    colours = {"your regions": look.accent, "its own attention": look.border}
    long = table.rename(columns=dict(zip(["yours", "own"], colours, strict=True)))
    long = long.melt("word", var_name="who", value_name="share")
    return paired_bars(long, "who", colours, table["word"].tolist(), 14)


def _go_on(page: LessonPage, subject: Subject, place: int, force: np.ndarray) -> None:
    """Let the model continue, with the chosen regions at this word, or from here on."""
    once = st.segmented_control(
        "Use your regions for",
        ("this word", "all words from here"),
        default="this word",
        required=True,
        key="attention.holds",
        bind="query-params",
    )
    ids = _written_on(subject, place, force, once=once == "this word")
    sentence = subject.vocabulary.decode(ids)
    st.markdown(f"It continues: **{plain(sentence) or '(no words)'}**")
    page.keep(Text(f"With the chosen regions, the model writes: {sentence}"))


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs=BY_SUBJECT)
def _written_on(subject: Subject, place: int, force: np.ndarray, *, once: bool) -> tuple[int, ...]:
    """Return the sentence written with forced attention at one place, or from there on."""
    written = write_greedily(
        inspector.decoder(subject.bundle),
        inspector.memory(subject),
        begun=inspector.sentence_ids(subject)[:place],
        force=force,
        forced_at=place if once else None,
    )
    return written.ids
