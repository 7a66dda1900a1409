"""Learn: all lessons, and the tools that go with them."""

import streamlit as st

from pages.learn.lessons import LESSONS, TOOLS, LearnPage
from pages.ui.components import prose


def card(page: LearnPage, title: str) -> None:
    """Show where a page leads and what it is for."""
    with st.container(border=True, height="stretch", gap="xsmall"):
        st.page_link(page.path, label=f"**{title}**", icon=f":material/{page.icon}:", help="")
        st.caption(page.purpose)


st.header("Learn how it works", anchor=False)
prose("learn")
with st.grid(3, min_column_width=220):
    for lesson in LESSONS:
        card(lesson, f"{lesson.number}. {lesson.title}")
st.subheader("More to try", anchor=False)
with st.grid(3, min_column_width=220):
    for tool in TOOLS:
        card(tool, tool.title)
