"""From a caption to training rows: the words of one sentence, and all captions of a data set."""

import streamlit as st

from captioning.lessons.words import Dropped, Journey, dropped, follow, row_count
from captioning.lessons.worksheet import Table
from captioning.text import tokenize
from captioning.vocabulary import SPECIAL, Vocabulary
from pages.learn.frame import LessonPage
from pages.learn.subject import Subject, lesson_data
from pages.ui.datasets import Explored
from pages.ui.wording import plain

MODEL, COUNTED = "the model's", "counted in training captions"


def show_rows(page: LessonPage) -> None:
    """Turn a sentence into training rows, and count the rows of the whole data set."""
    page.heading("From a sentence to training rows")
    text = _choose_sentence(page.subject)
    data = lesson_data()
    vocabulary = _choose_vocabulary(page.subject, data)
    if tokenize(text):
        journey = follow(text, vocabulary)
        _show_tables(journey)
        rows = [(" ".join(row.given_words), row.target_word) for row in journey.rows]
        count = f"{len(journey.words)} words and the end: {len(rows)} rows."
        page.keep(Table(["given", "to predict"], rows, count))
        page.code("captioning.lessons.words", "follow")
    else:
        st.caption("Write at least one word.")
    if data is not None and st.toggle(
        "Count the rows of all captions", key="words.all", bind="query-params"
    ):
        _show_totals(data)


def _choose_sentence(subject: Subject) -> str:
    """Ask for a sentence; it starts as a caption of the photo, or else the model's."""
    captions = [*subject.references, subject.caption.text]
    start, place = captions[0], f"{subject.key[2]}.{subject.bundle.name}"
    if len(captions) > 1:
        start = st.selectbox("A caption of this photo", captions, key=f"words.caption.{place}")
    return st.text_input(
        "A sentence: change it and press Enter",
        start,
        max_chars=200,
        key=f"words.sentence.{captions.index(start)}.{place}",
    )


def _choose_vocabulary(subject: Subject, data: Explored | None) -> Vocabulary:
    """Ask whose vocabulary: the model's, or one made from the training captions."""
    if data is None:
        return subject.vocabulary
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = st.segmented_control(
            "Vocabulary",
            [MODEL, COUNTED],
            default=MODEL,
            required=True,
            key="words.vocabulary",
            bind="query-params",
        )
        if source == MODEL:
            return subject.vocabulary
        least = st.slider("Smallest count kept", 1, 20, 3, key="words.min_count", width=260)
    vocabulary = _counted_vocabulary(data, least)
    st.caption(
        f"{len(vocabulary) - len(SPECIAL):,} words stand at least {least} times in the training "
        f"captions of {plain(data.name)}."
    )
    return vocabulary


def _counted_vocabulary(data: Explored, min_count: int) -> Vocabulary:
    """Return the words that training captions have at least `min_count` times."""
    counts = data.index.training_counts
    kept = [place for place in (-counts).argsort(kind="stable") if counts[place] >= min_count]
    return Vocabulary([*SPECIAL, *(data.index.words[place] for place in kept)])


def _show_tables(journey: Journey) -> None:
    """Show a caption as it was written, cleaned, in ids, and as training rows."""
    left, right = st.columns([1, 1], gap="large")
    with left:
        st.markdown("**1. Clean words**")
        st.table(
            {
                "written": [plain(piece.raw) for piece in journey.pieces],
                "word": [plain(piece.word or "(nothing)") for piece in journey.pieces],
            },
            hide_index=True,
            border="horizontal",
        )
    with right:
        st.markdown("**2. Ids**")
        names = [*journey.rows[-1].given_words, journey.rows[-1].target_word]
        st.table(
            {"word": [f"`{name}`" for name in names], "id": list(journey.ids)},
            hide_index=True,
            border="horizontal",
        )
        if journey.unknown:
            st.caption(f"Not in the vocabulary, so `<unk>`: {plain(', '.join(journey.unknown))}.")
    st.markdown("**3. Training rows**")
    st.caption(
        f"{len(journey.words)} words + 1 for the end = **{len(journey.rows)} rows**. In each row "
        "the decoder gets the true words so far (teacher forcing) and must predict the next word."
    )
    st.table(
        {
            "given": [f"`{' '.join(row.given_words)}`" for row in journey.rows],
            "to predict": [f"`{row.target_word}`" for row in journey.rows],
        },
        hide_index=True,
        border="horizontal",
    )


def _show_totals(data: Explored) -> None:
    """Show the rows of all training captions, and what cleaning removes from all captions."""
    training = data.index.lengths[data.index.in_split("train")]
    st.markdown(
        f"The training split of {plain(data.name)} has **{len(training):,}** captions of "
        f"**{training.sum():,}** words. Each word gives one row, and so does the end of each "
        f"caption: {training.sum():,} + {len(training):,} = **{row_count(training):,} rows**."
    )
    report = _dropped(data.name, data)
    marks = ", ".join(f"`{mark}` {count:,}" for mark, count in report.characters[:8])
    st.markdown(
        f"Cleaning makes {report.capitals:,} capitals small and removes punctuation"
        f"{f' ({marks})' if marks else ''}. It keeps everything else, “a” and digits too."
    )
    if report.joined:
        pairs = [f"{plain(raw)} → **{word}** ({n:,})" for (raw, word), n in report.joined[:8]]
        st.caption("Words that lose a mark inside: " + "; ".join(pairs))


@st.cache_data(max_entries=4, show_spinner=False)
def _dropped(name: str, _data: Explored) -> Dropped:
    return dropped(_data.index.captions)
