"""What a data set is like: agreement, misspellings, near-duplicates, loaded words."""

from collections.abc import Sequence

import streamlit as st

from captioning.analysis.agreement import Agreement, kept_agreement, open_agreement
from captioning.analysis.disk_cache import Written
from captioning.analysis.similarity import Likeness, Pair
from captioning.analysis.statistics import likely_misspellings
from captioning.analysis.word_pairs import PairCount, WordCount, count_pairs, count_words
from captioning.datasets import CaptionDataset
from pages.explore.likeness import likeness_of
from pages.ui import cache
from pages.ui.captions import choose_settings
from pages.ui.datasets import Explored, fitting_models, with_progress
from pages.ui.model_captions import written_about
from pages.ui.photo_grid import photo_grid, photo_link, thumbnail
from pages.ui.wording import plain

SEARCH_PAGE = "pages/explore/search.py"
PAIRS_SHOWN = 24
_QUICK = 1500
"""Up to this many photos are scored without asking first."""


def show_agreement(page: str, explored: Explored, split: str) -> None:
    """Show how people's captions score against each other, and where they disagree most."""
    agreement = _agreement(page, explored.dataset, split)
    if agreement is None:
        return
    dataset = explored.dataset
    values = [100 * value for value in agreement.bleu.bleu] + [100 * agreement.cider.mean()]
    names = ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "CIDEr-D"]
    with st.container(horizontal=True):
        for name, value in zip(names, values, strict=True):
            st.metric(name, f"{value:.1f}", border=True)
    st.caption(
        f"{len(agreement.cider):,} captions of {len(agreement.names):,} {split} photos of "
        f"{plain(dataset.name)}, each scored against the others of its photo; x100. Captions by "
        f"{explored.authors} reach these scores. A model is scored against one more reference, "
        "which makes its scores a little higher."
    )
    st.subheader("Photos described most differently", anchor=False)
    places = agreement.most_disputed(24)

    def note(place: int) -> str:
        photo = places[place]
        bleu, cider = agreement.bleu_of(photo)[0], agreement.cider_by_photo[photo]
        return f"CIDEr {100 * cider:.1f}, BLEU-1 {100 * bleu:.0f}"

    photos = [dataset[agreement.names[place]] for place in places]
    photo_grid(f"{page}.disputed", explored, photos, per_page=12, note=note)


def show_misspellings(page: str, explored: Explored) -> None:
    """List likely misspellings, each with a link to its captions."""
    slips = likely_misspellings(explored.index)
    if not slips:
        st.info("None found: no rare word is one keystroke away from a common one.")
        return
    st.caption(
        f"{len(slips):,} words that occur at most twice and are one keystroke away from a word "
        "that occurs at least 40 times. Most are misspellings; some are just rare words. Choose a "
        "row to read its caption."
    )
    event = st.dataframe(
        {
            "Written": [slip.word for slip in slips],
            "Probably meant": [slip.meant for slip in slips],
            "Times written": [slip.count for slip in slips],
            "Times right": [slip.meant_count for slip in slips],
        },
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"{page}.slips",
        alt="Likely misspellings and the words they were probably meant to be",
    )
    for row in event.selection.rows:
        query = slips[row].query
        st.page_link(
            SEARCH_PAGE,
            label=f"Read the captions with {plain(query)}",
            icon=":material/search:",
            query_params=explored.link(search__query=query),
        )


def show_duplicates(page: str, explored: Explored) -> None:
    """Show the most similar photos of different splits side by side."""
    likeness = likeness_of(page, explored)
    if likeness is None:
        return
    pairs = _across_splits(explored.name, likeness)
    st.caption(
        f"The {len(pairs)} most similar pairs of photos from different splits, by "
        f"{plain(likeness.source)}. A test photo with a near-duplicate in training is no fair test."
    )
    if not pairs:
        st.info("There are no two photos in different splits to compare.")
    for pair in pairs:
        _show_pair(explored, pair)


def show_words(page: str, explored: Explored, split: str) -> None:
    """Count loaded words in the references and, if there are any, in a model's captions."""
    dataset = explored.dataset
    written = _written(page, explored, split)
    references = [caption for captions in dataset.references(split) for caption in captions]
    captions_by_model = None if written is None else list(written.captions.values())
    st.caption(
        f"{len(references):,} captions by {explored.authors}"
        + (f", {len(captions_by_model):,} by the model" if captions_by_model else "")
        + f", {split} photos of {plain(dataset.name)}. Counted: captions that have the word."
    )
    pairs, words = (
        count_pairs(references, captions_by_model),
        count_words(references, captions_by_model),
    )
    if not pairs and not words:
        st.info("No caption of this split has any of these words.")
    if pairs:
        st.subheader("Pairs", anchor=False)
        st.table(
            _pair_table(pairs, captions_by_model is not None), hide_index=True, border="horizontal"
        )
    if words:
        st.subheader("Words that judge, or that guess what a photo cannot show", anchor=False)
        st.table(
            _word_table(words, captions_by_model is not None), hide_index=True, border="horizontal"
        )


def _agreement(page: str, dataset: CaptionDataset, split: str) -> Agreement | None:
    kept = kept_agreement(dataset, split)
    if kept is not None:
        return kept
    count = len(dataset.split(split))
    if count > _QUICK and not st.button(
        f"Score the captions of {count:,} photos", key=f"{page}.agree.{split}"
    ):
        st.caption("This takes about half a minute, once.")
        return None
    return with_progress(
        "Scoring the captions…",
        lambda report: open_agreement(dataset, split, on_progress=report),
    )


def _written(page: str, explored: Explored, split: str) -> Written | None:
    models = cache.models()
    if not models:
        st.caption("If a model is available, its captions are counted next to these.")
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        bundle, decoding = choose_settings(page, fitting_models(models, explored))
        return written_about(page, explored, split, bundle, decoding)


def _show_pair(explored: Explored, pair: Pair) -> None:
    one, other, text = st.columns([1, 1, 2], vertical_alignment="center")
    for column, photo in ((one, pair.one), (other, pair.other)):
        with column:
            thumbnail(explored, photo)
    with text:
        st.markdown(f"**{pair.cosine:.3f}**")
        for photo in (pair.one, pair.other):
            photo_link(explored, photo, label=f"{photo.split}: {photo.name}")


def _pair_table(pairs: Sequence[PairCount], with_model: bool) -> dict[str, list[str]]:
    table = {
        "pair": [f"{p.one.phrase} / {p.other.phrase}" for p in pairs],
        "in the data": [f"{p.one.references:,} / {p.other.references:,}" for p in pairs],
        "share of the first": [_percent(p.share_in_references) for p in pairs],
    }
    if with_model:
        table["model"] = [f"{p.one.written:,} / {p.other.written:,}" for p in pairs]
        table["its share"] = [_percent(p.share_written) for p in pairs]
    return table


def _word_table(words: Sequence[WordCount], with_model: bool) -> dict[str, Sequence[object]]:
    table: dict[str, Sequence[object]] = {
        "word": [word.phrase for word in words],
        "in the data": [word.references for word in words],
    }
    if with_model:
        table["model"] = [word.written for word in words]
    return table


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}%"


@st.cache_data(max_entries=2, show_spinner="Comparing all photos of different splits…")
def _across_splits(name: str, _likeness: Likeness) -> list[Pair]:
    return _likeness.across_splits(PAIRS_SHOWN)
