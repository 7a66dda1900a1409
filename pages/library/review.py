"""Review the captions of many photos one by one, with the keyboard alone if wanted."""

from collections.abc import Sequence

import streamlit as st

from captioning.batch import PERSON, Album, Change, Corrections, Row
from captioning.errors import CaptioningError
from pages.library.workspace import Workspace
from pages.ui import cache
from pages.ui.captions import LOOKS_LIKE
from pages.ui.components import main_button, problem
from pages.ui.wording import plain


def review(page: str, workspace: Workspace, rows: Sequence[Row], album: Album) -> None:
    """Show one photo with its caption to accept or correct, and the way to the next one.

    Args:
        page: for keys.
        workspace: the table that keeps the answers.
        rows: to review, in order.
        album: the uploaded photos.
    """
    rows = [row for row in rows if not row.error]
    if not rows:
        st.info("No caption of this kind is left. Choose others under Show.")
        return
    place = min(st.session_state.get(_place(page), 0), len(rows) - 1)
    row, table = rows[place], workspace.table
    checked = sum(one.photo in table.accepted or one.by == PERSON for one in rows)
    st.progress(checked / len(rows), f"{checked:,} of {len(rows):,} captions checked")
    left, right = st.columns([2, 3], gap="medium")
    with left:
        _show_photo(workspace, row, album)
    with right:
        st.caption(
            f"Photo {place + 1:,} of {len(rows):,}: {plain(row.photo)}. {_state(table, row)}"
        )
        if row.kind in LOOKS_LIKE:
            st.warning(LOOKS_LIKE[row.kind], icon=":material/image_not_supported:")
        _ask(page, workspace, row, place)
        _history(row, table.history(row.photo))


def author_of(change: Change) -> str:
    """Return how a correction was made, for a table of corrections."""
    return "find and replace" if change.replaced else "a person"


def _ask(page: str, workspace: Workspace, row: Row, place: int) -> None:
    """Ask for the right caption; Enter in the text field accepts or corrects, and goes on."""
    key = f"{page}.review"
    # One key for all photos, so that the text field keeps the keyboard's focus.
    if st.session_state.get(f"{key}.of") != (row.photo, row.caption) or key not in st.session_state:
        st.session_state[f"{key}.of"] = (row.photo, row.caption)
        st.session_state[key] = row.caption
    with st.form(f"{key}.form", border=False):
        st.text_input("Caption", key=key, max_chars=300)
        st.form_submit_button(
            **main_button("Accept and next"),
            icon=":material/check:",
            key=f"{key}.accept",
            on_click=_answer,
            args=(page, workspace, row.photo, place),
        )
    with st.container(horizontal=True):
        for label, step, shortcut in (("Previous", -1, "Alt+Up"), ("Next", 1, "Alt+Down")):
            st.button(
                label,
                key=f"{page}.review.{label.lower()}",
                shortcut=shortcut,
                on_click=_go,
                args=(page, place + step),
            )
    st.caption(
        "Press Enter in the text field to accept the caption as it is, or to save your change, and "
        "to go to the next photo."
    )


def _answer(page: str, workspace: Workspace, photo: str, place: int) -> None:
    """Store the answer about a photo, and go to the next one."""
    if not workspace.table.correct(photo, st.session_state[f"{page}.review"]):
        workspace.table.accept(photo)
    _go(page, place + 1)


def _go(page: str, place: int) -> None:
    st.session_state[_place(page)] = max(0, place)


def _place(page: str) -> str:
    return f"{page}.review.place"


def _show_photo(workspace: Workspace, row: Row, album: Album) -> None:
    """Show a photo large if it is still uploaded, else its small copy."""
    found = next((photo for photo in album if photo.name == row.photo), None)
    try:
        small = workspace.thumbnails.get(row.photo)
        shown = cache.preview(found.read(), row.photo)[0] if found else small
    except CaptioningError as error:
        problem(error)
        return
    if shown is None:
        st.caption("Upload the photo again to see it here.")
    else:
        st.image(shown, alt=f"The photo {row.photo}")


def _state(table: Corrections, row: Row) -> str:
    if row.by == PERSON:
        return "Corrected."
    if row.photo in table.accepted:
        return "Accepted."
    return f"The model is {row.level}." if row.level else ""


def _history(row: Row, changes: Sequence[Change]) -> None:
    """List how the caption of one photo came about: the model, a person, or find and replace."""
    if not changes:
        return
    first = changes[0].before
    st.table(
        {
            "History": [plain(first.caption), *(plain(c.after.caption) for c in changes)],
            "By": [plain(first.by), *map(author_of, changes)],
        },
        hide_index=True,
        border="horizontal",
    )
