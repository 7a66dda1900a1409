"""The same captions scored with the mistakes of tutorials, and the evaluation as files."""

import json

import altair as alt
import pandas as pd
import streamlit as st

from captioning.evaluation import (
    MISTAKES,
    MistakenScore,
    captions_csv,
    evaluation_report,
    score_wrongly,
    training_texts,
)
from pages.evaluate.baselines import baselines_of
from pages.evaluate.hypotheses import Judged, Task
from pages.ui.cache import Memory
from pages.ui.progress import stoppable
from pages.ui.theme import in_rows
from pages.ui.wording import plain


@st.cache_resource(max_entries=1, show_spinner=False)
def _scored() -> Memory[list[MistakenScore]]:
    return Memory(12)


def show_mistakes(page: str, task: Task, judged: Judged) -> None:
    """Offer to score the captions in other ways, and show how much each one changes BLEU."""
    done = _scored().get(task.key)
    place = st.empty()
    if done is None:
        with place.container():
            st.caption(
                f"The captions stay the same; only the scoring changes. Here are "
                f"{len(MISTAKES) - 1} other ways to score them, most of them found in tutorials "
                "and repositories."
            )
            asked = st.button(
                "Score them in other ways", icon=":material/rule:", key=f"{page}.mistakes"
            )
        if not asked:
            return
        with place.container():
            done = _score(page, task, judged)
        place.empty()
    order = st.segmented_control(
        "BLEU order",
        [1, 2, 3, 4],
        default=4,
        required=True,
        format_func=lambda n: f"BLEU-{n}",
        label_visibility="collapsed",
        key=f"{page}.order",
        bind="query-params",
    )
    st.altair_chart(
        mistake_chart(done, order),
        alt="; ".join(f"{s.mistake.name}: {s.bleu[order - 1]:.1f}" for s in done),
    )
    st.table(
        {
            "Way of scoring": [s.mistake.name for s in done],
            f"BLEU-{order}": [f"{s.bleu[order - 1]:.1f}" for s in done],
            "change": ["", *(f"{s.moved[order - 1]:+.1f}" for s in done[1:])],
            "What it does": [plain(s.mistake.why) for s in done],
        },
        hide_index=True,
        border="horizontal",
    )


def mistake_chart(done: list[MistakenScore], order: int) -> alt.LayerChart:
    """Draw BLEU of one order by each way of scoring, with a line at the right one."""
    right = done[0].bleu[order - 1]
    table = pd.DataFrame(
        {
            "way": [f"{s.mistake.name}   {s.bleu[order - 1]:.1f}" for s in done],
            "bleu": [s.bleu[order - 1] for s in done],
            "right": right,
            "own": [s.mistake is MISTAKES[0] for s in done],
        }
    )
    base = alt.Chart(table).encode(
        y=alt.Y(
            "way:N",
            sort=None,
            title=None,
            axis=alt.Axis(labelLimit=300, domain=False, ticks=False, labelPadding=8),
        )
    )
    bars = base.mark_bar(cornerRadius=3).encode(
        x=alt.X("bleu:Q", title=f"BLEU-{order}", scale=alt.Scale(domain=[0, 100])),
        opacity=alt.condition("datum.own", alt.value(1.0), alt.value(0.55)),
        tooltip=[alt.Tooltip("way:N", title="Score")],
    )
    # Grey is visible on a light and on a dark page; the theme has no colour for rules.
    line = alt.Chart(table.head(1)).mark_rule(strokeDash=[5, 4], color="gray").encode(x="right:Q")
    return in_rows(alt.layer(bars, line), len(done), 26).configure_view(strokeWidth=0)


def export_scores(page: str, task: Task, judged: Judged) -> None:
    """Offer the evaluation and its captions as files to download."""
    report = evaluation_report(
        judged.result,
        judged.scores,
        judged.variety,
        baselines=baselines_of(task),
        mistakes=_scored().get(task.key) or (),
    )
    table = captions_csv(judged.captions, judged.scores, training_texts(task.dataset))
    name = f"{task.bundle.name}-{task.split}"
    files = [
        ("The scores (JSON)", f"{name}.json", json.dumps(report, indent=1).encode()),
        ("The captions with their scores (CSV)", f"{name}.csv", table),
    ]
    with st.container(horizontal=True):
        for label, file, content in files:
            st.download_button(
                label,
                content,
                file_name=file,
                icon=":material/download:",
                key=f"{page}.download.{file.rpartition('.')[2]}",
                on_click="ignore",
            )
    st.caption(
        "The JSON file holds scores, intervals and the protocol, and the baselines and other ways "
        "of scoring if you computed them above. The CSV file has one row per photo."
    )
    st.code(
        f"python -m captioning evaluate --model {task.bundle.name} --data DIR "
        f"--split {task.split} --baselines --mistakes --out report",
        language="bash",
    )


def _score(page: str, task: Task, judged: Judged) -> list[MistakenScore]:
    done: list[MistakenScore] = []
    with stoppable(page, "Scoring in other ways") as tell:
        references = task.dataset.references(task.split)
        for scored in score_wrongly(judged.captions, references):
            done.append(scored)
            tell(len(done), len(MISTAKES))
    _scored().put(task.key, done)
    return done
