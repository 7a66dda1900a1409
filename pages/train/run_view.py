"""Parts of the Watch page: a run's status, its buttons, its curves and photos."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import streamlit as st

from captioning.errors import CaptioningError
from captioning.metrics import headline_metrics
from captioning.runs import STARTABLE, Curves, Run, Runs, alarms_of, read_curves
from pages.train import charts
from pages.train.cache import all_runs, small_photos, start_again
from pages.ui.components import Button, main_button, problem
from pages.ui.rights import is_teacher, may_change
from pages.ui.wording import or_dash, plain

Colour = Literal["green", "orange", "blue", "red", "primary", "gray"]

_COLOURS: dict[str, Colour] = {
    "running": "green",
    "starting": "green",
    "paused": "orange",
    "queued": "blue",
    "failed": "red",
    "died": "red",
    "finished": "primary",
}


def show_run(page: str, name: str, *, was_live: bool) -> None:
    """Show the current state of a run: status, buttons, warnings, curves, photos, queue, log.

    Args:
        page: prefix of its widgets' keys.
        name: of the run.
        was_live: whether it had a process when the page was drawn; the whole page is drawn again
            when the run has ended, to show its result.

    Raises:
        RunError: it has been deleted.
    """
    runs = all_runs()
    run = runs.get(name)
    if was_live and not run.live:
        st.rerun()
    curves = read_curves(run)
    show_status(run, curves)
    show_controls(page, runs, run)
    show_alarms(run, curves)
    show_curves(page, curves)
    show_filmstrip(page, run, curves)
    show_data(curves)
    show_queue(page, runs)
    if is_teacher():  # it names folders
        with st.expander("Log", icon=":material/terminal:"):
            st.code(run.log() or "Nothing yet.", language=None)


def show_note(page: str, runs: Runs, name: str) -> None:
    """Show the note of a run; a change is stored when the field loses focus."""
    if not may_change(runs.get(name)):
        st.caption(plain(runs.get(name).note))
        return
    key = f"{page}.note.{name}"

    def keep() -> None:
        try:
            runs.note(name, st.session_state[key])
        except CaptioningError as error:
            problem(error)

    st.text_area(
        "Notes",
        runs.get(name).note,
        key=key,
        on_change=keep,
        placeholder="Why this run, and what was the result?",
    )


def clock(seconds: float | None) -> str:
    """Format a duration, or a dash while it is unknown.

    >>> clock(75), clock(3700), clock(None)
    ('1:15', '1:01:40', '–')
    """
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def show_status(run: Run, curves: Curves) -> None:
    """Show the state, progress and speed of a run."""
    status = run.status
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(status.state, color=_COLOURS.get(status.state, "gray"))
        st.markdown(plain(status.activity if run.live else status.message))
    done = len(curves.epochs)
    share = (done + status.step / status.steps * (status.epoch > done)) if status.steps else 0.0
    if run.live:
        st.progress(min(share / max(status.epochs, 1), 1.0))
    last = curves.epochs[-1] if curves.epochs else None
    figures = {
        "Epoch": f"{min(status.epoch, status.epochs)} of {status.epochs}",
        "Loss": or_dash(status.loss, ".3f"),
        **{
            metric.label: or_dash((last or {}).get(metric.name), ".1f")
            for metric in headline_metrics()
        },
        **_exact(run, last),
    }
    if run.live:
        figures["Steps a second"] = f"{status.rate:.1f}" if status.rate else "–"
        figures["Time left"] = clock(status.seconds_left)
    with st.grid(len(figures), min_column_width=105):
        for name, value in figures.items():
            st.metric(name, value)


def _exact(run: Run, last: dict[str, Any] | None) -> dict[str, str]:
    """Return the share of captions that equal a reference, if a program wrote the references."""
    if run.config.data != "shapes" or last is None or "exact_match" not in last:
        return {}
    return {"Exact matches": f"{last['exact_match']:.0f}%"}


def show_controls(page: str, runs: Runs, run: Run) -> None:
    """Show the buttons that a run in this state has."""
    state = run.status.state
    ours = may_change(run)
    with st.container(horizontal=True):
        if ours and state in STARTABLE:
            label = "Resume" if run.checkpoints() else "Start"
            act_button(page, label, ":material/play_arrow:", lambda: start_again(run), primary=True)
        if ours and state == "running":
            act_button(page, "Pause", ":material/pause:", lambda: runs.pause(run.id))
        if ours and state == "paused":
            act_button(
                page,
                "Continue",
                ":material/play_arrow:",
                lambda: runs.proceed(run.id),
                primary=True,
            )
        if ours and (run.live or state == "queued"):
            act_button(page, "Stop", ":material/stop:", lambda: runs.stop(run.id))
        if st.button("Clone with changes", icon=":material/content_copy:", key=f"{page}.clone"):
            st.switch_page("pages/train/new.py", query_params={"new.base": run.id})
        if ours and not run.live:
            with st.popover("Delete", icon=":material/delete:", key=f"{page}.delete"):
                st.markdown("This deletes its curves, checkpoints and model for good.")
                act_button(
                    page, "Delete this run", ":material/delete:", lambda: runs.delete(run.id)
                )


def show_alarms(run: Run, curves: Curves) -> None:
    """Show warnings about the figures."""
    for alarm in alarms_of(curves.epochs, run.status.message):
        st.warning(plain(alarm.text), icon=":material/warning:")
    for name in curves.damaged:
        st.warning(
            f"The checkpoint {plain(name)} was damaged; the run continued from the previous one.",
            icon=":material/warning:",
        )


def show_data(curves: Curves) -> None:
    """Show what the run reports about its data set."""
    if curves.data:
        with st.expander("Data set", icon=":material/photo_library:"):
            for sentence in curves.data:
                st.markdown(plain(sentence))


def show_curves(page: str, curves: Curves) -> None:
    """Show the curves of a run."""
    if not curves.steps and not curves.epochs:
        st.caption("The curves appear after the first steps.")
        return
    left, right = st.columns(2, gap="medium", vertical_alignment="bottom")
    with left:
        st.subheader("Loss", anchor=False)
        st.altair_chart(charts.loss_chart(curves), key=f"{page}.loss", alt=_spoken(curves))
    if not curves.epochs:
        right.caption("The scores appear after the first epoch.")
        return
    with right:
        topic = st.segmented_control(
            "Which curve",
            ("Scores", "Forced and free", "Learning rate"),
            default="Scores",
            required=True,
            label_visibility="collapsed",
            key=f"{page}.curve",
            bind="query-params",
        )
        match topic:
            case "Forced and free":
                st.altair_chart(charts.forced_chart(curves), key=f"{page}.forced")
            case "Learning rate":
                st.altair_chart(charts.rate_chart(curves), key=f"{page}.rate")
            case _:
                st.altair_chart(charts.score_chart(curves), key=f"{page}.score")
    if topic == "Forced and free":
        st.caption(
            "Reading the true words before each word is easier than reading the model's own words. "
            "The distance between the lines shows the difference."
        )


def show_filmstrip(page: str, run: Run, curves: Curves) -> None:
    """Show the same photos with the captions after an epoch."""
    if not curves.filmstrip:
        return
    st.subheader("The same photos, epoch by epoch", anchor=False)
    epochs = sorted(curves.filmstrip)
    epoch = epochs[-1]
    if len(epochs) > 1:
        follow = st.toggle("Follow the latest epoch", value=True, key=f"{page}.follow")
        if not follow:
            epoch = st.select_slider("Epoch", epochs, value=epochs[-1], key=f"{page}.epoch")
    pictures = small_photos(run, curves.photos)
    with st.grid(4, min_column_width=150):
        for name, caption in zip(curves.photos, curves.filmstrip[epoch], strict=False):
            with st.container(gap="xsmall"):
                if name in pictures:
                    st.image(pictures[name], width="stretch", alt=name)
                st.markdown(plain(caption) or "(no words)")


def show_queue(page: str, runs: Runs) -> None:
    """Show the queue, and let the teacher reorder it."""
    waiting = runs.queue()
    if not waiting:
        return
    st.subheader("Waiting", anchor=False)
    for place, run in enumerate(waiting):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{place + 1}. {plain(run.id)}")
            if place and is_teacher():
                act_button(
                    f"{page}.{run.id}",
                    "Earlier",
                    ":material/arrow_upward:",
                    partial(runs.move, run.id, place - 1),
                )


def act_button(
    page: str, label: str, icon: str, act: Callable[[], object], *, primary: bool = False
) -> None:
    """Show a button that does `act`, and then draws the whole page again."""
    key = f"{page}.{label.lower().replace(' ', '_')}"
    looks: Button = main_button(label) if primary else {"label": label, "type": "secondary"}
    if st.button(**looks, icon=icon, key=key):
        try:
            act()
        except CaptioningError as error:
            problem(error)
        else:
            st.rerun()


def _spoken(curves: Curves) -> str:
    if not curves.epochs:
        return "Training loss so far."
    last = curves.epochs[-1]
    return (
        f"Loss after epoch {last['epoch']}: {last['loss']:.2f} in training, "
        f"{last['dev_loss']:.2f} on dev."
    )
