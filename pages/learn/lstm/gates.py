"""Gates held by hand and the sentence that results; how far back the gradient reaches."""

import math

import altair as alt
import pandas as pd
import streamlit as st

from captioning.lessons.lstm_memory import Fading, fading
from captioning.lessons.numpy_decoder import Written
from captioning.lessons.numpy_lstm import Switches
from captioning.lessons.worksheet import Table
from pages.learn import inspector
from pages.learn.frame import LessonPage
from pages.learn.subject import Subject
from pages.ui.model_comparison import mark_differences
from pages.ui.theme import Look
from pages.ui.wording import percent

__all__ = ["show_fading", "show_held_gates"]

_POSITIONS = {"as learned": None, "0": 0.0, "½": 0.5, "1": 1.0}
_GATES = {
    "forget": "Forget gate",
    "input": "Input gate",
    "output": "Output gate",
}
_MOST_TIMES = 3


def show_held_gates(page: LessonPage) -> None:
    """Let a student hold gates, and show what the model then writes."""
    subject = page.subject
    page.heading("Hold a gate")
    page.text(
        "Hold a gate at a value for every unit and every word, and let the same model write again. "
        "A forget gate at 0 wipes the memory before each word; at 1 nothing is ever forgotten."
    )
    switches = _choose_switches()
    usual, held = inspector.writing(subject), inspector.writing(subject, switches=switches)
    before, after = (subject.vocabulary.decode(written.ids) for written in (usual, held))
    left, right = st.columns(2, gap="large")
    with left.container(border=True):
        st.caption("Gates as learned")
        st.subheader(mark_differences(before, after) or "(no words)", anchor=False)
        st.caption(_how_likely(usual))
    with right.container(border=True):
        st.caption(_told(switches))
        st.subheader(mark_differences(after, before) or "(no words)", anchor=False)
        st.caption(_how_likely(held))
    page.keep(Table(["gates", "sentence"], [["as learned", before], [_told(switches), after]]))
    page.aside(
        "Both are written word by word, always the likeliest next one, so that only the gates "
        "differ; the caption above may come from another search. Words that differ are marked."
    )
    page.code("captioning.lessons.numpy_decoder", "write_greedily")


def show_fading(page: LessonPage) -> None:
    """Show how strongly each word still moves the last state, with gates and without."""
    page.heading("How far back does it remember?")
    times = st.slider(
        "Times the caption is read in a row",
        1,
        _MOST_TIMES,
        1,
        key="lstm.times",
        bind="query-params",
        width=320,
    )
    found, words = _faded(page.subject.key, times, page.subject)
    page.chart(
        _fading_chart(found, words, page.look),
        alt=f"The first word moves the last state by {found.lstm[0]:.2g} in the LSTM and by "
        f"{found.tanh[0]:.2g} without gates; the last word by {found.lstm[-1]:.2g} and "
        f"{found.tanh[-1]:.2g}.",
        caption="Each point: how strongly the last hidden state would move if this word's "
        "embedding moved (Frobenius norm of the derivative). The scale is logarithmic.",
        table={
            "word": words,
            "LSTM": [f"{v:.2e}" for v in found.lstm],
            "without gates": [f"{v:.2e}" for v in found.tanh],
        },
    )
    page.text(_in_words(found))
    page.text(
        "What is compared: the LSTM as it was trained, and the same LSTM with its gates taken "
        "away, h = tanh(x W + h U + b) with the weights of its own candidate g. The second was "
        "never trained by itself, so this shows what the gates do to the way back, not how well "
        "another network could learn."
    )
    if times > 1:
        page.aside("The model never saw a sentence this long; only the gradient is of interest.")
    page.code("captioning.lessons.lstm_memory", "lstm_influence")


def _choose_switches() -> Switches:
    chosen: dict[str, float | None] = {}
    with st.container(horizontal=True, gap="large"):
        for gate, label in _GATES.items():
            position = st.segmented_control(
                label,
                list(_POSITIONS),
                default="0" if gate == "forget" else "as learned",
                required=True,
                key=f"lstm.{gate}",
                bind="query-params",
            )
            chosen[gate] = _POSITIONS[position]
    return Switches(**chosen)


def _told(switches: Switches) -> str:
    held = [
        f"{label.lower()} at {switches.held(gate):g}"
        for gate, label in _GATES.items()
        if switches.held(gate) is not None
    ]
    text = ", ".join(held) or "gates as learned"
    return text[0].upper() + text[1:]


def _how_likely(written: Written) -> str:
    """Say what the model, as it then is, makes of the sentence."""
    end = "its end included" if written.ended else "cut off, as it found no end"
    return f"Log-probability {written.log_prob:.2f} ({percent(written.log_prob)}), {end}."


def _in_words(found: Fading) -> str:
    kept, lost = found.lstm[0] / found.lstm[-1], found.tanh[0] / found.tanh[-1]
    words = len(found.lstm) - 1
    return (
        f"Over {words} words, the influence of the first thing read shrinks to {_times(kept)} of "
        f"the last one's in the LSTM and to {_times(lost)} without gates."
        if lost < 1
        else f"Over {words} words, the influence of the first thing read becomes {_times(kept)} of "
        f"the last one's in the LSTM. Without gates it becomes {_times(lost)}: with weights this "
        "large it does not fade but grow, which is no better to learn from."
    )


def _times(ratio: float) -> str:
    """Write a ratio with two significant digits and no powers of ten, down to a billionth.

    >>> _times(0.0437), _times(0.000213), _times(12.3)
    ('0.044', '0.00021', '12')
    """
    if ratio >= 10:
        return f"{ratio:,.0f}"
    decimals = 1 - math.floor(math.log10(max(ratio, 1e-9)))
    return f"{ratio:.{decimals}f}"


@st.cache_data(max_entries=64, show_spinner=False)
def _faded(key: tuple[str, int, str], times: int, _subject: Subject) -> tuple[Fading, list[str]]:
    ids = inspector.sentence_ids(_subject) * times
    steps = inspector.reading(_subject, ids).steps
    names = ["(begin)", *_subject.words * times]
    words = [f"{number}. {word}" for number, word in enumerate(names)]
    return fading(inspector.decoder(_subject.bundle), steps), words


def _powers_of_ten(values: pd.Series) -> list[float]:
    """Return the powers of ten to draw lines at, ten at most."""
    lowest, highest = (math.floor(math.log10(float(v))) for v in (values.min(), values.max()))
    step = max(1, -(-(highest + 1 - lowest) // 10))
    return [10.0**power for power in range(lowest, highest + 2, step)]


def _fading_chart(found: Fading, words: list[str], look: Look) -> alt.Chart:
    kinds = {"LSTM": found.lstm, "without gates": found.tanh}
    table = pd.DataFrame(
        {"word": word, "network": kind, "influence": max(float(value), 1e-30)}
        for kind, values in kinds.items()
        for word, value in zip(words, values, strict=True)
    )
    colors = alt.Scale(domain=list(kinds), range=[look.series[0], look.series[3]])
    return (
        alt.Chart(table)
        .mark_line(point=alt.OverlayMarkDef(size=60))
        .encode(
            x=alt.X(
                "word:N", sort=None, title=None, axis=alt.Axis(labelAngle=-40, labelOverlap=False)
            ),
            y=alt.Y(
                "influence:Q",
                title="influence on the last state",
                scale=alt.Scale(type="log"),
                axis=alt.Axis(values=_powers_of_ten(table["influence"]), format="~g"),
            ),
            color=alt.Color("network:N", scale=colors, legend=alt.Legend(title=None, orient="top")),
            shape=alt.Shape("network:N", sort=list(kinds), legend=None),
            strokeDash=alt.StrokeDash("network:N", sort=list(kinds), legend=None),
            tooltip=["word:N", "network:N", alt.Tooltip("influence:Q", format=".3e")],
        )
        .properties(height=420 if look.large else 300)
    )
