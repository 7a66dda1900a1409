"""A form made from the training configuration: every field, its range and its meaning."""

import dataclasses
import typing
from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from captioning.bundle import find_bundles
from captioning.config import TrainingConfig
from captioning.runs import Estimate, Preset, Runs
from captioning.settings import Config
from pages.train.cache import all_presets, data_sets
from pages.train.run_view import clock
from pages.ui.wording import plain

_GROUPS = {
    "Photos": ("data", "shapes_count", "limit_images", "allow_missing", "min_count", "seed"),
    "Encoder": (
        "encoder.name",
        "encoder.layer",
        "encoder.input_size",
        "encoder.width",
        "train_encoder",
        "encoder_from",
    ),
    "Decoder": (
        "decoder.kind",
        "decoder.cell",
        "decoder.embedding_size",
        "decoder.units",
        "decoder.heads",
        "decoder.dropout",
        "decoder.max_length",
        "start_from",
        "grow_vocabulary",
        "start_temperature",
        "start_share",
    ),
    "Learning": (
        "epochs",
        "images_per_batch",
        "learning_rate",
        "schedule",
        "warmup_steps",
        "weight_decay",
        "clip_norm",
        "label_smoothing",
        "teachers",
        "teacher_share",
        "horizontal_flip",
        "crops",
        "ema_momentum",
        "objective",
        "samples",
        "critical_dropout",
    ),
    "Scoring": (
        "score_images",
        "decoding.strategy",
        "decoding.beam_width",
        "decoding.length_penalty",
    ),
}
_SHOWN = ("data", "start_from", "epochs", "learning_rate")
"""The settings that are always visible, with the name; all others are in an expander."""

_LABELS = {
    "data": "Data set",
    "shapes_count": "Drawn pictures",
    "limit_images": "Training photos at most",
    "allow_missing": "Train with missing photos",
    "min_count": "Rarest known word",
    "sentence_min_count": "Rarest word of the sentences",
    "sentences_per_step": "Sentences per step",
    "sentence_weight": "Weight of the sentences",
    "seed": "Random seed",
    "encoder.name": "Network that reads photos",
    "encoder.layer": "Layer used",
    "encoder.input_size": "Side of the photo in pixels",
    "encoder.width": "Channels of the first stage",
    "train_encoder": "Train the encoder too",
    "encoder_from": "Encoder of a model",
    "decoder.kind": "How the photo enters",
    "decoder.embedding_size": "Size of a word embedding",
    "decoder.units": "Recurrent units",
    "decoder.heads": "Attention heads",
    "decoder.max_length": "Longest caption",
    "start_from": "Start from",
    "grow_vocabulary": "Learn new words",
    "start_temperature": "Temperature at the start",
    "start_share": "Share of the first model",
    "images_per_batch": "Photos per step",
    "schedule": "Learning rate over time",
    "warmup_steps": "Warm-up steps",
    "clip_norm": "Largest gradient norm",
    "teachers": "Teacher models",
    "teacher_share": "Weight of the teachers",
    "horizontal_flip": "Mirror photos",
    "crops": "Random crops per photo",
    "ema_momentum": "Weight averaging",
    "objective": "Objective",
    "samples": "Captions sampled per photo",
    "critical_dropout": "Dropout in self-critical steps",
    "score_images": "Dev photos scored",
    "decoding.strategy": "How captions are chosen",
}
"""The labels of the settings; others have their own name."""

_ANSWERS = {
    "start_from": {None: "fresh weights"},
    "encoder_from": {None: "none"},
    "start_share": {None: "chosen on dev"},
    "encoder.layer": {None: "the usual one"},
}


def choose_base(page: str, more: Sequence[Preset] = ()) -> tuple[TrainingConfig, str]:
    """Ask for a preset, or take the run that the link names.

    Args:
        page: its widgets' keys begin so.
        more: presets to offer in addition to the shipped ones.

    Returns:
        The settings to begin with, and the name of what they are from.

    Raises:
        RunError: the link names no run.
        ConfigError: a preset or the run's settings are damaged.
    """
    cloned = st.query_params.get(f"{page}.base")
    if cloned:
        run = Runs().get(cloned)
        st.caption(f"These are the settings of {plain(run.id)}. Change any of them.")
        return run.config, run.id
    found = {preset.title: preset for preset in (*more, *all_presets())}
    title = st.pills(
        "Preset",
        list(found),
        default=next(iter(found)),
        required=True,
        label_visibility="collapsed",
        key=f"{page}.preset",
        bind="query-params",
    )
    preset = found[title]
    st.caption(plain(preset.about))
    return preset.config, preset.path.stem


def edit_config(
    page: str, base: TrainingConfig, origin: str, folded: DeltaGenerator
) -> TrainingConfig:
    """Let a person change the settings of `base`.

    Args:
        page: its widgets' keys begin so.
        base: what the form shows at first.
        origin: what `base` is, a preset or a run; each has a separate form.
        folded: where all but five settings go, folded away.

    Raises:
        ConfigError: what was entered is refused, by the same code as on the command line.
    """
    values = base.to_dict()
    key = f"{page}.{origin}"
    with st.grid(len(_SHOWN) + 1, min_column_width=150):
        values["name"] = st.text_input(
            "Name", base.name, key=f"{key}.name", help=question(TrainingConfig, "name")
        )
        for name in _SHOWN:
            _ask(f"{key}.{name}", name, values)
    with folded, st.expander("All other settings", icon=":material/tune:"):
        for tab, names in zip(st.tabs(list(_GROUPS)), _GROUPS.values(), strict=True):
            with tab, st.grid(3, min_column_width=190):
                for name in names:
                    if name not in _SHOWN:
                        _ask(f"{key}.{name}", name, values)
    return TrainingConfig.from_dict(values)


def question(owner: type[Config], name: str) -> str:
    """Return what a field does and which values it takes.

    >>> question(TrainingConfig, "epochs")
    'Passes over the training photos. From 1 to 1,000.'
    """
    field = next(f for f in dataclasses.fields(owner) if f.name == name)  # type: ignore[arg-type]
    about = str(field.metadata.get("about") or name)
    low, high = field.metadata.get("at_least"), field.metadata.get("at_most")
    between = (
        f" From {_plain(low)} to {_plain(high)}." if low is not None and high is not None else ""
    )
    return f"{about[:1].upper()}{about[1:]}.{between}"


def label_of(name: str) -> str:
    """Return the label of a setting.

    >>> label_of("ema_momentum"), label_of("decoder.dropout")
    ('Weight averaging', 'Dropout')
    """
    return _LABELS.get(name, name.rsplit(".", 1)[-1].replace("_", " ").capitalize())


def _ask(key: str, name: str, values: dict[str, Any]) -> None:
    """Ask for one field and put the answer into `values`."""
    owner, *_, last = _owner(name)
    place = values
    for part in name.split(".")[:-1]:
        place = place[part]
    place[last] = _answer(key, name, owner, last, place[last], values)


def _owner(name: str) -> tuple[type[Config], str]:
    """Return the class that declares a field, and the field's own name."""
    owner: type[Config] = TrainingConfig
    *parts, last = name.split(".")
    for part in parts:
        owner = typing.get_type_hints(owner)[part]
    return owner, last


def _answer(
    key: str, name: str, owner: type[Config], field: str, value: Any, values: dict[str, Any]
) -> Any:
    label = label_of(name)
    help_text = question(owner, field)
    options = _options(name, owner, field, values)
    if options is not None:
        place = options.index(value) if value in options else 0
        # The layers depend on the chosen encoder, so each encoder has a separate list.
        key = f"{key}.{values['encoder']['name']}" if name == "encoder.layer" else key
        shown = partial(_shown, name)
        return st.selectbox(label, options, place, format_func=shown, key=key, help=help_text)
    if isinstance(value, (list, tuple)):
        names = sorted({*value, *(bundle.name for bundle in find_bundles())})
        return st.pills(
            label, names, selection_mode="multi", default=value, key=key, help=help_text
        )
    if isinstance(value, bool):
        return st.toggle(label, value, key=key, help=help_text)
    if isinstance(value, float):
        step = 10.0 ** (len(f"{value:.0e}"[2:]) and int(f"{value:.0e}".split("e")[1]))
        return st.number_input(
            label, value=value, step=min(step, 0.1), format="%g", key=key, help=help_text
        )
    # The widget has no limits: the configuration refuses a value out of range, with a reason.
    return st.number_input(label, value=value, step=1, key=key, help=help_text)


def _options(
    name: str, owner: type[Config], field: str, values: dict[str, Any]
) -> list[Any] | None:
    """Return the choices of a field; None if it is a number or a switch."""
    from captioning.encoders.registry import ENCODERS

    match name:
        case "data":
            return list(dict.fromkeys([*data_sets(), values["data"]]))
        case "encoder.name":
            return list(ENCODERS)
        case "encoder.layer":
            return list(ENCODERS[values["encoder"]["name"]].layers)
        case "start_from" | "encoder_from":
            return [None, *(bundle.name for bundle in find_bundles())]
        case "start_share":
            chosen = {values["start_share"]} - {None}
            return [None, *sorted({0.0, 0.25, 0.5, 0.75} | chosen)]
    declared = next(f for f in dataclasses.fields(owner) if f.name == field)  # type: ignore[arg-type]
    choices = declared.metadata.get("choices")
    return list(choices) if choices else None


def _shown(name: str, value: Any) -> str:
    answers = _ANSWERS.get(name, {})
    return answers.get(value) or ("none" if value is None else str(value).replace("_", " "))


def _plain(number: float) -> str:
    return f"{number:,.0f}" if number >= 1 and number == int(number) else f"{number:g}"


def show_time(needs: Estimate) -> None:
    """Show how long it will take, and what prevents the start."""
    photos = f", on {needs.photos:,} training photos" if needs.photos else ""
    st.caption(
        f"About {clock(needs.seconds)} (minutes:seconds){photos}. It runs in the background."
    )
    for text in needs.problems:
        st.error(plain(text), icon=":material/error:")


def show_needs(needs: Estimate) -> None:
    """Show time, photos, memory and disk."""
    st.subheader("What it needs", anchor=False)
    figures = {
        "Time, about": clock(needs.seconds),
        "Training photos": f"{needs.photos:,}",
        "Photos to encode": f"{needs.to_encode:,}",
        "Memory": f"{needs.memory_bytes / 1e9:.1f} GB",
        "Disk": f"{needs.disk_bytes / 1e9:.2f} GB",
        "Trainable weights": f"{needs.parameters / 1e6:.1f} M",
    }
    with st.grid(6, min_column_width=120):
        for name, value in figures.items():
            st.metric(name, value)
    basis = "runs on this machine" if needs.measured else "the speed of one laptop core"
    st.caption(f"The time is estimated from {basis}. One run trains at a time; others wait.")
