"""Class game: caption the same photo, vote without names, compare people and models."""

import streamlit as st

from captioning.errors import CaptioningError
from captioning.play import Rounds
from pages.play.sides import begin, lead, play
from pages.ui.components import problem, prose

st.header("Class game", anchor=False)

name, key = st.query_params.get("play.round"), st.query_params.get("play.teacher")
try:
    if name is None:
        prose("play")
        begin()
    else:
        round_ = Rounds().get(name)
        if key is None:
            play(round_)
        else:
            lead(round_, key)
except CaptioningError as error:
    problem(error)
