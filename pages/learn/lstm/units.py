"""Units of the LSTM that follow a property of words, found in the sentences of the data set."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from captioning.datasets import CaptionDataset, Photo
from captioning.errors import QueryError
from captioning.images import read_image
from captioning.lessons.lstm_memory import (
    PROPERTIES,
    Follower,
    ReadWords,
    find_followers,
    mark_words,
    padded,
    read_words,
)
from captioning.lessons.numpy_decoder import Memory, write_greedily
from captioning.text import tokenize
from captioning.vocabulary import UNK, Vocabulary
from pages.learn import inspector
from pages.learn.frame import LessonPage
from pages.learn.subject import Subject
from pages.ui import cache
from pages.ui.theme import Look
from pages.ui.wording import counted, plain

if TYPE_CHECKING:
    from captioning.captioner import Captioner

GIVEN, MODEL = "Captions of the data set", "The model's own sentences"
_PHOTOS = 48
_AT_ONCE = 8
_KNOWN_ENOUGH = 0.9
_LINES = 6
_STRONG = 0.5
_ONE_WORD = "word"


def show_units(page: LessonPage) -> None:
    """Let a student look for units that follow a property of words."""
    page.heading("What single units follow")
    page.text(
        "No unit was programmed to do anything. Does one of them follow the position in the "
        "sentence, or colours? The LSTM reads many sentences; for each unit you see the "
        "correlation r, from -1 to 1, between its value after a word and a property of that word."
    )
    read = _sentences(page.subject)
    if read is None:
        return
    name, word = _choose_property(page.subject)
    known = set(page.subject.vocabulary.words)
    marks = mark_words(read.words, name, known=known, word=word)
    try:
        found = find_followers(read, marks)
    except QueryError as error:
        st.info(str(error), icon=":material/search_off:")
        return
    _show_found(page, read, marks, found, _described(name, word))
    page.code("captioning.lessons.lstm_memory", "find_followers")


def _sentences(subject: Subject) -> ReadWords | None:
    """Offer to read sentences; None until that was asked for."""
    dataset = cache.gallery()
    photos = _photos(dataset)
    given = _known_share(photos, subject.vocabulary) >= _KNOWN_ENOUGH
    source = st.segmented_control(
        "Sentences",
        (GIVEN, MODEL),
        default=GIVEN if given else MODEL,
        required=True,
        key=f"lstm.sentences.{subject.bundle.name}",
    )
    key = (*subject.key[:2], dataset.name, source)
    if st.session_state.get("lstm.read") != key:
        st.button(
            f"Read the sentences of {counted(len(photos), 'photo')} of {plain(dataset.name)}",
            icon=":material/menu_book:",
            key="lstm.read_sentences",
            on_click=st.session_state.update,
            args=({"lstm.read": key},),
        )
        return None
    if source == GIVEN and not given:
        st.caption("The model does not know many of these words; it reads them as unknown.")
    return _read(key, photos, dataset, subject)


def _choose_property(subject: Subject) -> tuple[str, str]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "Property of a word",
            [*PROPERTIES, _ONE_WORD],
            format_func=lambda n: PROPERTIES.get(n, "it is this word:"),
            key="lstm.property",
            bind="query-params",
            width=380,
        )
        if name != _ONE_WORD:
            return name, ""
        first = max(subject.words, key=len)
        return name, st.text_input("Word", first, key="lstm.word", width=160).strip().lower()


def _described(name: str, word: str) -> str:
    return PROPERTIES.get(name, f"it is “{word}”")


def _show_found(
    page: LessonPage, read: ReadWords, marks: np.ndarray, found: list[Follower], label: str
) -> None:
    sentences = counted(len(read.words), "sentence")
    page.table(
        {
            "unit": [str(f.unit) for f in found],
            "r, in the sentences used to choose it": [f"{f.found:+.2f}" for f in found],
            "r, in the other sentences": [f"{f.held_out:+.2f}" for f in found],
        },
        caption=f"The units that follow “{label}” most closely, over {len(marks):,} words of "
        f"{sentences}. Among many units some follow anything by chance, so only the second column "
        "counts.",
    )
    unit = found[0].unit
    values, means = _means(read.activations[:, unit], marks)
    page.chart(
        _mean_chart(values, means, label, page.look),
        alt=f"Mean of unit {unit} by property: "
        + ", ".join(f"{v:g}: {m:.2f}" for v, m in zip(values, means, strict=True)),
        caption=f"What unit {unit} shows on average"
        + (" (1: yes, 0: no)." if set(values) <= {0.0, 1.0} else "."),
        table={"property": [f"{v:g}" for v in values], "mean": [f"{m:.3f}" for m in means]},
    )
    st.button(
        f"Open unit {unit} in the cell above",
        icon=":material/arrow_upward:",
        type="tertiary",
        key="lstm.open_unit",
        on_click=st.session_state.update,
        args=({"lstm.unit": unit},),
    )
    st.markdown("\n".join(f"- {line}" for line in _painted(read, unit)))
    st.caption(
        f"What unit {unit} shows after each word, in sentences not used to choose it: green above "
        f"{_STRONG:g}, red below {-_STRONG:g}."
    )


def _means(activations: np.ndarray, marks: np.ndarray) -> tuple[list[float], list[float]]:
    values = np.unique(marks)
    return values.tolist(), [float(activations[marks == value].mean()) for value in values]


def _painted(read: ReadWords, unit: int) -> list[str]:
    """Colour words by a unit's value after them, in the half not used to choose it."""
    belongs, lines = read.sentence_of, []
    seen: set[tuple[str, ...]] = set()
    for number in range(1, len(read.words), 2):
        words, shown = read.words[number], read.activations[belongs == number, unit]
        if words in seen:
            continue
        seen.add(words)
        lines.append(" ".join(map(_paint, words, shown)))
        if len(lines) == _LINES:
            break
    return lines


def _paint(word: str, value: float) -> str:
    if abs(value) <= _STRONG:
        return plain(word)
    return f":{'green' if value > 0 else 'red'}-background[{plain(word)}]"


def _mean_chart(values: list[float], means: list[float], label: str, look: Look) -> alt.Chart:
    table = pd.DataFrame({"value": [f"{value:g}" for value in values], "mean": means})
    return (
        alt.Chart(table)
        .mark_bar(cornerRadius=3)
        .encode(
            x=alt.X("value:O", sort=None, title=label, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("mean:Q", title="mean of the unit"),
            color=alt.condition(
                "datum.mean < 0", alt.value(look.series[3]), alt.value(look.accent)
            ),
            tooltip=["value:O", alt.Tooltip("mean:Q", format=".3f")],
        )
        .properties(height=220)
    )


def _photos(dataset: CaptionDataset) -> list[Photo]:
    """Take photos that models do not train on, and that somebody described."""
    photos = [*dataset.split("test"), *dataset.split("dev")]
    return [photo for photo in photos if photo.captions][:_PHOTOS]


def _known_share(photos: Sequence[Photo], vocabulary: Vocabulary) -> float:
    ids = [i for photo in photos for text in photo.captions for i in vocabulary.encode(text)]
    return 1 - ids.count(UNK) / max(len(ids), 1)


def _read(
    key: tuple[str, int, str, str], photos: list[Photo], dataset: CaptionDataset, subject: Subject
) -> ReadWords:
    """Let the model look at the photos, a few at a time, and read their sentences."""
    bar = st.empty()
    parts = []
    for start in range(0, len(photos), _AT_ONCE):
        some = photos[start : start + _AT_ONCE]
        names = tuple(photo.name for photo in some)
        parts.append(_begun(key[:3], names, some, dataset, subject))
        done = start + len(some)
        if done < len(photos):
            bar.progress(done / len(photos), f"{done} of {len(photos)} photos read")
    bar.empty()
    return _read_all(key, photos, parts, subject)


Begun = tuple[Memory, list[tuple[int, ...]]]
"""What the LSTM begins with for some photos, and what the model writes about each."""


@st.cache_data(max_entries=64, show_spinner=False)
def _begun(
    key: tuple[str, int, str],
    names: tuple[str, ...],
    _photos: list[Photo],
    _dataset: CaptionDataset,
    _subject: Subject,
) -> Begun:
    captioner: Captioner = _subject.captioner
    pictures = [
        read_image(cache.photo_file(_dataset.path(photo)), name=photo.name) for photo in _photos
    ]
    decoder, features = inspector.decoder(_subject.bundle), captioner.encode(pictures)
    written = [
        write_greedily(decoder, decoder.remember(features[place : place + 1])).ids
        for place in range(len(features))
    ]
    whole = decoder.remember(features)
    return Memory(whole.hidden, whole.cell, mean=whole.mean), written


@st.cache_resource(max_entries=8, show_spinner=False)
def _read_all(
    key: tuple[str, int, str, str], _photos: list[Photo], _parts: list[Begun], _subject: Subject
) -> ReadWords:
    vocabulary = _subject.vocabulary
    written = [ids for _, sentences in _parts for ids in sentences]
    rows: list[Sequence[int]] = []
    texts: list[list[str]] = []
    owners: list[int] = []
    for place, photo in enumerate(_photos):
        if key[3] == GIVEN:
            some = [tokenize(text) for text in photo.captions]
            ids = [vocabulary.encode(text) for text in photo.captions]
        else:
            some = [[vocabulary.words[i] for i in written[place]]]
            ids = [list(written[place])]
        texts += some
        rows += ids
        owners += [place] * len(some)
    memory = _of_owners([part for part, _ in _parts], owners)
    return read_words(inspector.decoder(_subject.bundle), memory, texts, padded(rows))


def _of_owners(parts: list[Memory], owners: list[int]) -> Memory:
    """Return a photo's memory for each sentence about it."""
    hidden, cell = (np.concatenate([getattr(p, n) for p in parts]) for n in ("hidden", "cell"))
    means = [part.mean for part in parts if part.mean is not None]
    mean = np.concatenate(means)[owners] if means else None
    return Memory(hidden[owners], cell[owners], mean=mean)
