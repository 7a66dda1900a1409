"""Work that takes longer than a click: its progress, its Stop button, and features made once."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import streamlit as st

from captioning.bundle import Bundle
from captioning.datasets import CaptionDataset
from pages.ui import cache
from pages.ui.wording import counted, plain

if TYPE_CHECKING:
    from captioning.features import FeatureStore, Progress

__all__ = ["Told", "features_of", "stoppable"]

Told = Callable[[int, int], None]

_FEW = 500
"""So many photos are looked at without asking first."""


@contextlib.contextmanager
def stoppable(page: str, what: str, *, before: int = 0) -> Iterator[Told]:
    """Show a progress bar and a Stop button while the block works.

    Stop, like anything else the visitor does, ends the script where it next tells its progress;
    so what is done by then should be kept by the block as it goes.

    Args:
        page: for the button's key.
        what: is being done, such as "Captioning".
        before: of what is counted, so much was done earlier and says nothing about the speed.

    Yields:
        What is to be told how much is done, and of how much.
    """
    begun = time.monotonic()
    with st.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, f"{what}…")
        st.button("Stop", icon=":material/stop:", key=f"{page}.stop.{what}")

    def tell(done: int, total: int) -> None:
        rate = (done - before) / max(time.monotonic() - begun, 1e-9)
        left = f", about {counted(math.ceil((total - done) / rate), 'second')} left" if rate else ""
        bar.progress(min(1.0, done / max(total, 1)), f"{what}: {done:,} of {total:,}{left}")

    yield tell


def features_of(page: str, dataset: CaptionDataset, bundle: Bundle) -> "FeatureStore | None":
    """Return the features of a data set's photos by a model's encoder.

    They are worked out once and kept on disk for all; where that takes long, the visitor is asked
    first, may stop, and goes on later.

    Raises:
        CaptioningError: the model cannot be loaded, or features cannot be written.
    """
    store = cache.writer(bundle).stored_features(dataset)
    if store is not None:
        return store
    place = st.empty()
    with place.container():
        encoder = plain(bundle.encoder.name)
        st.caption(
            f"{plain(bundle.name)} has not looked at the {len(dataset):,} photos of "
            f"{plain(dataset.name)} yet. Its encoder, {encoder}, has to do so once."
        )
        if len(dataset) > _FEW and not st.button(
            f"Look at {len(dataset):,} photos", icon=":material/visibility:", key=f"{page}.look"
        ):
            return None
        store = _extract(page, dataset, bundle)
    place.empty()
    return store


def _extract(page: str, dataset: CaptionDataset, bundle: Bundle) -> "FeatureStore":
    from captioning.features import extract_features, store_folder

    captioner = cache.captioner(bundle)
    folder = store_folder(bundle.encoder, dataset, arrays=bundle.encoder_arrays())
    with stoppable(page, "Looking at the photos") as tell:

        def on_progress(progress: "Progress") -> None:
            tell(progress.done, progress.total)

        return extract_features(
            captioner.encoder,
            dataset,
            folder,
            on_progress=on_progress,
            in_turn=captioner.turns.take,
        )
