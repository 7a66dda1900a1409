"""The published models: where each comes from, and how to rename or unpublish it."""

from collections.abc import Callable

import streamlit as st

from captioning.bundle import Bundle, find_bundles, rename_bundle, unpublish_bundle
from captioning.errors import CaptioningError
from pages.ui import cache
from pages.ui.captions import say_publication
from pages.ui.components import problem
from pages.ui.rights import is_teacher
from pages.ui.wording import plain

__all__ = ["show_published"]


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
