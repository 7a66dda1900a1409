"""Parts of the Step by step page: a small model that takes one step at a time."""

from typing import TYPE_CHECKING, cast

import pandas as pd
import streamlit as st

from captioning.config import TrainingConfig
from captioning.datasets import CaptionDataset, generate_shapes, load
from captioning.errors import DatasetError
from captioning.storage import data_folder
from pages.train.form import question
from pages.ui import cache
from pages.ui.wording import plain

if TYPE_CHECKING:
    from captioning.training import Step, StepByStep

_PHOTOS = 200
_RATES = (1e-7, 0.0001, 0.001, 0.003, 0.01, 0.1)


def choose_settings(page: str) -> TrainingConfig:
    """Ask for the settings that matter in one step; the model is small, its data are generated."""
    with st.grid(3, min_column_width=190):
        kind = st.selectbox(
            "Decoder", ("attention", "inject", "merge"), key=f"{page}.kind", bind="query-params"
        )
        rate = st.select_slider(
            "Learning rate",
            _RATES,
            value=0.003,
            format_func=lambda number: f"{number:g}",
            key=f"{page}.rate",
            help=question(TrainingConfig, "learning_rate"),
        )
        size = st.slider("Photos per step", 1, 32, 8, key=f"{page}.size", bind="query-params")
    decoder = {"kind": kind, "embedding_size": 32, "units": 64, "dropout": 0.0, "max_length": 20}
    return TrainingConfig.from_dict(
        {
            "name": "step",
            "data": "shapes",
            "encoder": {"name": "compact", "input_size": 64, "width": 8},
            "decoder": decoder,
            "train_encoder": True,
            "min_count": 1,
            "images_per_batch": size,
            "learning_rate": rate,
            "schedule": "constant",
            "warmup_steps": 0,
            "label_smoothing": 0.0,
            "shapes_count": _PHOTOS,
        }
    )


def take(page: str, config: TrainingConfig, *, fresh: bool, more: bool) -> "Step | None":
    """Start again or take a step, as asked; return the last step, None before the first.

    Other settings need another model, so they start again automatically.

    Raises:
        CaptioningError: the model or the step is not possible.
    """
    key, last, state = f"{page}.model", f"{page}.last", st.session_state
    if fresh or (key in state and state[key][0] != config):
        state.pop(key, None)
        state.pop(last, None)
    if more:
        if key not in state:
            with st.spinner("Starting TensorFlow and making a small model…"):
                state[key] = (config, _begin(config))
        with st.spinner("Taking a step…"):
            state[last] = state[key][1].step()
    return cast("Step | None", state.get(last))


def show_step(page: str, step: "Step") -> None:
    """Show what happened in a step."""
    st.subheader(f"Step {step.number}", anchor=False)
    losses = [word.loss for words in step.words for word in words]
    with st.grid(3, min_column_width=150):
        st.metric(
            "Loss of the batch", f"{step.loss:.3f}", help="In nats per word, over all captions."
        )
        st.metric("Loss of one caption per photo", f"{sum(losses) / len(losses):.3f}")
        st.metric("Learning rate", f"{step.learning_rate:g}")
    place = st.segmented_control(
        "Photo",
        range(len(step.photos)),
        default=0,
        required=True,
        format_func=lambda number: f"Photo {number + 1}",
        key=f"{page}.photo",
    )
    left, right = st.columns([1, 4], gap="medium")
    photo = _dataset().path(_dataset()[step.photos[place]])
    left.image(cache.photo_file(photo), width="stretch", alt=photo.name)
    left.caption(plain(photo.name))
    with right:
        _show_words(step, place)
    _show_gradients(step)


def _show_words(step: "Step", place: int) -> None:
    words = step.words[place]
    share = st.column_config.ProgressColumn(format="%.1f%%", min_value=0, max_value=100)
    st.dataframe(
        {
            "reads": [word.read for word in words],
            "should predict": [word.said for word in words],
            "loss": [word.loss for word in words],
            "before": [100 * word.before for word in words],
            "after": [100 * word.after for word in words],
            "most likely words": [
                ", ".join(f"{text} {100 * p:.0f}%" for text, p in word.likeliest[:3])
                for word in words
            ],
        },
        hide_index=True,
        column_config={
            "loss": st.column_config.NumberColumn(format="%.2f", help="-ln(before), in nats"),
            "before": share,
            "after": share,
        },
    )
    st.caption(
        f"{len(step.inputs[place]) - len(words)} places of padding follow, of weight 0. The model "
        "reads the caption and should predict the same caption shifted by one place: this is "
        "teacher forcing. *Before* and *after* are the probabilities of the word that it should "
        "predict, before and after the step."
    )


def _show_gradients(step: "Step") -> None:
    with st.expander("Norm of the gradient, layer by layer", icon=":material/trending_down:"):
        norms = pd.Series(step.gradient_norms, name="gradient").sort_values(ascending=False)
        st.bar_chart(norms, horizontal=True, x_label="Euclidean norm", sort=False, height=900)


@st.cache_resource(ttl=600, show_spinner=False)
def _dataset() -> CaptionDataset:
    folder = data_folder() / f"shapes-{_PHOTOS}-0"
    try:
        return load(folder)
    except DatasetError:
        return generate_shapes(folder, count=_PHOTOS, seed=0)


def _begin(config: TrainingConfig) -> "StepByStep":
    from captioning.training import StepByStep

    return StepByStep(config, _dataset())
