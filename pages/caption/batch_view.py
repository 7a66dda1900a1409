"""Which of many photos the table shows, and in which order."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from captioning.batch import PERSON, Row
from pages.caption.workspace import Workspace

__all__ = ["SHOWN", "View", "choose_view"]

SHOWN: dict[str, Callable[[Row], bool]] = {
    "All": lambda row: True,
    "Not sure": lambda row: row.level == "not sure",
    "Fairly sure": lambda row: row.level == "fairly sure",
    "Sure": lambda row: row.level == "sure",
    "Corrected": lambda row: row.by == PERSON,
    "Not read": lambda row: bool(row.error),
}


@dataclass(frozen=True)
class View:
    """Rows to show.

    Attributes:
        key: tells this choice of rows and their order from others.
        rows: in order.
    """

    key: str
    rows: list[Row]


def choose_view(page: str, workspace: Workspace) -> View:
    """Ask which rows to show, and whether the least sure come first.

    A row that is corrected stays in its place until another choice is made: the table knows its
    rows by their places.
    """
    table = workspace.table.rows
    with st.container(horizontal=True, vertical_alignment="center"):
        shown = st.segmented_control(
            "Show", list(SHOWN), default="All", required=True, key=f"{page}.show"
        )
        first = st.toggle("Least sure first", key=f"{page}.least_sure")
    key = f"{shown}.{first}.{workspace.revision}.{len(table)}"
    kept_key, photos = st.session_state.get(f"{page}.view", ("", []))
    if kept_key != key:
        chosen = [row for row in table.values() if SHOWN[shown](row)]
        photos = [row.photo for row in (sorted(chosen, key=_sureness) if first else chosen)]
        st.session_state[f"{page}.view"] = key, photos
    return View(key, [table[photo] for photo in photos if photo in table])


def _sureness(row: Row) -> float:
    """Return what rows are sorted by; those without a model's caption come last."""
    if row.confidence is not None:
        return row.confidence
    return math.inf if row.log_prob is None else 1.0 + math.exp(row.log_prob)
