"""The captions that are scored: stored ones, or new ones with a progress bar and a Stop button."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from captioning.analysis.disk_cache import Written, keep_written, kept_written
from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.datasets import CaptionDataset
from captioning.evaluation import (
    Interval,
    PhotoScores,
    Variety,
    caption_photos,
    caption_variety,
    intervals,
    score_photos,
    score_written,
    training_texts,
)
from pages.ui import cache
from pages.ui.components import main_button
from pages.ui.datasets import Explored
from pages.ui.progress import stoppable
from pages.ui.wording import plain

if TYPE_CHECKING:
    from captioning.captioner import Captioner

Key = tuple[str, int, str, str, str]


@dataclass(frozen=True)
class Task:
    """What is scored: a model on a split, with its settings."""

    explored: Explored
    split: str
    bundle: Bundle
    decoding: DecodingConfig

    @property
    def dataset(self) -> CaptionDataset:
        """The photos and their references."""
        return self.explored.dataset

    @property
    def key(self) -> Key:
        """Identifies this task."""
        bundle, data = self.bundle, self.dataset.fingerprint
        settings = repr(sorted(self.decoding.to_dict().items()))
        return str(bundle.folder), cache.version(bundle), data, self.split, settings


@dataclass(frozen=True, eq=False)
class Judged:
    """The captions of a split with their scores.

    Attributes:
        captions: in the order of the split.
        result: the scores with their protocol, as `Evaluation.to_dict` gives them.
        scores: of each photo.
        intervals: by measure.
        variety: of the captions.
        human_variety: of each photo's first reference, for comparison.
    """

    captions: tuple[str, ...]
    result: dict[str, Any]
    scores: PhotoScores
    intervals: dict[str, Interval]
    variety: Variety
    human_variety: Variety


def written(page: str, task: Task) -> Written | None:
    """Return the stored captions; without them offer to write them, or to resume.

    Raises:
        CaptioningError: the model cannot be loaded, or a photo cannot be read.
    """
    kept = kept_written(task.dataset, task.bundle, task.split, task.decoding)
    if kept is not None:
        return kept
    begun, total = _begun(page, task), len(task.dataset.split(task.split))
    name, left = plain(task.bundle.name), total - len(begun.captions)
    label = f"Evaluate {name} on {total:,} {task.split} photos"
    if begun.captions:
        label = f"Resume: {left:,} of {total:,} photos left" if left else "Score the captions"
    place = st.empty()
    with place.container():
        if not st.button(**main_button(label), icon=":material/grading:", key=f"{page}.start"):
            return None
    with place.container():
        _write(page, task, begun, cache.writer(task.bundle))
    done = score_written(
        task.bundle.name, task.dataset, task.split, task.decoding, begun.captions, begun.seconds
    )
    found = Written(done.captions, done.to_dict())
    keep_written(task.dataset, task.bundle, task.split, task.decoding, found)
    place.empty()
    return found


def judge(task: Task, kept: Written) -> Judged:
    """Score the caption of each photo, and compute intervals and variety."""
    return _judge(task.key, tuple(kept.captions.items()), task, kept)


@st.cache_data(max_entries=12, show_spinner="Scoring the captions…")
def _judge(key: Key, captions: tuple[tuple[str, str], ...], _task: Task, _kept: Written) -> Judged:
    dataset, split = _task.dataset, _task.split
    names = [photo.name for photo in dataset.split(split)]
    references, training = dataset.references(split), training_texts(dataset)
    hypotheses = tuple(_kept.captions[name] for name in names)
    scores = score_photos(names, hypotheses, references)
    return Judged(
        captions=hypotheses,
        result=dict(_kept.scores),
        scores=scores,
        intervals=intervals(scores),
        variety=caption_variety(hypotheses, training),
        human_variety=caption_variety([texts[0] for texts in references], training),
    )


@dataclass
class _Begun:
    """The captions written so far; they stay in the session when the work is stopped."""

    key: Key
    captions: dict[str, str]
    seconds: float = 0.0


def _begun(page: str, task: Task) -> _Begun:
    name = f"{page}.begun.{task.bundle.name}"
    begun = st.session_state.get(name)
    if begun is None or begun.key != task.key:
        begun = st.session_state[name] = _Begun(task.key, {})
    return begun  # type: ignore[no-any-return]


def _write(page: str, task: Task, begun: _Begun, captioner: "Captioner") -> None:
    photos = task.dataset.split(task.split)
    left = [photo for photo in photos if photo.name not in begun.captions]
    with stoppable(page, "Captioning", before=len(begun.captions)) as tell:
        tell(len(begun.captions), len(photos))
        since = time.monotonic()
        for some in caption_photos(captioner, task.dataset, left, task.decoding):
            begun.captions |= some
            begun.seconds += time.monotonic() - since
            since = time.monotonic()
            tell(len(begun.captions), len(photos))
