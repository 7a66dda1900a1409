"""Get data: download Flickr8k with its progress, add a folder, check what is there."""

from collections.abc import Sequence

import streamlit as st

from captioning.classroom import allowed_folder
from captioning.datasets import verify
from captioning.datasets.catalog import available_datasets
from captioning.datasets.download import (
    DownloadState,
    by_hand,
    download_state,
    install_folder,
    start_download,
    stop_download,
)
from captioning.errors import CaptioningError
from pages.ui.components import main_button, problem
from pages.ui.datasets import Explored, describe, forget_data
from pages.ui.progress import with_progress
from pages.ui.rights import is_teacher
from pages.ui.wording import plain

_ENCODINGS = {
    "": "Detect it",
    "utf-8": "UTF-8",
    "cp1252": "Western Europe (cp1252)",
    "cp1250": "Central Europe (cp1250)",
    "cp1251": "Cyrillic (cp1251)",
    "cp1253": "Greek (cp1253)",
    "cp1254": "Turkish (cp1254)",
    "cp1255": "Hebrew (cp1255)",
    "cp1256": "Arabic (cp1256)",
    "cp874": "Thai (cp874)",
    "gb18030": "Simplified Chinese (gb18030)",
    "big5": "Traditional Chinese (big5)",
    "cp932": "Japanese (cp932)",
    "cp949": "Korean (cp949)",
}


def list_data() -> None:
    """List the data sets on this computer."""
    available = available_datasets()
    if not available:
        st.caption("None yet: the pages show drawn shapes.")
        return
    st.table(
        {
            "name": [plain(data.name) for data in available],
            "kind": [plain(data.kind) for data in available],
            **({"folder": [plain(str(d.folder)) for d in available]} if is_teacher() else {}),
        },
        hide_index=True,
        border="horizontal",
    )


def fetch(page: str) -> None:
    """Offer to download Flickr8k, or show the progress."""
    state = download_state()
    if state.running:
        _watch(page)
        return
    here = any(data.kind == "flickr8k" for data in available_datasets())
    if here:
        st.caption(":material/check: Flickr8k is here.")
    if not here or state.status == "done":  # an earlier failure no longer matters
        _outcome(state)
    if here:
        return
    if not is_teacher():
        st.caption("The teacher can fetch Flickr8k for this server.")
        return
    if st.button(
        **main_button("Get Flickr8k (1.1 GB)"),
        icon=":material/download:",
        key=f"{page}.fetch",
    ):
        try:
            start_download()
        except CaptioningError as error:
            problem(error)
            st.stop()
        st.rerun()
    st.caption("From Kaggle, no account needed. Closing this page does not stop it.")


def folder_form(page: str) -> None:
    """Let the teacher name a folder on this server, check it, and remember it."""
    if not is_teacher():
        return
    with st.form(f"{page}.folder_form", border=False):
        path = st.text_input(
            "A folder on this server with photos and their captions",
            placeholder="/data/flickr8k",
            key=f"{page}.folder",
        )
        encoding = st.selectbox(
            "Encoding of the captions",
            _ENCODINGS,
            format_func=lambda name: _ENCODINGS[name],
            key=f"{page}.encoding",
            help="In most cases it is detected. Choose one if letters look wrong.",
        )
        if st.form_submit_button("Check and use it", key=f"{page}.use"):
            _use(path, encoding or None)
    with st.expander("Without a network", icon=":material/cloud_off:"):
        st.markdown(plain(by_hand()))


def report_on(page: str, explored: Explored) -> None:
    """Describe a data set and its problems, and offer to open every photo."""
    st.markdown(f"**{describe(explored.dataset)}**")
    st.markdown(_lines(explored.dataset.sentences()))
    if st.button("Open every photo", icon=":material/fact_check:", key=f"{page}.verify"):
        checked = with_progress(
            "Opening every photo…", lambda report: verify(explored.dataset, report)
        )
        st.markdown(_lines(checked.sentences()))


def _use(path: str, encoding: str | None) -> None:
    try:
        installed = with_progress(
            "Reading the folder…", lambda report: install_folder(allowed_folder(path), encoding)
        )
        forget_data()
    except CaptioningError as error:
        problem(error)
        return
    st.success(_lines(installed.sentences()))
    root = installed.dataset.root.absolute()
    for data in available_datasets():
        if data.folder.absolute() == root:
            st.page_link(
                "pages/train/new.py",
                label="Train a model on it",
                icon=":material/model_training:",
                query_params={"new.preset": f"Your photos: {data.name}"},
            )


@st.fragment(run_every=1.0)
def _watch(page: str) -> None:
    state = download_state()
    if not state.running:
        forget_data()
        st.rerun()
    progress = state.progress
    share = None if progress is None else progress.fraction
    st.progress(share or 0.0, text=progress.sentence() if progress else "Starting…")
    if is_teacher():
        st.button("Stop", icon=":material/stop:", key=f"{page}.stop", on_click=stop_download)


def _outcome(state: DownloadState) -> None:
    if not is_teacher():
        return  # it names folders
    if state.status in ("failed", "stopped"):
        show = st.error if state.status == "failed" else st.info
        show(plain(state.message))
    elif state.status == "done":
        st.success(plain(state.message))


def _lines(sentences: Sequence[str]) -> str:
    return "  \n".join(map(plain, sentences))
