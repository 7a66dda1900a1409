"""The stations of a caption's journey as tables, and what cleaning drops from all captions."""

import streamlit as st

from captioning.analysis.text_pipeline import Dropped, Journey, dropped
from captioning.vocabulary import SPECIAL, Vocabulary
from pages.ui.datasets import Explored
from pages.ui.wording import plain

__all__ = ["show_dropped", "show_journey", "vocabulary_of"]


def vocabulary_of(explored: Explored, min_count: int) -> Vocabulary:
    """Return the words that training captions have at least `min_count` times."""
    index = explored.index
    counts = index.training_counts
    kept = [place for place in (-counts).argsort(kind="stable") if counts[place] >= min_count]
    return Vocabulary([*SPECIAL, *(index.words[place] for place in kept)])


def show_journey(journey: Journey) -> None:
    """Show a caption as it was written, cleaned, in ids, and as rows to learn from."""
    left, right = st.columns([1, 1], gap="large")
    with left:
        st.subheader("1. Clean words", anchor=False)
        st.table(
            {
                "written": [plain(piece.raw) for piece in journey.pieces],
                "word": [plain(piece.word or "(nothing)") for piece in journey.pieces],
            },
            hide_index=True,
            border="horizontal",
        )
    with right:
        st.subheader("2. Ids", anchor=False)
        names = [*journey.rows[-1].given_words, journey.rows[-1].target_word]
        st.table(
            {"word": [f"`{name}`" for name in names], "id": list(journey.ids)},
            hide_index=True,
            border="horizontal",
        )
        if journey.unknown:
            st.caption(f"Not in the vocabulary, so `<unk>`: {plain(', '.join(journey.unknown))}.")
    st.subheader("3. Rows to learn from", anchor=False)
    st.caption(
        f"{len(journey.words)} words + 1 for the end = **{len(journey.rows)} rows**. In each the "
        "decoder is given the true words so far (teacher forcing) and must say the next."
    )
    st.table(
        {
            "given": [f"`{' '.join(row.given_words)}`" for row in journey.rows],
            "to say": [f"`{row.target_word}`" for row in journey.rows],
        },
        hide_index=True,
        border="horizontal",
    )


def show_dropped(explored: Explored) -> None:
    """Say what cleaning takes from the captions of a data set."""
    report = _dropped(explored.name, explored)
    marks = ", ".join(f"`{mark}` {count:,}" for mark, count in report.characters[:8])
    st.markdown(
        f"Cleaning makes {report.capitals:,} capitals small and strips punctuation"
        f"{f' ({marks})' if marks else ''}. Nothing else is dropped: “a” and digits stay."
    )
    if report.joined:
        pairs = [f"{plain(raw)} → **{word}** ({n:,})" for (raw, word), n in report.joined[:8]]
        st.caption("Words that lose a mark inside: " + "; ".join(pairs))


@st.cache_data(max_entries=4, show_spinner=False)
def _dropped(name: str, _explored: Explored) -> Dropped:
    return dropped(_explored.index.captions)
