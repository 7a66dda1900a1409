"""Long work on a data set: its progress, and features and captions that are computed once."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from captioning.analysis.disk_cache import Written, keep_written, kept_written
from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.datasets import CaptionDataset
from captioning.errors import CaptioningError
from pages.ui import cache
from pages.ui.components import problem
from pages.ui.wording import counted, plain

if TYPE_CHECKING:
    from captioning.features import FeatureStore, Progress

OnProgress = Callable[[int, int], None]
Result = TypeVar("Result")

_FEW = 500
"""Up to this many photos are encoded without asking first."""


@contextlib.contextmanager
def stoppable(page: str, what: str, *, before: int = 0) -> Iterator[OnProgress]:
    """Show a progress bar and a Stop button while the block works.

    Stop, like any other action on the page, ends the script when it next reports progress, so the
    block should store its results as it goes.

    Args:
        page: for the button's key.
        what: the name of the work, such as "Captioning".
        before: items that were done earlier; they do not count for the speed.

    Yields:
        A function to call with the items done and the total.
    """
    begun = time.monotonic()
    with st.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, f"{what}…")
        st.button("Stop", icon=":material/stop:", key=f"{page}.stop.{what}")

    def report(done: int, total: int) -> None:
        rate = (done - before) / max(time.monotonic() - begun, 1e-9)
        left = f", about {counted(math.ceil((total - done) / rate), 'second')} left" if rate else ""
        bar.progress(min(1.0, done / max(total, 1)), f"{what}: {done:,} of {total:,}{left}")

    yield report


def with_progress(label: str, work: Callable[[OnProgress], Result]) -> Result:
    """Run `work` behind a progress bar that disappears at the end."""
    bar = st.progress(0.0, text=label)

    def show(done: int, total: int) -> None:
        bar.progress(done / max(total, 1), text=label)

    try:
        return work(show)
    finally:
        bar.empty()


def features_of(
    page: str, dataset: CaptionDataset, bundle: Bundle, *, split: str | None = None
) -> "FeatureStore | None":
    """Return the features of a data set's photos by a model's encoder.

    They are computed once and stored on disk for everybody. If that takes long, the visitor is
    asked first, can stop it, and can resume it later.

    Args:
        page: for keys.
        dataset: whose photos.
        bundle: the model.
        split: encode only its photos, unless all photos are encoded already.

    Raises:
        CaptioningError: the model cannot be loaded, or features cannot be written.
    """
    store = cache.writer(bundle).stored_features(dataset)
    if store is None and split is not None:
        dataset = replace(dataset, photos=dataset.split(split))
        store = cache.writer(bundle).stored_features(dataset)
    if store is not None:
        return store
    place = st.empty()
    with place.container():
        encoder = plain(bundle.encoder.name)
        st.caption(
            f"The encoder of {plain(bundle.name)}, {encoder}, has to read the {len(dataset):,} "
            f"photos of {plain(dataset.name)} once."
        )
        if len(dataset) > _FEW and not st.button(
            f"Encode {len(dataset):,} photos", icon=":material/visibility:", key=f"{page}.look"
        ):
            return None
        store = _extract(page, dataset, bundle)
    place.empty()
    return store


def _extract(page: str, dataset: CaptionDataset, bundle: Bundle) -> "FeatureStore":
    from captioning.features import extract_features, store_folder

    captioner = cache.captioner(bundle)
    folder = store_folder(bundle.encoder, dataset, arrays=bundle.encoder_arrays())
    with stoppable(page, "Encoding the photos") as report:

        def on_progress(progress: "Progress") -> None:
            report(progress.done, progress.total)

        return extract_features(
            captioner.encoder,
            dataset,
            folder,
            on_progress=on_progress,
            in_turn=captioner.turns.take,
        )


def written_about(
    page: str, dataset: CaptionDataset, split: str, bundle: Bundle, decoding: DecodingConfig
) -> Written | None:
    """Return a model's stored captions of a split; without them offer to write them."""
    try:
        kept = kept_written(dataset, bundle, split, decoding)
        if kept is not None:
            return kept
        count = len(dataset.split(split))
        label = f"Let {plain(bundle.name)} caption the {count:,} {split} photos"
        if not st.button(label, icon=":material/play_arrow:", key=f"{page}.write"):
            return None
        from captioning.evaluation import evaluate

        captioner = cache.captioner(bundle)
        evaluation = with_progress(
            "Captioning…",
            lambda report: evaluate(
                captioner, dataset, split=split, decoding=decoding, on_progress=report
            ),
        )
        written = Written(evaluation.captions, evaluation.to_dict())
        keep_written(dataset, bundle, split, decoding, written)
        return written
    except CaptioningError as error:
        problem(error)
        return None
