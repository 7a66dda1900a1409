"""A model's captions of a data set's photos: of one photo, or of a whole split."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from captioning.analysis.disk_cache import Written, keep_written, kept_written
from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.datasets import CaptionDataset, Photo
from captioning.errors import CaptioningError
from pages.ui import cache
from pages.ui.components import problem
from pages.ui.datasets import Explored, with_progress
from pages.ui.wording import plain

if TYPE_CHECKING:
    from captioning.evaluation import Evaluation


def said_about(
    explored: Explored, photo: Photo, bundle: Bundle, decoding: DecodingConfig
) -> str | None:
    """Return a model's caption of a photo, stored or new; None after an error."""
    try:
        if photo.split:
            kept = kept_written(explored.dataset, bundle, photo.split, decoding)
            if kept is not None:
                return kept.captions[photo.name]
        data = cache.photo_file(explored.dataset.path(photo))
        return cache.caption(bundle, data, photo.name, decoding).text
    except CaptioningError as error:
        problem(error)
        return None


def written_about(
    page: str, explored: Explored, split: str, bundle: Bundle, decoding: DecodingConfig
) -> Written | None:
    """Return a model's stored captions of a split; without them offer to write them."""
    dataset = explored.dataset
    try:
        kept = kept_written(dataset, bundle, split, decoding)
        if kept is not None:
            return kept
        count = len(dataset.split(split))
        label = f"Let {plain(bundle.name)} caption the {count:,} {split} photos"
        if not st.button(label, icon=":material/play_arrow:", key=f"{page}.write"):
            return None
        evaluation = with_progress(
            "Captioning…", lambda report: _evaluate(dataset, split, bundle, decoding, report)
        )
        written = Written(evaluation.captions, evaluation.to_dict())
        keep_written(dataset, bundle, split, decoding, written)
        return written
    except CaptioningError as error:
        problem(error)
        return None


def _evaluate(
    dataset: CaptionDataset,
    split: str,
    bundle: Bundle,
    decoding: DecodingConfig,
    report: Callable[[int, int], None],
) -> "Evaluation":
    from captioning.evaluation import evaluate

    return evaluate(
        cache.captioner(bundle), dataset, split=split, decoding=decoding, on_progress=report
    )
