"""The cell at one word: its gates and states, the formulas with numbers, and all words."""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from captioning.lessons.numpy_lstm import CellFormula, CellStep, cell_formulas
from pages.learn import inspector
from pages.learn.frame import LessonPage
from pages.learn.subject import Subject
from pages.ui.theme import Look, in_rows
from pages.ui.wording import plain

_UNITS_SHOWN = 8
_STRONGEST = 0.55
"""How opaque the strongest colour is, so that a number on it can still be read."""

_SLANTED = alt.Axis(labelAngle=-40, labelOverlap=False)

_ROWS = {
    "forget": "forget gate f",
    "input": "input gate i",
    "candidate": "candidate g",
    "output": "output gate o",
    "before": "memory before",
    "cell": "memory after, c",
    "hidden": "output, h",
}


def show_photo(page: LessonPage, place: int) -> None:
    """Show the photo next to the caption, with the word being read marked."""
    subject = page.subject
    left, right = st.columns([1, 3], gap="large", vertical_alignment="center")
    with left:
        page.photo(240)
    words = [plain(word) for word in subject.words]
    words[place] = f":primary-background[**{words[place]}**]"
    right.markdown(f"## {' '.join(words)}" if page.large else f"### {' '.join(words)}")


def show_cell(page: LessonPage, place: int) -> None:
    """Show what happens in the cell while it reads one word, and compute one unit by hand."""
    subject = page.subject
    step = inspector.reading(subject).steps[place + 1].cell
    units = step.hidden.shape[1]
    page.heading(f"The cell while it reads “{subject.words[place]}”")
    unit = _choose_unit(page, units)
    shown = _units_to_show(step, unit)
    page.chart(
        _cell_chart(step, shown, unit, page.look),
        alt=_spoken(step, shown),
        caption=f"{len(shown)} of {units:,} units: first the one you chose, then those whose "
        "memory changes most at this word. Green is above 0, red is below; a stronger colour is "
        "further from 0.",
        table=_as_table(step, shown),
    )
    page.text(f"Unit {unit} step by step, with the model's own weights:")
    for line in cell_formulas(step, unit):
        _show_formula(page, line)
    _say_what_is_what(page)
    page.code("captioning.lessons.numpy_lstm", "lstm_cell")


def _show_formula(page: LessonPage, line: CellFormula) -> None:
    """Show a formula next to its numbers; below them where the type is large."""
    if page.large:
        page.formula(line.symbols)
        page.formula(line.numbers)
        return
    letters, numbers = st.columns([1, 2], gap="small", vertical_alignment="center")
    with letters:
        page.formula(line.symbols)
    with numbers:
        page.formula(line.numbers)


def show_through_sentence(page: LessonPage, place: int) -> None:
    """Show how far each word moves the memory, and one unit along the sentence."""
    page.heading("The memory through the sentence")
    steps = [step.cell for step in inspector.reading(page.subject).steps[1:]]
    changes = changes_by_word(page.subject)
    names = [f"{n}. {word}" for n, word in enumerate(page.subject.words, start=1)]
    page.chart(
        _bars(names, changes, place, page.look),
        alt="Mean change of the memory by word: "
        + ", ".join(f"{name} {change:.2f}" for name, change in zip(names, changes, strict=True)),
        caption="How far each word moves the memory: mean of |c after - c before| over all units.",
        table={"word": names, "mean change": [f"{change:.3f}" for change in changes]},
    )
    unit = _unit_in_use(page, steps[0].hidden.shape[1])
    values = {
        "memory c": [float(step.cell[0, unit]) for step in steps],
        "output h": [float(step.hidden[0, unit]) for step in steps],
        "forget gate f": [float(step.values["forget"][0, unit]) for step in steps],
    }
    page.chart(
        _lines(names, values, page.look),
        alt=f"Unit {unit} along the sentence: "
        + "; ".join(f"{k}: {', '.join(f'{v:.2f}' for v in row)}" for k, row in values.items()),
        caption=f"Unit {unit} along the sentence. Where the forget gate is near 1, the memory "
        "keeps what it had and only adds to it.",
        table={"word": names} | {k: [f"{v:.3f}" for v in row] for k, row in values.items()},
    )


def changes_by_word(subject: Subject) -> list[float]:
    """Return how far each word moves the cell state, on average over its units."""
    steps = inspector.reading(subject).steps[1:]
    return [float(np.abs(s.cell.cell - s.cell.cell_before).mean()) for s in steps]


def _choose_unit(page: LessonPage, units: int) -> int:
    """Ask for a unit; the first choice is the one that the caption changes most."""
    key, first = "lstm.unit", _most_varied_unit(page)
    if int(st.session_state.get(key, first)) >= units:
        st.session_state[key] = first
    return int(
        st.number_input(
            f"Unit, 0 to {units - 1}",
            min_value=0,
            max_value=units - 1,
            value=first,
            key=key,
            bind="query-params",
            width=200,
        )
    )


def _unit_in_use(page: LessonPage, units: int) -> int:
    return min(int(st.session_state.get("lstm.unit", _most_varied_unit(page))), units - 1)


def _most_varied_unit(page: LessonPage) -> int:
    shown = np.stack([step.cell.hidden[0] for step in inspector.reading(page.subject).steps])
    return int(shown.std(axis=0).argmax())


def _units_to_show(step: CellStep, unit: int) -> list[int]:
    order = np.argsort(-np.abs(step.cell - step.cell_before)[0], kind="stable")
    return [unit, *(int(u) for u in order if u != unit)][:_UNITS_SHOWN]


def _values(step: CellStep) -> dict[str, np.ndarray]:
    states = {"before": step.cell_before, "cell": step.cell, "hidden": step.hidden}
    return {name: ({**step.values, **states})[name][0] for name in _ROWS}


def _as_table(step: CellStep, shown: list[int]) -> dict[str, list[str]]:
    rows = _values(step)
    columns = {f"unit {u}": [f"{row[u]:.2f}" for row in rows.values()] for u in shown}
    return {"part": list(_ROWS.values())} | columns


def _spoken(step: CellStep, shown: list[int]) -> str:
    values = _values(step)
    return "Gates and states. " + "; ".join(
        f"unit {u}: " + ", ".join(f"{_ROWS[n]} {row[u]:.2f}" for n, row in values.items())
        for u in shown[:3]
    )


def _cell_chart(step: CellStep, shown: list[int], chosen: int, look: Look) -> alt.LayerChart:
    table = pd.DataFrame(
        {
            "row": _ROWS[name],
            "unit": str(unit),
            "value": float(row[unit]),
            "strength": min(abs(float(row[unit])), 1.0),
        }
        for name, row in _values(step).items()
        for unit in shown
    )
    columns = [str(unit) for unit in shown]
    base = alt.Chart(table).encode(
        x=alt.X("unit:O", sort=columns, title="unit", axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("row:N", sort=list(_ROWS.values()), title=None),
    )
    cells = base.mark_rect(cornerRadius=3).encode(
        color=alt.condition("datum.value < 0", alt.value(look.series[3]), alt.value(look.accent)),
        opacity=alt.Opacity(
            "strength:Q", scale=alt.Scale(domain=[0, 1], range=[0.04, _STRONGEST]), legend=None
        ),
        tooltip=[
            alt.Tooltip("row:N", title="what"),
            alt.Tooltip("unit:O"),
            alt.Tooltip("value:Q", format=".4f"),
        ],
    )
    numbers = base.mark_text(fontSize=13 if look.large else 11).encode(
        text=alt.Text("value:Q", format=".2f"), color=alt.value(look.text)
    )
    frame = (
        base.transform_filter(f"datum.unit == '{chosen}'")
        .mark_rect(filled=False, strokeWidth=1.5)
        .encode(stroke=alt.value(look.text))
    )
    return in_rows(alt.layer(cells, frame, numbers), len(_ROWS), 34 if look.large else 28)


def _bars(names: list[str], changes: list[float], place: int, look: Look) -> alt.Chart:
    table = pd.DataFrame({"word": names, "change": changes, "here": np.arange(len(names)) == place})
    chart = (
        alt.Chart(table)
        .mark_bar(cornerRadius=3)
        .encode(
            x=alt.X("change:Q", title="mean change of the memory"),
            y=alt.Y("word:N", sort=None, title=None),
            color=alt.condition("datum.here", alt.value(look.accent), alt.value(look.border)),
            tooltip=["word:N", alt.Tooltip("change:Q", format=".3f")],
        )
    )
    return in_rows(chart, len(names), 24)


def _lines(names: list[str], values: dict[str, list[float]], look: Look) -> alt.Chart:
    table = pd.DataFrame(
        {"word": name, "what": what, "value": value}
        for what, row in values.items()
        for name, value in zip(names, row, strict=True)
    )
    kinds = list(values)
    legend = alt.Legend(title=None, orient="top")
    return (
        alt.Chart(table)
        .mark_line(point=True)
        .encode(
            x=alt.X("word:N", sort=None, title=None, axis=_SLANTED),
            y=alt.Y("value:Q", title="value"),
            color=alt.Color(
                "what:N",
                scale=alt.Scale(domain=kinds, range=list(look.series[:3])),
                legend=legend,
            ),
            # The same legend as the colour's: Vega warns if the two disagree about it.
            strokeDash=alt.StrokeDash("what:N", scale=alt.Scale(domain=kinds), legend=legend),
            tooltip=["word:N", "what:N", alt.Tooltip("value:Q", format=".3f")],
        )
        .properties(height=360 if look.large else 260)
    )


def _say_what_is_what(page: LessonPage) -> None:
    found = inspector.difference_from_keras(page.subject)
    page.text(
        "x is the input of the cell, h its output after the word before, c its memory; W, U and b "
        "are weights learned in training. The three numbers in each first bracket are x W, h U and "
        "the bias."
    )
    page.text(
        "These numbers are computed here in NumPy. Keras gives the same: "
        f"over all units and words, h differs by at most {found['hidden']:.7f} and c by at most "
        f"{found['cell']:.7f}."
    )
