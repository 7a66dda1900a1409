"""Preprocessing of a caption as tables, and what cleaning removes from all captions."""

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
    """Show a caption as written, cleaned, as ids, and as training rows."""
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
    st.subheader("3. Training rows", anchor=False)
    st.caption(
        f"{len(journey.words)} words + 1 for the end = **{len(journey.rows)} rows**. In each row "
        "the decoder gets the true words so far (teacher forcing) and predicts the next word."
    )
    st.table(
        {
            "given": [f"`{' '.join(row.given_words)}`" for row in journey.rows],
            "target": [f"`{row.target_word}`" for row in journey.rows],
        },
        hide_index=True,
        border="horizontal",
    )


def show_dropped(explored: Explored) -> None:
    """Show what cleaning removes from the captions of a data set."""
    report = _dropped(explored.name, explored)
    marks = ", ".join(f"`{mark}` {count:,}" for mark, count in report.characters[:8])
    st.markdown(
        f"Cleaning changes {report.capitals:,} capitals to lower case and removes punctuation"
        f"{f' ({marks})' if marks else ''}. Nothing else is dropped: “a” and digits stay."
    )
    if report.joined:
        pairs = [f"{plain(raw)} → **{word}** ({n:,})" for (raw, word), n in report.joined[:8]]
        st.caption("Words that lose a mark inside: " + "; ".join(pairs))


@st.cache_data(max_entries=4, show_spinner=False)
def _dropped(name: str, _explored: Explored) -> Dropped:
    return dropped(_explored.index.captions)
