"""The table of Many photos: write it, choose which rows to show, correct it, download it."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st
from PIL import Image

from captioning.batch import (
    PERSON,
    Album,
    Row,
    caption_album,
    to_coco,
    to_csv,
    to_jsonl,
    to_texts,
)
from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.errors import CaptioningError
from pages.library.review import author_of, review
from pages.library.workspace import Workspace, keep_workspace, start_over
from pages.ui import cache
from pages.ui.components import main_button, problem
from pages.ui.pictures import as_jpeg, as_url
from pages.ui.wording import counted, percent, plain

_THUMBNAIL = (112, 84)
_LATEST = 6
_CHANGES = 50
_TABLE, _SINGLY = "As a table", "One by one"
SHOWN: dict[str, Callable[[Row], bool]] = {
    "All": lambda row: True,
    "Not sure": lambda row: row.doubtful,
    "Fairly sure": lambda row: row.level == "fairly sure",
    "Sure": lambda row: row.level == "sure",
    "Not a photo": lambda row: row.kind not in ("", "photo"),
    "Corrected": lambda row: row.by == PERSON,
    "Not read": lambda row: bool(row.error),
}


def caption_photos(
    page: str, album: Album, workspace: Workspace, bundle: Bundle, decoding: DecodingConfig
) -> None:
    """Offer to caption the photos that have no row yet, and show the progress.

    Any other action on the page stops the work; finished rows stay, and it can be resumed.
    """
    rows = workspace.table.rows
    if not album and not rows:
        st.caption("Choose all photos of a folder at once, or a zip of the folder.")
        return
    left = sum(photo.name not in rows for photo in album)
    start = False
    with st.container(horizontal=True, vertical_alignment="center"):
        if album:
            key = f"{page}.start"
            if left:
                start = st.button(**main_button(f"Caption {counted(left, 'photo')}"), key=key)
            else:
                st.button("All photos have a caption", disabled=True, key=key)
        if rows:
            _offer_to_start_over(page, workspace)
    if not start:
        return
    try:
        _work(page, album, workspace, bundle, decoding)
    except CaptioningError as error:
        problem(error)
    else:
        st.rerun()


def correct_rows(page: str, workspace: Workspace, album: Album) -> list[Row]:
    """Show the rows to correct: as a table, or one by one.

    Args:
        page: for keys.
        workspace: the rows.
        album: the uploaded photos; one by one they are shown large.

    Returns:
        The rows, in the order in which the photos were captioned.
    """
    rows = list(workspace.table.rows.values())
    if not rows:
        return []
    failed, by_hand = sum(bool(row.error) for row in rows), sum(row.by == PERSON for row in rows)
    st.caption(
        counted(len(rows) - failed, "caption")
        + (f", {counted(failed, 'file')} that could not be read" if failed else "")
        + (f", {by_hand:,} corrected by hand" if by_hand else "")
        + ". They stay while you visit other pages, and the address of this page opens them again."
    )
    singly = _one_by_one(page)
    choice, shown = _choose_rows(page, workspace, singly=singly)
    if singly:
        review(page, workspace, shown, album)
    else:
        _edit(page, workspace, choice, shown)
    _offer_to_replace(page, workspace)
    _show_changes(page, workspace)
    return rows


def download(page: str, rows: Sequence[Row]) -> None:
    """Offer the rows as files to download."""
    files: list[tuple[str, str, Any]] = [
        ("CSV", "captions.csv", to_csv(rows)),
        ("JSON lines", "captions.jsonl", to_jsonl(rows)),
        ("A text file each", "captions.zip", to_texts(rows)),
        ("COCO results", "captions_results.json", to_coco(rows)),
    ]
    with st.container(horizontal=True):
        for label, name, content in files:
            st.download_button(
                label,
                content,
                file_name=name,
                icon=":material/download:",
                key=f"{page}.download.{name}",
                on_click="ignore",
            )


def _choose_rows(page: str, workspace: Workspace, *, singly: bool) -> tuple[str, list[Row]]:
    """Ask which rows to show, and whether the least sure ones come first: usual one by one.

    A corrected row stays in its place until another choice is made: the table identifies rows by
    their places.

    Returns:
        What identifies this choice of rows and their order, and the rows.
    """
    table = workspace.table.rows
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown = st.segmented_control(
            "Show", list(SHOWN), default="All", required=True, key=f"{page}.show"
        )
        name = "review_least_sure" if singly else "least_sure"
        first = st.toggle("Least sure first", value=singly, key=f"{page}.{name}")
    key = f"{shown}.{first}.{workspace.revision}.{len(table)}"
    kept_key, photos = st.session_state.get(f"{page}.view", ("", []))
    if kept_key != key:
        chosen = [row for row in table.values() if SHOWN[shown](row)]
        photos = [row.photo for row in (sorted(chosen, key=_sureness) if first else chosen)]
        st.session_state[f"{page}.view"] = key, photos
    return key, [table[photo] for photo in photos if photo in table]


def _sureness(row: Row) -> float:
    """Return the sort key of a row; rows without a model's caption come last."""
    if row.confidence is not None:
        return row.confidence
    return math.inf if row.log_prob is None else 1.0 + math.exp(row.log_prob)


def _edit(page: str, workspace: Workspace, choice: str, rows: Sequence[Row]) -> None:
    st.caption("Click a caption to correct it. It is then marked as written by a person.")
    key, table = f"{page}.table.{choice}", _table(workspace, rows)
    empty = [name for name in ("kind", "error") if not table[name].any()]
    st.data_editor(
        table,
        column_order=[name for name in table if name not in empty],
        column_config={
            "thumbnail": st.column_config.ImageColumn("", width="small"),
            "photo": st.column_config.TextColumn("Photo", disabled=True),
            "caption": st.column_config.TextColumn("Caption", width="large"),
            "level": st.column_config.TextColumn("How sure", disabled=True),
            "kind": st.column_config.TextColumn("Looks like", disabled=True),
            "by": st.column_config.TextColumn("By", disabled=True),
            "probability": st.column_config.TextColumn(
                "Probability", disabled=True, alignment="right"
            ),
            "error": st.column_config.TextColumn("Problem", disabled=True, width="medium"),
        },
        row_height=90,
        hide_index=True,
        key=key,
        on_change=_correct,
        args=(workspace, key, [row.photo for row in rows]),
    )


def _one_by_one(page: str) -> bool:
    chosen = st.segmented_control(
        "Show the photos",
        [_TABLE, _SINGLY],
        default=_TABLE,
        required=True,
        label_visibility="collapsed",
        key=f"{page}.layout",
    )
    return chosen == _SINGLY


def _offer_to_start_over(page: str, workspace: Workspace) -> None:
    with st.popover("Start over", icon=":material/delete:"):
        st.markdown(f"Delete all {counted(len(workspace.table.rows), 'row')} and corrections?")
        st.button(
            "Delete them",
            key=f"{page}.delete",
            on_click=start_over,
            args=(page, workspace),
        )


def _offer_to_replace(page: str, workspace: Workspace) -> None:
    with (
        st.expander("Find and replace in all captions", icon=":material/find_replace:"),
        st.form(f"{page}.replace_form", border=False, clear_on_submit=True),
    ):
        left, right = st.columns(2)
        words = left.text_input("Find these words", key=f"{page}.find")
        by = right.text_input("Replace them with", key=f"{page}.by")
        if st.form_submit_button("Replace", key=f"{page}.replace") and words.strip():
            count = workspace.table.replace(words, by)
            workspace.revision += 1
            st.toast(
                f"{counted(count, 'caption')} changed."
                if count
                else "No caption contains these words."
            )
            st.rerun()


def _show_changes(page: str, workspace: Workspace) -> None:
    """List the corrections, and offer to undo the last one."""
    changes = workspace.table.changes
    if not changes:
        return
    with st.expander(counted(len(changes), "correction"), icon=":material/history:"):
        st.button(
            "Undo the last one",
            icon=":material/undo:",
            key=f"{page}.undo",
            on_click=_undo,
            args=(workspace,),
        )
        st.table(
            {
                "Photo": [plain(change.before.photo) for change in changes[:_CHANGES]],
                "Before": [plain(change.before.caption) for change in changes[:_CHANGES]],
                "After": [plain(change.after.caption) for change in changes[:_CHANGES]],
                "By": [author_of(change) for change in changes[:_CHANGES]],
            },
            hide_index=True,
            border="horizontal",
        )


def _undo(workspace: Workspace) -> None:
    workspace.table.undo()
    workspace.revision += 1


def _work(
    page: str, album: Album, workspace: Workspace, bundle: Bundle, decoding: DecodingConfig
) -> None:
    captioner, rows = cache.captioner(bundle), workspace.table.rows
    bar, latest = st.progress(0.0, "Reading the first photos…"), st.empty()
    total, begun = len(album), time.monotonic()
    keep_workspace(page, workspace)

    def keep_small(name: str, photo: Image.Image) -> None:
        photo = photo.copy()
        photo.thumbnail(_THUMBNAIL)
        workspace.thumbnails[name] = as_jpeg(photo)

    written: list[Row] = []
    done = {photo.name for photo in album if photo.name in rows}
    for row in caption_album(captioner, album, decoding, done=done, on_read=keep_small):
        workspace.table.add(row)
        written.append(row)
        rate = len(written) / max(time.monotonic() - begun, 1e-9)
        left = (total - len(done) - len(written)) / rate
        bar.progress(
            (len(done) + len(written)) / total,
            f"{len(done) + len(written):,} of {total:,} photos, {rate:.1f} a second, "
            f"about {counted(math.ceil(left), 'second')} left",
        )
        with latest.container():
            for shown in written[: -_LATEST - 1 : -1]:
                st.markdown(f"{plain(shown.photo)}: **{plain(shown.caption or shown.error)}**")


def _correct(workspace: Workspace, key: str, photos: list[str]) -> None:
    """Store the captions that were typed into the table."""
    for place, changes in st.session_state[key]["edited_rows"].items():
        workspace.table.correct(photos[int(place)], changes.get("caption") or "")


def _table(workspace: Workspace, rows: Sequence[Row]) -> pd.DataFrame:
    small = workspace.thumbnails
    return pd.DataFrame(
        {
            "thumbnail": [as_url(small[row.photo]) if row.photo in small else None for row in rows],
            "photo": [row.photo for row in rows],
            "caption": [row.caption for row in rows],
            "level": [row.level for row in rows],
            "kind": ["" if row.kind == "photo" else row.kind for row in rows],
            "by": [row.by for row in rows],
            "probability": ["" if row.log_prob is None else percent(row.log_prob) for row in rows],
            "error": [row.error for row in rows],
        }
    )
