"""Parts of the Search settings page: the fields to vary, their values, and the time needed."""

import typing
from typing import Any

import streamlit as st

from captioning.config import TrainingConfig
from captioning.errors import ConfigError
from captioning.runs import estimate_run
from captioning.storage import data_folder
from captioning.tuning import (
    SCORES,
    SearchField,
    Studies,
    StudyConfig,
    searchable,
    suggested,
)
from pages.train.cache import sizes_of
from pages.train.form import choose_base, label_of, question
from pages.train.run_view import clock
from pages.ui.wording import counted, plain

_AT_FIRST = ("learning_rate", "decoder.dropout")
_MOST_FIELDS = 6
_LOOK_SECONDS = 1.5


def all_studies() -> Studies:
    """Return the studies of this data folder, up to date; show damaged ones by name."""
    studies = Studies()
    studies.reconcile()
    for name, reason in studies.damaged().items():
        st.warning(f"The search {plain(name)} is left out: {plain(reason)}")
    return studies


def form_container(studies: Studies) -> typing.ContextManager[Any]:
    """Return the container of the form: an expander once there is a search."""
    first = not studies.all()
    return st.expander("A new search", expanded=first, icon=":material/add:")


def edit_study(page: str) -> StudyConfig:
    """Ask what to search.

    Raises:
        CaptioningError: a preset is damaged, or what was entered is refused.
    """
    base, origin = choose_base(page)
    names = st.pills(
        "Fields to vary",
        list(searchable()),
        selection_mode="multi",
        default=_AT_FIRST,
        format_func=label_of,
        key=f"{page}.fields",
        bind="query-params",
    )
    if not names:
        raise ConfigError("Choose at least one field to vary.")
    if len(names) > _MOST_FIELDS:
        raise ConfigError(
            f"Choose at most {_MOST_FIELDS} fields: a search over {len(names)} would need far more "
            "trials than fit here."
        )
    with st.grid(2, min_column_width=330):
        fields = [_ask_field(f"{page}.{origin}", name, base) for name in names]
    return StudyConfig.from_dict(
        {
            "base": base.to_dict(),
            "fields": [str(field) for field in fields],
            **_ask_trials(f"{page}.{origin}", base),
        }
    )


def show_cost(config: StudyConfig) -> None:
    """Show how long the search will take.

    Raises:
        CaptioningError: the data set is not there.
    """
    trial = config.trial_config(1, config.own_settings() or {})
    needs = estimate_run(trial, sizes_of(trial), data_folder())
    st.caption(
        f"{counted(config.trials, 'trial')} of about {clock(needs.seconds)} each, "
        f"{clock(config.trials * needs.seconds)} in all; less if some are given up. A trial is a "
        "normal run: one at a time, and it continues when this page is closed. The first one has "
        "the values of the preset, as a baseline."
    )
    if needs.problems:
        raise ConfigError(" ".join(needs.problems))


def begin(page: str, studies: Studies, config: StudyConfig) -> None:
    """Make a study, start it and show it.

    Raises:
        CaptioningError: it cannot be written.
    """
    study = studies.start(studies.create(config).id)
    st.query_params[f"{page}.study"] = study.id
    st.session_state.pop(f"{page}.study", None)
    st.rerun()


def seconds_between_updates(studies: Studies, name: str) -> float | None:
    """Return the seconds between updates of a search; None if it is not under way."""
    return _LOOK_SECONDS if studies.get(name).status.state == "running" else None


def choose_study(page: str, studies: Studies) -> str | None:
    """Ask for one search, by default the newest; None if there is none."""
    names = [study.id for study in studies.all()]
    if not names:
        return None
    return st.selectbox("Search", names, key=f"{page}.study", bind="query-params")


def _ask_field(key: str, name: str, base: TrainingConfig) -> SearchField:
    usual, declared = suggested(name, base), searchable()[name]
    with st.container(border=True, gap="small"):
        st.markdown(f"**{label_of(name)}**", help=_help(name))
        if usual.choices:
            chosen = st.pills(
                "Values",
                usual.choices,
                selection_mode="multi",
                default=usual.choices,
                format_func=lambda value: str(value).replace("_", " ").lower(),
                key=f"{key}.{name}.choices",
            )
            return SearchField(name, choices=tuple(chosen))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            low, high = (
                _number(f"{key}.{name}.{label}", label, end, declared.kind)
                for label, end in (("From", usual.low), ("To", usual.high))
            )
            log = st.toggle("Logarithmic", usual.log, key=f"{key}.{name}.log", help=_FACTORS)
    return SearchField(name, low, high, log=log)


_FACTORS = (
    "On: 0.001 to 0.01 is searched as finely as 0.01 to 0.1. Right for learning rates and sizes."
)


def _number(key: str, label: str, value: Any, kind: type) -> Any:
    # The widget has no limits: the study refuses a value out of range, with a reason.
    if kind is float:
        step = max(float(value) / 10, 1e-7)
        return st.number_input(label, value=float(value), step=step, format="%g", key=key)
    return st.number_input(label, value=int(value), step=1, key=key)


def _ask_trials(key: str, base: TrainingConfig) -> dict[str, Any]:
    with st.grid(4, min_column_width=150):
        return {
            "trials": st.number_input(
                "Trials", value=8, step=1, key=f"{key}.trials", help=question(StudyConfig, "trials")
            ),
            "epochs": st.number_input(
                "Epochs per trial",
                value=min(2, base.epochs),
                step=1,
                key=f"{key}.epochs",
                help=question(StudyConfig, "epochs"),
            ),
            "limit_images": st.number_input(
                "Photos per trial",
                value=min(base.limit_images or 2000, 2000),
                step=1,
                key=f"{key}.limit_images",
                help=question(StudyConfig, "limit_images"),
            ),
            "score": st.selectbox(
                "Score to maximize",
                list(SCORES),
                format_func=lambda name: SCORES[name],
                key=f"{key}.score",
            ),
            "prune": st.toggle(
                "Stop bad trials early",
                True,
                key=f"{key}.prune",
                help=question(StudyConfig, "prune"),
            ),
        }


def _help(name: str) -> str:
    declared = searchable()[name]
    about = f"{declared.about[:1].upper()}{declared.about[1:]}."
    if declared.at_least is None or declared.at_most is None:
        return plain(about)
    return plain(f"{about} From {declared.at_least:g} to {declared.at_most:g}.")
