"""Many photos on a page: bringing them, captioning them, correcting the table, taking it along."""

import base64
import io
import math
import time
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st
from PIL import Image

from captioning.batch import (
    PERSON,
    Album,
    AlbumPhoto,
    Row,
    caption_album,
    open_album,
    to_coco,
    to_csv,
    to_jsonl,
    to_texts,
    told_apart,
)
from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.errors import CaptioningError
from captioning.image_formats import ENDINGS
from pages.ui import cache
from pages.ui.components import main_button, problem
from pages.ui.pictures import as_jpeg
from pages.ui.wording import counted, percent, plain

__all__ = ["bring_album", "caption_photos", "correct_rows", "take_along"]

_ENDINGS = (*ENDINGS, ".zip")
_THUMBNAIL = (112, 84)
_LATEST = 6


def bring_album(page: str) -> list[AlbumPhoto]:
    """Let a person bring photos and zips of photos."""
    files = st.file_uploader(
        "Photos, or a zip of photos",
        type=_ENDINGS,
        accept_multiple_files=True,
        key=f"{page}.upload",
        help="They stay in this server's memory until you remove them or leave.",
    )
    album: list[AlbumPhoto] = []
    for file in files:
        if not file.name.lower().endswith(".zip"):
            album.append(AlbumPhoto(file.name, file.getvalue))
            continue
        try:
            album += open_album(io.BytesIO(file.getbuffer()))
        except CaptioningError as error:
            problem(error)
    return told_apart(album)


def caption_photos(page: str, album: Album, bundle: Bundle, decoding: DecodingConfig) -> None:
    """Offer to caption the photos that have no row yet, and show how far it has come.

    Whatever else the person does stops the work; the rows written stay, and it can go on.
    """
    rows = _rows(page)
    if not album and not rows:
        st.caption("Choose all photos of a folder at once, or the zip of a folder.")
        return
    left = sum(photo.name not in rows for photo in album)
    with st.container(horizontal=True, vertical_alignment="center"):
        start = st.button(
            **main_button(f"Caption {counted(left, 'photo')}" if left else "All photos have a row"),
            disabled=not left,
            key=f"{page}.start",
        )
        if rows and st.button("Begin anew", type="tertiary", key=f"{page}.anew"):
            rows.clear()
            st.rerun()
    if not start:
        return
    try:
        _work(page, album, bundle, decoding)
    except CaptioningError as error:
        problem(error)
    else:
        st.rerun()


def correct_rows(page: str, album: Album) -> list[Row]:
    """Show the rows of the photos at hand as a table whose captions can be corrected.

    Returns:
        The rows, in the order of the photos.
    """
    known = _rows(page)
    rows = [known[photo.name] for photo in album if photo.name in known]
    if not rows:
        return []
    failed, by_hand = sum(bool(row.error) for row in rows), sum(row.by == PERSON for row in rows)
    st.caption(
        counted(len(rows) - failed, "caption")
        + (f", {counted(failed, 'file')} that could not be read" if failed else "")
        + (f", {by_hand:,} corrected by hand" if by_hand else "")
        + ". Click a caption to correct it; it is then marked as a person's."
    )
    st.data_editor(
        _table(page, rows),
        column_config={
            "thumbnail": st.column_config.ImageColumn("", width="small"),
            "photo": st.column_config.TextColumn("Photo", disabled=True),
            "caption": st.column_config.TextColumn("Caption", width="large"),
            "by": st.column_config.TextColumn("By", disabled=True),
            "probability": st.column_config.TextColumn(
                "Probability", disabled=True, alignment="right"
            ),
            "error": st.column_config.TextColumn("Why not", disabled=True, width="medium"),
        },
        row_height=90,
        hide_index=True,
        key=f"{page}.table",
        on_change=_correct,
        args=(page, [row.photo for row in rows]),
    )
    return rows


def take_along(page: str, rows: Sequence[Row]) -> None:
    """Offer the rows as files."""
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


def _work(page: str, album: Album, bundle: Bundle, decoding: DecodingConfig) -> None:
    captioner, rows, thumbnails = cache.captioner(bundle), _rows(page), _thumbnails(page)
    bar, latest = st.progress(0.0, "Reading the first photos…"), st.empty()
    total, begun = len(album), time.monotonic()

    def keep_small(name: str, photo: Image.Image) -> None:
        photo = photo.copy()
        photo.thumbnail(_THUMBNAIL)
        thumbnails[name] = as_jpeg(photo)

    written: list[Row] = []
    done = {photo.name for photo in album if photo.name in rows}
    for row in caption_album(captioner, album, decoding, done=done, on_read=keep_small):
        rows[row.photo] = row
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


def _correct(page: str, photos: list[str]) -> None:
    """Take over what was typed into the table."""
    rows = _rows(page)
    for place, changes in st.session_state[f"{page}.table"]["edited_rows"].items():
        caption = (changes.get("caption") or "").strip()
        row = rows[photos[int(place)]]
        if caption and caption != row.caption:
            rows[row.photo] = row.corrected(caption)


def _table(page: str, rows: Sequence[Row]) -> pd.DataFrame:
    thumbnails = _thumbnails(page)
    return pd.DataFrame(
        {
            "thumbnail": [_as_link(thumbnails.get(row.photo)) for row in rows],
            "photo": [row.photo for row in rows],
            "caption": [row.caption for row in rows],
            "by": [row.by for row in rows],
            "probability": ["" if row.log_prob is None else percent(row.log_prob) for row in rows],
            "error": [row.error for row in rows],
        }
    )


def _as_link(jpeg: bytes | None) -> str | None:
    return None if jpeg is None else "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _rows(page: str) -> dict[str, Row]:
    return st.session_state.setdefault(f"{page}.rows", {})  # type: ignore[no-any-return]


def _thumbnails(page: str) -> dict[str, bytes]:
    return st.session_state.setdefault(f"{page}.thumbnails", {})  # type: ignore[no-any-return]
