"""Parts of the Compare page: the table, the chart, the exports of a run, published models."""

from collections.abc import Callable

import streamlit as st

from captioning.bundle import Bundle, find_bundles, is_reserved, rename_bundle, unpublish_bundle
from captioning.errors import CaptioningError
from captioning.metrics import headline_metrics
from captioning.runs import (
    Comparison,
    Run,
    Runs,
    epochs_csv,
    html_report,
    read_curves,
    tensorboard_events,
)
from pages.train import charts
from pages.train.cache import model_of, small_photos
from pages.train.run_view import clock
from pages.ui import cache
from pages.ui.captions import show_captions
from pages.ui.components import problem
from pages.ui.photos import bring_photos, choose_source
from pages.ui.rights import is_teacher
from pages.ui.settings import say_publication
from pages.ui.wording import or_dash, plain

_FIGURES = {
    **{f"{metric.label} on dev": metric.name for metric in headline_metrics()},
    "Dev loss": "dev_loss",
    "Training loss": "loss",
}


def show_table(found: Comparison) -> None:
    """Show the settings in which the runs differ, and their results."""
    rows = {plain(name): [_setting(v) for v in values] for name, values in found.settings.items()}
    for name, key in (("Best epoch", "best_epoch"), ("Epochs done", "epochs")):
        rows[name] = [str(result[key] or "–") for result in found.results]
    if any(result["start_share"] for result in found.results):
        rows["Share of its start"] = [
            or_dash(result["start_share"], ".0%") for result in found.results
        ]
    scores = [(metric.label, metric.name, ".1f") for metric in headline_metrics()]
    for name, key, form in (*scores, ("Dev loss", "dev_loss", ".3f")):
        rows[name] = [or_dash(result[key], form) for result in found.results]
    rows["State"] = [run.status.state for run in found.runs]
    rows["Training time"] = [clock(result["seconds"]) for result in found.results]
    rows["Note"] = [run.note or "–" for run in found.runs]
    columns = {
        plain(run.id): [plain(values[place]) for values in rows.values()]
        for place, run in enumerate(found.runs)
    }
    st.table({"Run": list(rows), **columns}, hide_index=True, border="horizontal")


def show_chart(page: str, found: Comparison) -> None:
    """Show one figure of all runs over their epochs."""
    figure = st.segmented_control(
        "Curve",
        list(_FIGURES),
        default="CIDEr on dev",
        required=True,
        label_visibility="collapsed",
        key=f"{page}.figure",
        bind="query-params",
    )
    named = {run.id: curves for run, curves in zip(found.runs, found.curves, strict=True)}
    st.altair_chart(
        charts.compare_chart(named, _FIGURES[figure], figure),
        alt=f"{figure} of {len(found.runs)} runs over epochs.",
    )


def show_downloads(page: str, run: Run) -> None:
    """Offer the report and the curves as files."""
    curves = read_curves(run)
    with st.container(horizontal=True):
        st.download_button(
            "Report (HTML)",
            lambda: html_report(run, small_photos(run, curves.photos)),
            f"{run.id}.html",
            "text/html",
            key=f"{page}.html",
            icon=":material/description:",
        )
        st.download_button(
            "Curves (CSV)",
            epochs_csv(curves),
            f"{run.id}.csv",
            "text/csv",
            key=f"{page}.csv",
            icon=":material/table:",
        )
        st.download_button(
            "Curves (TensorBoard)",
            tensorboard_events(curves),
            f"events.out.tfevents.{round(run.status.created)}.{run.id}",
            "application/octet-stream",
            key=f"{page}.tensorboard",
            icon=":material/show_chart:",
        )


def show_model(page: str, runs: Runs, run: Run) -> None:
    """Offer to publish the run's model and to try it on a photo."""
    if not run.has_model:
        st.caption("After its first epoch it has a model that you can try and publish.")
        return
    if is_teacher():
        with st.expander("Publish its model", icon=":material/publish:"):
            _publish(page, runs, run)
    with st.expander("Try its model on a photo", icon=":material/photo_camera:"):
        pictures = bring_photos(page, choose_source(page))
        if pictures:
            bundle = model_of(run)
            show_captions(pictures[:1], bundle, bundle.decoding)


def _publish(page: str, runs: Runs, run: Run) -> None:
    name = run.id if is_reserved(run.config.name) else run.config.name
    model = st.text_input("Name of the model", name, key=f"{page}.model.{run.id}")
    by = st.text_input("Published by", key=f"{page}.by", placeholder="your name")
    replace = st.checkbox("Replace a model of that name", key=f"{page}.replace")
    if st.button("Publish", icon=":material/publish:", key=f"{page}.publish"):
        try:
            bundle = runs.publish(run.id, model, by=by, replace=replace)
        except CaptioningError as error:
            problem(error)
        else:
            st.success(f"All pages offer {plain(bundle.name)} within five seconds.")


def _setting(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def show_published(page: str) -> None:
    """List the published models; the teacher can rename and unpublish them."""
    published = [bundle for bundle in find_bundles() if bundle.published is not None]
    if not published:
        return
    with st.expander(f"Published models: {len(published)}", icon=":material/inventory_2:"):
        for bundle in published:
            st.markdown(f"**{plain(bundle.name)}**")
            say_publication(bundle)
            if is_teacher():
                _offer_changes(page, bundle.name)


def _offer_changes(page: str, name: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        new_name = st.text_input("New name", name, key=f"{page}.new_name.{name}", width=260)
        if st.button("Rename", key=f"{page}.rename.{name}", disabled=new_name == name):
            _change(lambda: rename_bundle(name, new_name))
        if st.button(
            "Unpublish",
            key=f"{page}.unpublish.{name}",
            help="The run keeps its model, so you can publish it again.",
        ):
            _change(lambda: unpublish_bundle(name))


def _change(change: Callable[[], Bundle | None]) -> None:
    try:
        change()
    except CaptioningError as error:
        problem(error)
    else:
        cache.models.clear()
        st.rerun()
