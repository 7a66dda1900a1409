"""Recall in both directions, measured on request; the figures appear as they are measured."""

import streamlit as st

from captioning.bundle import Bundle
from captioning.retrieval import DEPTHS, EncodedPhotos, Recall, RecallSoFar, measure_recall
from pages.ui import cache
from pages.ui.cache import Memory
from pages.ui.components import prose
from pages.ui.datasets import Explored
from pages.ui.progress import features_of, stoppable

_QUERIES = (50, 100, 250, 1000)


def show_recall(page: str, place_split: str | None, explored: Explored, bundle: Bundle) -> None:
    """Offer to measure recall on the test photos, and show the figures measured so far."""
    split = place_split or "test"
    photos = explored.dataset.split(split)
    with st.expander(
        "How well does the model find photos? Recall in both directions", icon=":material/rule:"
    ):
        prose("find-recall")
        if len(photos) < 2:
            st.caption(f"There are too few {split} photos to search.")
            return
        with st.container(horizontal=True, vertical_alignment="bottom"):
            options = [n for n in _QUERIES if n < len(photos)] + [len(photos)]
            queries = st.segmented_control(
                "Queries in each direction",
                sorted(set(options)),
                default=options[min(1, len(options) - 1)],
                required=True,
                key=f"{page}.queries",
            )
            start = st.button("Measure", icon=":material/speed:", key=f"{page}.measure")
        key = (str(bundle.folder), cache.version(bundle), explored.dataset.fingerprint, split)
        table = st.empty()
        known = _measured().get(key)
        if known is not None:
            _show(table, known, split)
        if start:
            _measure(page, explored, split, bundle, int(queries), key, table)


@st.cache_resource(max_entries=1, show_spinner=False)
def _measured() -> Memory[RecallSoFar]:
    return Memory(12)


def _measure(
    page: str,
    explored: Explored,
    split: str,
    bundle: Bundle,
    queries: int,
    key: tuple[object, ...],
    table: "st.delta_generator.DeltaGenerator",
) -> None:
    store = features_of(f"{page}.recall", explored.dataset, bundle, split=split)
    if store is None:
        return
    photos = [photo for photo in explored.dataset.split(split) if photo.name in store]
    encoded = EncodedPhotos.in_store(store, [photo.name for photo in photos])
    sentences = [photo.captions[0] for photo in photos]
    spot = st.empty()
    with spot.container(), stoppable(f"{page}.recall", "Photo-caption pairs read") as tell:
        model = cache.writer(bundle)
        for far in measure_recall(model, encoded, sentences, queries=queries, on_progress=tell):
            _measured().put(key, far)
            _show(table, far, split)
    spot.empty()


def _show(table: "st.delta_generator.DeltaGenerator", far: RecallSoFar, split: str) -> None:
    rows: list[tuple[str, Recall]] = [("The photo of a sentence", far.photos)]
    rows += [(f"The sentence of a photo, by {name}", r) for name, r in far.sentences.items()]
    with table.container():
        st.table(
            {
                "Looking for": [name for name, _ in rows] + ["Random guess"],
                **{
                    f"R@{depth}": [_share(recall, depth) for _, recall in rows]
                    + [f"{far.photos.chance(depth):.1%}"]
                    for depth in DEPTHS
                },
                "median rank": [f"{recall.median:.0f}" for _, recall in rows]
                + [f"{(far.photos.candidates + 1) / 2:.0f}"],
            },
            hide_index=True,
            border="horizontal",
        )
        st.caption(
            f"{far.done:,} queries in each direction, drawn at random. Each query is answered from "
            f"{far.photos.candidates:,} {split} photos or their first captions. In brackets: the "
            "95% interval. More queries make it narrower."
        )


def _share(recall: Recall, depth: int) -> str:
    low, high = recall.interval(depth)
    return f"{recall.at(depth):.0%} ({low:.0%} to {high:.0%})"
