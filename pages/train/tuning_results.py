"""Parts of the Search settings page: the state of a search, its trials, and their results."""

from typing import Any, Literal

import altair as alt
import pandas as pd
import streamlit as st

from captioning.errors import CaptioningError
from captioning.tuning import (
    ENOUGH_TO_WEIGH,
    SCORES,
    Studies,
    Study,
    Trial,
    axes_of,
    importances,
    places_of,
)
from pages.train.form import label_of
from pages.train.run_view import act_button, clock
from pages.train.tuning import all_studies
from pages.ui.components import problem
from pages.ui.rights import is_teacher
from pages.ui.theme import look
from pages.ui.wording import plain

_COLOURS: dict[str, Literal["green", "primary", "red", "gray"]] = {
    "running": "green",
    "finished": "primary",
    "failed": "red",
}
_SCALE = ("#a3abb5", "#0e9384")
"""Colours from the worst score to the best, visible on white and on black."""
_WHOLE = 20
"""Number of trials that are shown without scrolling."""


def show_study(page: str, name: str) -> None:
    """Show the current state of a study.

    Raises:
        RunError: it has been deleted.
    """
    studies = all_studies()
    study = studies.get(name)
    _show_standing(studies, study)
    _show_controls(page, studies, study)
    if not study.trials:
        st.caption("The first trial is being created.")
        return
    show_trials(page, study)
    if sum(trial.score is not None for trial in study.trials) >= 2:
        st.subheader("One line per trial", anchor=False)
        st.altair_chart(parallel_chart(study), key=f"{page}.parallel", alt=_spoken(study))
        st.caption(
            "Follow the dark lines from right to left: where they meet, values are good. "
            "Dashed lines are trials that were stopped early, so their score is from fewer epochs."
        )
    _show_importance(study)


def show_trials(page: str, study: Study) -> None:
    """Show the trials as a table, the best one marked."""
    best, measure = study.best, SCORES[study.config.score]
    table = {
        "trial": [trial.number for trial in study.trials],
        "state": [
            "best" if best and trial.number == best.number else trial.state
            for trial in study.trials
        ],
        measure: [trial.score for trial in study.trials],
        **{
            label_of(field.name): [_value(trial, field.name) for trial in study.trials]
            for field in study.config.search_fields
        },
        "epochs": [len(trial.scores) for trial in study.trials],
        "time": [clock(trial.seconds) if trial.ended else "–" for trial in study.trials],
    }
    number = st.column_config.NumberColumn
    columns = {
        label_of(field.name): number(format="%.3g")
        for field in study.config.search_fields
        if field.low is not None and not field.whole
    }
    st.dataframe(
        pd.DataFrame(table),
        hide_index=True,
        height="content" if len(study.trials) <= _WHOLE else "auto",
        column_config={**columns, measure: number(format="%.1f"), "trial": number(width="small")},
        key=f"{page}.trials",
    )
    for trial in study.trials:
        if trial.state == "failed":
            st.caption(f"Trial {trial.number}: {plain(trial.message)}")


def parallel_chart(study: Study) -> alt.LayerChart:
    """Draw each trial as a line across an axis per field and one for the score."""
    axes = axes_of(study)
    labels = [*(label_of(axis.name) for axis in axes[:-1]), axes[-1].name]
    named = dict(zip((axis.name for axis in axes), labels, strict=True))
    rows = pd.DataFrame([{**row, "axis": named[row["axis"]]} for row in places_of(study)])
    marks = pd.DataFrame(
        [
            {"axis": named[axis.name], "text": text, "place": place}
            for axis in axes
            for text, place in axis.marks
        ]
    )
    across = alt.X(
        "axis:N",
        sort=labels,
        title=None,
        scale=alt.Scale(type="point", padding=0.35),
        axis=alt.Axis(
            orient="top",
            labelAngle=0,
            labelOverlap=False,
            labelExpr="split(datum.label, ' ')",
            domain=False,
            ticks=False,
            grid=True,
        ),
    )
    up = alt.Y("place:Q", axis=None, scale=alt.Scale(domain=[-0.12, 1.12]))
    lines = (
        alt.Chart(rows)
        .mark_line(strokeWidth=2.2, point=alt.OverlayMarkDef(size=28))
        .encode(
            x=across,
            y=up,
            detail="trial:N",
            color=alt.Color(
                "score:Q",
                title=SCORES[study.config.score],
                scale=alt.Scale(range=list(_SCALE)),
                legend=alt.Legend(orient="bottom", type="gradient", gradientLength=160),
            ),
            strokeDash=alt.StrokeDash(
                "state:N",
                scale=alt.Scale(domain=["finished", "given up", "failed"], range=_DASHES),
                legend=None,
            ),
            tooltip=["trial:N", "axis:N", "value:N", alt.Tooltip("score:Q", format=".1f")],
        )
    )
    named_places = alt.Chart(marks).encode(x=across, y=up, text="text:N")
    small: dict[str, Any] = {"fontSize": 11, "color": look().muted}
    texts = [  # above and below the ends, where there are no lines, and next to the others
        named_places.transform_filter("datum.place == 1").mark_text(dy=-12, **small),
        named_places.transform_filter("datum.place == 0").mark_text(dy=12, **small),
        named_places.transform_filter("datum.place > 0 && datum.place < 1").mark_text(
            align="left", dx=7, dy=-9, **small
        ),
    ]
    return alt.layer(lines, *texts).properties(height=360)


_DASHES = [[1, 0], [5, 4], [2, 3]]


def _show_standing(studies: Studies, study: Study) -> None:
    wanted, best = study.config.trials, study.best
    present = next((trial for trial in study.trials if not trial.ended), None)
    number = present.number if present else study.done
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(study.status.state, color=_COLOURS.get(study.status.state, "gray"))
        st.markdown(f"Trial {number} of {wanted}. {plain(study.status.message)}")
    st.progress(min(study.done / wanted, 1.0))
    first = study.trials[0] if study.trials else None
    measure = SCORES[study.config.score]
    figures = {
        "Trials done": f"{study.done} of {wanted}",
        f"Best {measure}": _figure(best),
        f"{measure} of the preset's values": _figure(_own(study, first)),
        "Training so far": clock(sum(trial.seconds for trial in study.trials)),
    }
    with st.grid(4, min_column_width=140):
        for name, value in figures.items():
            st.metric(name, value)
    if best is not None:
        found = ", ".join(
            f"{label_of(name)} **{plain(_shown(value))}**" for name, value in best.settings.items()
        )
        st.markdown(f"Best so far, trial {best.number}: {found}.")
    if present is not None and present.run is not None and study.status.state == "running":
        status = studies.runs.get(present.run).status
        where = f"epoch {status.epoch} of {status.epochs}, {status.activity or status.state}"
        st.caption(f"Trial {present.number}, {plain(present.run)}: {plain(where)}.")


def _show_controls(page: str, studies: Studies, study: Study) -> None:
    state, best = study.status.state, study.best
    present = next((trial for trial in study.trials if not trial.ended and trial.run), None)
    with st.container(horizontal=True):
        if is_teacher() and state == "running":
            act_button(page, "Stop", ":material/stop:", lambda: studies.stop(study.id))
        if is_teacher() and state in ("stopped", "failed"):
            act_button(page, "Continue", ":material/play_arrow:", lambda: studies.start(study.id))
        if present is not None and st.button(
            "Watch this trial", icon=":material/monitoring:", key=f"{page}.watch"
        ):
            st.switch_page("pages/train/watch.py", query_params={"watch.run": str(present.run)})
        if (
            is_teacher()
            and best is not None
            and st.button(
                "Make a run of the best", icon=":material/content_copy:", key=f"{page}.make"
            )
        ):
            _make_run(studies, study)
        if is_teacher() and state != "running":
            with st.popover("Delete", icon=":material/delete:", key=f"{page}.delete"):
                st.markdown("This deletes the search and the runs of its trials for good.")
                act_button(
                    page,
                    "Delete this search",
                    ":material/delete:",
                    lambda: studies.delete(study.id),
                )


def _make_run(studies: Studies, study: Study) -> None:
    try:
        run = studies.make_run(study.id)
    except CaptioningError as error:
        problem(error)
        return
    st.switch_page("pages/train/watch.py", query_params={"watch.run": run.id})


def _show_importance(study: Study) -> None:
    shares = importances(study)
    if shares is None:
        if len(study.config.search_fields) > 1:
            st.caption(
                f"The importance of the fields is shown after {ENOUGH_TO_WEIGH} finished trials; "
                "with fewer, chance decides."
            )
        return
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    listed = ", ".join(f"{label_of(name)} {share:.0%}" for name, share in ordered)
    st.markdown(f"**Importance:** {plain(listed)}.")
    st.caption(
        f"From {len(study.finished)} finished trials, by PED-ANOVA, which compares the values of a "
        "field in the best trials with those in all trials. More trials can change the order."
    )


def _own(study: Study, first: Trial | None) -> Trial | None:
    """Return the first trial if it has the values of the preset and has ended."""
    own = study.config.own_settings()
    return first if first is not None and first.ended and first.settings == own else None


def _figure(trial: Trial | None) -> str:
    return "–" if trial is None or trial.score is None else f"{trial.score:.1f}"


def _value(trial: Trial, name: str) -> Any:
    value = trial.settings[name]
    return str(value).lower() if isinstance(value, bool) else value


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _spoken(study: Study) -> str:
    best = study.best
    found = f"; the best has {best.score:.1f}" if best is not None and best.score else ""
    return f"{study.done} trials as lines across their values, coloured by score{found}."
