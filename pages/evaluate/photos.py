"""The photos behind a score: the best and the worst, and the same photos made harder."""

from collections.abc import Sequence

import streamlit as st

from captioning.datasets import Photo
from captioning.evaluation import (
    ALTERATIONS,
    Altered,
    PhotoScores,
    alter_and_caption,
    compare,
    sample_photos,
    score_photos,
)
from captioning.images import read_image
from captioning.metrics import METRICS
from captioning.text import clean
from pages.evaluate.hypotheses import Judged, Task
from pages.ui import cache
from pages.ui.cache import Memory
from pages.ui.datasets import photo_grid
from pages.ui.pictures import as_jpeg
from pages.ui.progress import stoppable
from pages.ui.wording import plain

_SHOWN = 12
_MOST = 200


def show_extremes(page: str, task: Task, judged: Judged) -> None:
    """Show the photos whose captions scored best and worst."""
    order = judged.scores.best_first()
    end = st.segmented_control(
        "Which photos",
        ["Best", "Worst"],
        default="Worst",
        required=True,
        label_visibility="collapsed",
        key=f"{page}.end",
        bind="query-params",
    )
    shown = order[:_SHOWN] if end == "Best" else order[::-1][:_SHOWN]
    photos = task.dataset.split(task.split)

    def note(place: int) -> str:
        number = shown[place]
        figure = judged.scores.per_photo("cider")[number]
        return f"**{plain(judged.captions[number])}**  \nCIDEr-D {figure:.0f}"

    st.caption(
        "Sorted by CIDEr-D, the metric that says most about a single caption. The model's caption "
        "is in bold; the link opens the photo with its references. A low score may be due to the "
        "references."
    )
    photo_grid(f"{page}.extremes", task.explored, [photos[i] for i in shown], note=note)


def show_harder(page: str, task: Task) -> None:
    """Offer to caption altered photos (blurred, cropped, mirrored, dark); show the scores."""
    photos = task.dataset.split(task.split)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = st.number_input(
            "Photos to alter",
            min(2, len(photos)),
            min(_MOST, len(photos)),
            min(40, len(photos)),
            key=f"{page}.sample",
            bind="query-params",
            width=160,
        )
        start = st.button("Alter and caption", icon=":material/blur_on:", key=f"{page}.harder")
    key = (*task.key, count)
    done = _altered().get(key)
    if done is None and not start:
        st.caption(
            f"Each photo is captioned {len(ALTERATIONS)} times: unchanged, blurred, cropped to the "
            "centre, mirrored and darkened. If the caption changes, the model was not certain."
        )
        return
    if done is None:
        done = _alter(page, task, sample_photos(photos, count))
        _altered().put(key, done)
    _show_table(task, done)
    _show_example(page, task, done)


@st.cache_resource(max_entries=1, show_spinner=False)
def _altered() -> Memory[list[Altered]]:
    return Memory(12)


def _alter(page: str, task: Task, photos: Sequence[Photo]) -> list[Altered]:
    place, done = st.empty(), []
    captioner = cache.captioner(task.bundle)
    with place.container(), stoppable(page, "Altering and captioning") as tell:
        for altered in alter_and_caption(captioner, task.dataset, photos, task.decoding):
            done.append(altered)
            tell(len(done), len(photos))
    place.empty()
    return done


def _show_table(task: Task, done: Sequence[Altered]) -> None:
    scores = {name: _scores(done, name) for name in ALTERATIONS}
    plainly, *others = ALTERATIONS
    compared = {name: compare(scores[plainly], scores[name]).differences for name in others}
    same = {
        name: sum(clean(a.captions[name]) == clean(a.captions[plainly]) for a in done) / len(done)
        for name in ALTERATIONS
    }

    def verdict(name: str) -> str:
        if name == plainly:
            return ""
        return "yes" if any(difference.real for difference in compared[name]) else "not shown"

    st.table(
        {
            "The photo": list(ALTERATIONS),
            **{
                metric.label: [f"{scores[name].figures[key]:.1f}" for name in ALTERATIONS]
                for key, metric in METRICS.items()
            },
            "same caption": [f"{same[name]:.0%}" for name in ALTERATIONS],
            "a real difference": [verdict(name) for name in ALTERATIONS],
        },
        hide_index=True,
        border="horizontal",
    )
    st.caption(
        f"On {len(done):,} {task.split} photos drawn at random; their CIDEr-D cannot be compared "
        'with that of the whole split. "Not shown": too few photos to decide.'
    )


def _show_example(page: str, task: Task, done: Sequence[Altered]) -> None:
    """Show one photo under every alteration, with its captions."""
    changed = sorted(done, key=lambda altered: -len(set(altered.captions.values())))
    names = [altered.photo.name for altered in changed]
    name = st.selectbox(
        "One photo (the one with the most different captions first)", names, key=f"{page}.altered"
    )
    altered = changed[names.index(name)]
    photo = read_image(task.dataset.path(altered.photo))
    photo.thumbnail((400, 400))
    with st.grid(5, min_column_width=150):
        for kind, change in ALTERATIONS.items():
            with st.container(gap="xsmall"):
                st.image(as_jpeg(change(photo)), width="stretch", alt=f"The photo, {kind}")
                st.caption(f"{kind}: **{plain(altered.captions[kind]) or '(no words)'}**")


def _scores(done: Sequence[Altered], kind: str) -> PhotoScores:
    return score_photos(
        [altered.photo.name for altered in done],
        [altered.captions[kind] for altered in done],
        [altered.photo.captions for altered in done],
    )
