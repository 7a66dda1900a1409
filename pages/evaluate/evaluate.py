"""Evaluate: the scores of a model on a split, and how reliable they are."""

import streamlit as st

from captioning.errors import CaptioningError
from captioning.evaluation.scoring import ONE_PHOTO
from pages.evaluate.baselines import compare_with, show_baselines
from pages.evaluate.hypotheses import Judged, Task, judge, show_scores, written
from pages.evaluate.mistakes import export_scores, show_mistakes
from pages.evaluate.photos import show_extremes, show_harder
from pages.ui.components import problem, show_source
from pages.ui.datasets import choose_data, choose_split, fitting_models
from pages.ui.settings import choose_settings, open_page
from pages.ui.wording import plain

PARTS = {
    "Baselines": ("captioning.evaluation.baselines", "make_baselines"),
    "Compare with a model": ("captioning.evaluation.resampling", "compare"),
    "Best and worst photos": ("captioning.evaluation.scoring", "score_photos"),
    "Harder photos": ("captioning.evaluation.robustness", "alter_and_caption"),
    "Scoring mistakes": ("captioning.evaluation.protocols", "score_wrongly"),
    "Export": ("captioning.evaluation.report", "evaluation_report"),
}


def show_part(part: str | None, task: Task, judged: Judged) -> None:
    """Show one of the parts below the scores."""
    if part == "Baselines":
        show_baselines("evaluate", task, judged)
    elif part == "Compare with a model":
        compare_with("evaluate", task, judged, models)
    elif part == "Best and worst photos":
        show_extremes("evaluate", task, judged)
    elif part == "Harder photos":
        show_harder("evaluate", task)
    elif part == "Scoring mistakes":
        show_mistakes("evaluate", task, judged)
    elif part == "Export":
        export_scores("evaluate", task, judged)


models = open_page("evaluate", "Evaluate")
explored = choose_data()
with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    split = choose_split("evaluate", explored, everything=False)
    bundle, decoding = choose_settings("evaluate", fitting_models(models, explored))
if split is None:
    st.info("This data set has no split with captions, so nothing can be scored on it.")
    st.stop()
try:
    explored.dataset.check_complete(split)
except CaptioningError as error:
    st.warning(plain(str(error)), icon=":material/warning:")
if len(explored.dataset.split(split)) == 1:
    st.caption(ONE_PHOTO)
task = Task(explored, split, bundle, decoding)
source = None
try:
    kept = written("evaluate", task)
    if kept is not None:
        judged = judge(task, kept)
        show_scores(task, judged)
        part = st.segmented_control(
            "Details", list(PARTS), key="evaluate.part", bind="query-params"
        )
        show_part(part, task, judged)
        source = PARTS.get(part or "", ("captioning.evaluation.scoring", "score_photos"))
except CaptioningError as error:
    problem(error)
if source is not None:
    show_source(*source)
