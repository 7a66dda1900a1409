"""Lesson 4: one LSTM cell, opened at any word of the caption, and what its gates do."""

import math

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from captioning.decoders import DECODERS
from captioning.errors import CaptioningError
from captioning.lessons.lstm_memory import Fading, fading
from captioning.lessons.numpy_decoder import Written
from captioning.lessons.numpy_lstm import Switches
from captioning.lessons.worksheet import Table
from pages.learn import inspector
from pages.learn.frame import LessonPage, Paper, Question, open_lesson
from pages.learn.guessing import Answer
from pages.learn.lstm.cell import changes_by_word, show_cell, show_photo, show_through_sentence
from pages.learn.lstm.units import show_units
from pages.learn.subject import BY_SUBJECT, Subject
from pages.ui.captions import mark_differences
from pages.ui.components import problem
from pages.ui.theme import Look
from pages.ui.wording import percent, plain

IDEA = (
    "An LSTM reads the sentence word by word and keeps what it has read as a row of numbers, its "
    "memory. Three gates decide, for each of these numbers, how much is kept, how much is added, "
    "and how much is shown."
)


def show() -> None:
    """Show the lesson."""
    page = open_lesson("lstm", IDEA)
    try:
        decoder = page.subject.bundle.decoder
        if decoder.cell != "lstm":
            st.info(
                f"This model has {decoder.cell_name}. Choose a model with an LSTM to open its cell."
            )
        elif page.subject.words:
            _show_parts(page)
        else:
            st.info("The model wrote no word about this photo. Choose another photo.")
        _show_gru(page)
    except CaptioningError as error:
        problem(error)
    page.close()


def _show_parts(page: LessonPage) -> None:
    subject = page.subject
    place = page.step("Word of the caption", subject.words, first=1)
    show_photo(page, place)
    answer = page.guess(
        "changed",
        "Reading which word of this sentence changes the LSTM's memory most?",
        lambda: most_changing_word(subject),
        options=_numbered(subject.words),
    )
    show_cell(page, place)
    if answer is not None:
        show_through_sentence(page, place)
    show_held_gates(page)
    show_units(page)
    show_fading(page)
    page.questions(_questions(subject, place))
    page.papers(_PAPERS)


def most_changing_word(subject: Subject) -> Answer:
    """Say at which word the cell state moves furthest, on average over its units."""
    changes = changes_by_word(subject)
    names, furthest = _numbered(subject.words), int(np.argmax(changes))
    return Answer(
        right=[names[furthest]],
        because=f"The numbers of the memory move by {changes[furthest]:.2f} on average there; over "
        f"all words it is {np.mean(changes):.2f}.",
    )


def _numbered(words: list[str]) -> list[str]:
    """Number the words, because a sentence may have the same word twice."""
    return [f"{word} ({number})" for number, word in enumerate(words, start=1)]


def _questions(subject: Subject, place: int) -> list[Question]:
    return [
        Question(
            "Where in this sentence does the LSTM forget most?", lambda: _forgets_most(subject)
        ),
        Question(
            "What does it write if nothing new may enter its memory?",
            lambda: _writes_nothing_new(subject),
        ),
        Question("How many weights does this LSTM have?", lambda: _weights(subject)),
    ]


def _forgets_most(subject: Subject) -> str:
    steps = inspector.reading(subject).steps[1:]
    means = [float(step.cell.values["forget"].mean()) for step in steps]
    lowest = int(np.argmin(means))
    word = plain(subject.words[lowest])
    return (
        f"While it reads **{word}**, word {lowest + 1}: there the forget gate is "
        f"{means[lowest]:.2f} on average over {subject.bundle.decoder.units:,} units, the lowest "
        f"of the sentence. The highest is {max(means):.2f}. (1 keeps everything, 0 keeps nothing.)"
    )


def _writes_nothing_new(subject: Subject) -> str:
    held = inspector.writing(subject, switches=Switches(input=0.0))
    free = inspector.writing(subject)
    alone, usual = (subject.vocabulary.decode(w.ids) or "(nothing)" for w in (held, free))
    return (
        f"With the input gate at 0 throughout: **{plain(alone)}**. As learned: "
        f"**{plain(usual)}**. Both are written greedily, always the likeliest next word."
    )


def _weights(subject: Subject) -> str:
    weights = inspector.decoder(subject.bundle).weights
    inputs, units = len(weights.kernel), weights.units
    count = 4 * ((inputs + units) * units + units)
    return (
        "Four dense layers, one for each gate and one for the candidate. Each has a weight from "
        f"each of the {inputs:,} inputs and {units:,} hidden values to each of its {units:,} "
        f"units, and one bias per unit: 4 x (({inputs:,} + {units:,}) x {units:,} + {units:,}) = "
        f"**{count:,}**. {DECODERS[subject.bundle.decoder.kind].cell_note}"
    )


def _show_gru(page: LessonPage) -> None:
    page.heading("The GRU: two gates instead of three")
    page.text(
        "A GRU (gated recurrent unit) has one state instead of two. The update gate z decides how "
        "much of the state is kept; the rest is replaced by the candidate. The reset gate r "
        "decides how much of the old state the candidate uses."
    )
    page.formula(r"z = \sigma(x W_z + h U_z + b_z)")
    page.formula(r"r = \sigma(x W_r + h U_r + b_r)")
    page.formula(r"\tilde{h} = \tanh(x W + b + r \odot (h U + c))")
    page.formula(r"h_{new} = z \odot h + (1 - z) \odot \tilde{h}")
    page.text(
        "It needs three dense layers where the LSTM needs four, so a quarter fewer weights. To "
        "compare the two, train one model of each on the page New run (cell: gru or lstm)."
    )


_PAPERS = [
    Paper(
        "Long Short-Term Memory",
        "Hochreiter and Schmidhuber",
        1997,
        "https://doi.org/10.1162/neco.1997.9.8.1735",
    ),
    Paper(
        "Learning to Forget: Continual Prediction with LSTM",
        "Gers, Schmidhuber and Cummins",
        2000,
        "https://doi.org/10.1162/089976600300015015",
    ),
    Paper(
        "Learning Long-Term Dependencies with Gradient Descent is Difficult",
        "Bengio, Simard and Frasconi",
        1994,
        "https://doi.org/10.1109/72.279181",
    ),
    Paper(
        "Visualizing and Understanding Recurrent Networks",
        "Karpathy, Johnson and Fei-Fei",
        2015,
        "https://arxiv.org/abs/1506.02078",
    ),
]


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
    page.heading("Hold a gate at a value")
    page.text(
        "Set a gate to a fixed value for every unit and every word, and let the model write again. "
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
        st.caption(_gate_settings(switches))
        st.subheader(mark_differences(after, before) or "(no words)", anchor=False)
        st.caption(_how_likely(held))
    page.keep(
        Table(["gates", "sentence"], [["as learned", before], [_gate_settings(switches), after]])
    )
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
    found, words = _faded(page.subject, times)
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
        "The chart compares the LSTM as it was trained with the same LSTM without its gates, "
        " h = tanh(x W + h U + b) with the weights of the candidate g. The second was "
        "never trained separately, so this shows what the gates do to the gradient, not how well "
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


def _gate_settings(switches: Switches) -> str:
    held = [
        f"{label.lower()} at {switches.held(gate):g}"
        for gate, label in _GATES.items()
        if switches.held(gate) is not None
    ]
    text = ", ".join(held) or "gates as learned"
    return text[0].upper() + text[1:]


def _how_likely(written: Written) -> str:
    """Say how likely the model with these gates finds the sentence."""
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


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=BY_SUBJECT)
def _faded(subject: Subject, times: int) -> tuple[Fading, list[str]]:
    ids = inspector.sentence_ids(subject) * times
    steps = inspector.reading(subject, ids).steps
    names = ["(begin)", *subject.words * times]
    words = [f"{number}. {word}" for number, word in enumerate(names)]
    return fading(inspector.decoder(subject.bundle), steps), words


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
    names = alt.Scale(domain=list(kinds))
    colors = alt.Scale(domain=list(kinds), range=[look.series[0], look.series[3]])
    legend = alt.Legend(title=None, orient="top")
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
            # One legend for all three: Vega warns if the channels disagree about it.
            color=alt.Color("network:N", scale=colors, legend=legend),
            shape=alt.Shape("network:N", scale=names, legend=legend),
            strokeDash=alt.StrokeDash("network:N", scale=names, legend=legend),
            tooltip=["word:N", "network:N", alt.Tooltip("influence:Q", format=".3e")],
        )
        .properties(height=420 if look.large else 300)
    )


if __name__ == "__main__":
    show()
