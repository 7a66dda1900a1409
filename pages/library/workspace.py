"""Many photos: those that a visitor uploads, and their captions, which the address finds again."""

import io
import secrets
from dataclasses import dataclass, field

import streamlit as st

from captioning.batch import AlbumPhoto, Corrections, open_album, told_apart
from captioning.errors import CaptioningError
from pages.ui.cache import Memory
from pages.ui.components import problem
from pages.ui.photos import PHOTO_TYPES

_MOST = 32
"""Tables kept on the server, those of closed tabs included; the least recently used is dropped."""
FILES, FOLDER = "Files or zips", "A folder"


@dataclass
class Workspace:
    """The captions of many photos.

    Attributes:
        table: the captions and their corrections.
        thumbnails: small copies of the photos as JPEG, by photo.
        revision: counts what changed the captions other than typing into the table.
        name: part of the address; long and random, so other visitors cannot guess it.
    """

    table: Corrections = field(default_factory=Corrections)
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    revision: int = 0
    name: str = field(default_factory=lambda: secrets.token_urlsafe(12))


def open_workspace(page: str) -> Workspace:
    """Return the table that the address names, else the one of this session, else a new one."""
    named = _kept().get(st.query_params.get(_link(page)) or "")
    found: Workspace = named or st.session_state.get(_link(page)) or Workspace()
    st.session_state[_link(page)] = found
    if found.table.rows:
        keep_workspace(page, found)
    return found


def keep_workspace(page: str, workspace: Workspace) -> None:
    """Keep a table on the server, and name it in the address."""
    _kept().put(workspace.name, workspace)
    st.query_params[_link(page)] = workspace.name


def start_over(page: str, workspace: Workspace) -> None:
    """Delete all captions and corrections."""
    workspace.table.clear()
    workspace.thumbnails.clear()
    st.query_params.pop(_link(page), None)


def _link(page: str) -> str:
    return f"{page}.session"


@st.cache_resource(max_entries=1, show_spinner=False)
def _kept() -> Memory[Workspace]:
    return Memory(_MOST)


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
