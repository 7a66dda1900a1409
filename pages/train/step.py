"""Step by step: one training step at a time, in detail."""

import streamlit as st

from captioning.errors import CaptioningError
from pages.train import stepwise
from pages.ui.components import main_button, problem, prose, show_source

st.header("Step by step", anchor=False)
prose("train-step")

try:
    config = stepwise.choose_settings("step")
    with st.container(horizontal=True):
        more = st.button(**main_button("Take a step"), icon=":material/footprint:", key="step.more")
        fresh = st.button("Start again", icon=":material/restart_alt:", key="step.fresh")
    step = stepwise.take("step", config, fresh=fresh, more=more)
    if step is None:
        st.caption("For a fresh model every word is equally likely. Take a step.")
    else:
        stepwise.show_step("step", step)
        show_source("captioning.training.stepwise", "StepByStep.step")
except CaptioningError as error:
    problem(error)
