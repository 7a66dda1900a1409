"""A player's side of a round: write, compare pairs, recognise machines, see the results."""

import secrets
from collections.abc import Callable
from functools import partial

import streamlit as st

from captioning.errors import CaptioningError
from captioning.play import Entry, Pair, Round, State
from pages.play.table import show_results
from pages.ui.components import main_button, problem
from pages.ui.wording import plain

ME, REFUSED = "play.me", "play.refused"
_EVERY_SECONDS = 4.0


def play(round_: Round) -> None:
    """Show what a player has to do now; the page follows the teacher by itself."""
    me = st.query_params.get(ME)
    if me is None:
        # In the address, so that a reload finds the player again.
        st.query_params[ME] = me = secrets.token_urlsafe(9)
    st.image(round_.photo, width=520, alt="The photo of this round")
    _turn(round_, me)


@st.fragment(run_every=_EVERY_SECONDS)
def _turn(round_: Round, me: str) -> None:
    """Draw the whole turn, also when nothing has changed.

    On a busy server Streamlit may lose what a click has drawn, if this timer's next request comes
    just then (docs/adr/0041).  Four seconds later the player sees it.
    """
    try:
        state = round_.state()
        match state.phase:
            case "write":
                _write(round_, state, me)
            case "vote":
                _judge(round_, state, me)
            case _:
                show_results(round_, state, me=me)
    except CaptioningError as error:
        problem(error)


def _write(round_: Round, state: State, me: str) -> None:
    own = state.entry_of(me)
    with st.form("play.write", border=False):
        st.text_input(
            "Your name, or a nickname", own.author if own else "", max_chars=30, key="play.name"
        )
        st.text_input(
            "What does the photo show? One sentence.",
            own.text if own else "",
            max_chars=200,
            key="play.text",
        )
        st.form_submit_button(
            **main_button("Change my caption" if own else "Send my caption"),
            key="play.send",
            on_click=partial(_send, round_, me),
        )
    refused = st.session_state.get(REFUSED)
    if refused is not None:
        problem(refused)
    if own is not None:
        st.success(f"Your caption: {plain(own.text)}. The teacher starts the voting.")


def _send(round_: Round, me: str) -> None:
    st.session_state[REFUSED] = None
    try:
        round_.write(me, st.session_state["play.name"], st.session_state["play.text"])
    except CaptioningError as error:
        st.session_state[REFUSED] = error


def _judge(round_: Round, state: State, me: str) -> None:
    """Ask for the better of two captions until enough were compared, then for machines."""
    pair = _pair(round_, state, me)
    if pair is not None:
        st.subheader("Which caption is better?", anchor=False)
        for entry, other in ((pair.first, pair.second), (pair.second, pair.first)):
            _choice(
                entry.text, f"play.vote.{entry.id}", partial(round_.vote, me, entry.id, other.id)
            )
        st.caption(f"Comparison {state.votes_of(me) + 1}. Names and your own caption are hidden.")
        return
    asked = round_.next_guess(me, state)
    if asked is not None:
        _ask_who_wrote(round_, asked, me)
        return
    st.success("You have finished. The teacher shows the results to everybody.")


def _pair(round_: Round, state: State, me: str) -> Pair | None:
    """Return the pair to compare: the same until the player votes, whatever others vote."""
    asked = (round_.name, me, state.votes_of(me))
    kept = st.session_state.get("play.pair")
    if kept is None or kept[0] != asked:
        kept = st.session_state["play.pair"] = (asked, round_.next_pair(me, state))
    pair: Pair | None = kept[1]
    return pair


def _ask_who_wrote(round_: Round, entry: Entry, me: str) -> None:
    st.subheader("A person or a machine?", anchor=False)
    st.markdown(f"#### {plain(entry.text)}")
    for label, machine in (("A person wrote this", False), ("A machine wrote this", True)):
        guess = partial(round_.guess, me, entry.id, machine=machine)
        _choice(label, f"play.guess.{entry.id}.{machine}", guess)


def _choice(label: str, key: str, act: Callable[[], object]) -> None:
    st.button(plain(label), key=key, width="stretch", on_click=_do, args=(act,))


def _do(act: Callable[[], object]) -> None:
    try:
        act()
    except CaptioningError as error:
        st.toast(plain(str(error)), icon=":material/error:")
