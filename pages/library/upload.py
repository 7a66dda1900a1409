"""Photos and zips of photos that a visitor uploads."""

import io

import streamlit as st

from captioning.batch import AlbumPhoto, open_album, told_apart
from captioning.errors import CaptioningError
from pages.ui.components import problem
from pages.ui.photos import PHOTO_TYPES

FILES, FOLDER = "Files or zips", "A folder"


def bring_album(page: str) -> list[AlbumPhoto]:
    """Let a person upload photos and zips of photos, or a whole folder."""
    way = st.segmented_control(
        "What to upload",
        [FILES, FOLDER],
        default=FILES,
        required=True,
        label_visibility="collapsed",
        key=f"{page}.upload_way",
    )
    folder = way == FOLDER
    files = st.file_uploader(
        "A folder of photos, with the folders in it" if folder else "Photos, or a zip of photos",
        type=(*PHOTO_TYPES, ".zip"),
        accept_multiple_files="directory" if folder else True,
        key=f"{page}.folder" if folder else f"{page}.upload",
        help="They stay in this server's memory until you leave; the captions stay longer.",
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
