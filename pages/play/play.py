"""Class game: caption the same photo, vote without names, compare people and models."""

import streamlit as st

from captioning.errors import CaptioningError
from captioning.play import Rounds
from pages.play import player, teacher
from pages.ui.components import problem, prose, show_source
from pages.ui.state import linked

st.header("Class game", anchor=False)

name, key = linked("play.round"), linked("play.teacher")
try:
    if name is None:
        prose("play")
        teacher.begin()
    elif key is not None:
        teacher.lead(Rounds().get(name), key)
    else:
        player.play(Rounds().get(name))
except CaptioningError as error:
    problem(error)

if key is not None or name is None:
    show_source("captioning.play.results", "rate")
