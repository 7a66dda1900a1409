"""What the Train pages read, cached between reruns."""

import contextlib
import json
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import streamlit as st

from captioning.bundle import Bundle, default_model, read_bundle
from captioning.config import TrainingConfig
from captioning.datasets import CaptionDataset, available_datasets, load_named
from captioning.errors import CaptioningError
from captioning.images import read_image
from captioning.runs import (
    DataSizes,
    Preset,
    Run,
    Runs,
    data_sizes,
    estimate_run,
    preset_for,
    presets,
)
from captioning.storage import data_folder
from pages.ui.components import main_button, problem, prose
from pages.ui.pictures import as_jpeg
from pages.ui.rights import is_teacher, origin, within_quota
from pages.ui.wording import plain

_SMALL_SIDE = 320
_PUBLISHED = ("shapes", "flickr8k", "flickr30k", "coco", "karpathy")
"""Kinds of data sets that are not a user's own: their settings are among the presets."""


@st.cache_data(ttl=60, show_spinner=False)
def all_presets() -> list[Preset]:
    """Return the configurations that come with the program."""
    return presets()


def own_presets() -> list[Preset]:
    """Return settings for each data set of a user, as `captioning train --data` chooses them.

    A data set that cannot be read is reported on the page.
    """
    found = []
    for data in available_datasets():
        if data.kind in _PUBLISHED or not data.has_photos:
            continue
        try:
            found.append(_own_preset(data.name, str(data.folder), default_model()))
        except CaptioningError as error:
            problem(error)
    return found


@st.cache_data(ttl=600, show_spinner="Reading your captions…")
def _own_preset(name: str, folder: str, model: str) -> Preset:
    bundle = read_bundle(model)
    return preset_for(load_named(name), name, bundle if bundle.has_weights else None)


@st.cache_data(ttl=5, show_spinner="Looking for data sets…")
def data_sets() -> list[str]:
    """Return the names of the data sets that a run can learn from."""
    return list(dict.fromkeys(["shapes", "flickr8k", *(d.name for d in available_datasets())]))


_COUNTED = (
    "data",
    "encoder",
    "encoder_from",
    "train_encoder",
    "min_count",
    "limit_images",
    "shapes_count",
    "horizontal_flip",
    "crops",
)
"""The settings that decide which data a run reads."""


def sizes_of(config: TrainingConfig) -> DataSizes:
    """Count what a run would read.

    Raises:
        CaptioningError: the data set is not there, or a setting is refused.
    """
    values = config.to_dict()
    return _sizes(json.dumps([values[name] for name in _COUNTED]), config)


@st.cache_resource(max_entries=4, ttl=600, show_spinner="Reading the data set…")
def _dataset(name: str) -> CaptionDataset:
    """Return the data set of this name.

    Raises:
        DatasetError: there is none.
    """
    return load_named(name)


def small_photos(run: Run, names: list[str]) -> dict[str, bytes]:
    """Return small copies of photos of a run's data set; missing ones are left out."""
    found = {}
    for name in names:
        # A missing photo or data set must not break the page of the run.
        with contextlib.suppress(CaptioningError):
            dataset = data_of(run)
            found[name] = _small(str(dataset.path(dataset[name])))
    return found


def data_of(run: Run) -> CaptionDataset:
    """Return the data set that a run learns from.

    Raises:
        DatasetError: it has gone.
    """
    config = run.config
    shapes = f"shapes-{config.shapes_count}-{config.seed}"
    return _dataset(shapes if config.data == "shapes" else config.data)


def model_of(run: Run) -> Bundle:
    """Return the model that a run has so far.

    Raises:
        BundleError: it is damaged.
    """
    bundle = _model(str(run.bundle_folder), os.stat(run.bundle_folder).st_mtime_ns)
    return replace(bundle, name=run.id)  # its folder is called "bundle" in every run


def start_run(config: TrainingConfig, note: str) -> Run:
    """Create a run and start it, or add it to the queue.

    Raises:
        RunError: it cannot be written, or the quota of a visitor does not allow it.
        CaptioningError: what it needs cannot be estimated.
    """
    runs = Runs()
    with _within_quota(runs, config):
        return runs.start(runs.create(config, note=note, origin=origin()).id)


def start_again(run: Run) -> None:
    """Resume a run, or add it to the queue.

    Raises:
        RunError: it runs already, or the quota of a visitor does not allow it.
        CaptioningError: what it needs cannot be estimated.
    """
    runs = Runs()
    with _within_quota(runs, run.config):
        runs.start(run.id)


def _within_quota(runs: Runs, config: TrainingConfig) -> AbstractContextManager[None]:
    if is_teacher():
        return nullcontext()
    return within_quota(runs, estimate_run(config, sizes_of(config), data_folder()))


def no_runs(page: str) -> None:
    """Show that there is no run yet, and how to start one."""
    prose("train-none")
    if st.button(**main_button("New run"), icon=":material/add:", key=f"{page}.new"):
        st.switch_page("pages/train/new.py")


def choose_run(page: str, runs: Runs, among: Sequence[Run] | None = None) -> str:
    """Ask for one run, by default the newest; return its id, which a link may name."""
    found = [run.id for run in among or runs.all()]
    return st.selectbox("Run", found, key=f"{page}.run", bind="query-params")


def choose_runs(page: str, runs: Runs) -> list[Run]:
    """Ask for several runs, by default the newest three."""
    found = {run.id: run for run in runs.all()}
    chosen = st.pills(
        "Runs",
        list(found),
        selection_mode="multi",
        default=list(found)[:3],
        key=f"{page}.runs",
        bind="query-params",
    )
    return [found[name] for name in chosen if name in found]


def all_runs() -> Runs:
    """Return the runs of this data folder, with dead ones marked; show damaged ones by name."""
    runs = Runs()
    try:
        runs.reconcile()
    except CaptioningError as error:  # they can be read from a disk that is full or read-only
        problem(error)
    for name, reason in runs.damaged().items():
        st.warning(f"The run {plain(name)} is left out: {plain(reason)}")
    return runs


@st.cache_data(max_entries=64, show_spinner=False)
def _small(path: str) -> bytes:
    """Return a small copy of the whole photo; a crop might lack what the caption describes."""
    photo = read_image(path)
    photo.thumbnail((_SMALL_SIDE, _SMALL_SIDE))
    return as_jpeg(photo)


@st.cache_data(ttl=30, max_entries=100, show_spinner="Counting photos and words…")
def _sizes(key: str, _config: TrainingConfig) -> DataSizes:
    return data_sizes(_config, data_folder())


@st.cache_resource(max_entries=4, show_spinner=False)
def _model(folder: str, version: int) -> Bundle:
    return read_bundle(folder)
