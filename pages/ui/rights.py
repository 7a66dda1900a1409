"""What the person at this browser may do: a visitor can harm nobody."""

import time
from contextlib import AbstractContextManager

import streamlit as st

from captioning import classroom
from captioning.errors import RunError
from captioning.runs import Estimate, Run, Runs

_TEACHER = "rights.teacher"
_PAUSE_SECONDS = 1.0


def is_teacher() -> bool:
    """Return whether this browser entered the teacher's key, or nobody else can reach the app."""
    return not classroom.is_visited() or bool(st.session_state.get(_TEACHER))


def ask_for_key() -> None:
    """Let the teacher of a class server enter the key, at the end of the sidebar."""
    if not classroom.is_visited():
        return
    with st.sidebar:
        if is_teacher():
            st.caption(":material/verified_user: You have the teacher's rights.")
            address = classroom.visitors_address()
            if address and st.button(
                "Address for the class", icon=":material/qr_code:", key="rights.address"
            ):
                _show_address(address)
            return
        with st.popover("Teacher", icon=":material/key:"), st.form("rights.form", border=False):
            key = st.text_input("The teacher's key", type="password", key="rights.key")
            if st.form_submit_button("Enter", key="rights.enter"):
                _enter(key)


@st.dialog("Address for the class", width="large")
def _show_address(address: str) -> None:
    """Show the address that visitors open, and its QR code, to project."""
    st.title(address, anchor=False)
    st.image(classroom.qr_code(address), width=480, alt=f"QR code of {address}")


def may_change(run: Run) -> bool:
    """Return whether this person may stop or delete a run: a visitor only their own."""
    return is_teacher() or classroom.visitor_of(run) == _visitor()


def origin() -> dict[str, str] | None:
    """Return what a run of this person stores about its owner; None for the teacher."""
    return None if is_teacher() else {"visitor": _visitor()}


def within_quota(runs: Runs, needs: Estimate) -> AbstractContextManager[None]:
    """Make sure that this visitor may start a run with these needs; start it in the block.

    Raises:
        RunError: the quota does not allow it.
    """
    return classroom.within_quota(runs, _visitor(), needs)


def require_teacher(action: str) -> None:
    """Make sure that this person has the teacher's rights.

    Raises:
        RunError: they are a visitor.
    """
    if not is_teacher():
        raise RunError(f"Only the teacher can {action} on a class server.")


def _enter(key: str) -> None:
    if classroom.is_teachers_key(key):
        st.session_state[_TEACHER] = True
        st.rerun()
    time.sleep(_PAUSE_SECONDS)  # slows down guessing
    st.error("This is not the teacher's key.")


def _visitor() -> str:
    """Return the address that this browser connects from; reloading the page does not change it."""
    return st.context.ip_address or "this machine"
