"""The two sides of a round: the teacher leads it through its phases, players write and vote."""

import secrets
from collections.abc import Callable
from functools import partial

import streamlit as st

from captioning.bundle import Bundle
from captioning.classroom import qr_code
from captioning.errors import CaptioningError
from captioning.play import PHASES, Entry, Pair, Round, Rounds, State
from pages.play.table import get_ready, show_results
from pages.ui import cache
from pages.ui.components import main_button, problem
from pages.ui.photos import bring_photos, choose_source
from pages.ui.pictures import Picture, true_sentences
from pages.ui.rights import is_teacher
from pages.ui.wording import counted, plain

ME, REFUSED = "play.me", "play.refused"
_TEACHER_SECONDS, _PLAYER_SECONDS = 2.0, 4.0  # between updates
_MODELS = 2
_NEXT = {"write": "Start voting", "vote": "Show the results"}


def begin() -> None:
    """Ask for a photo, a person's caption and two models, and open a round."""
    if not is_teacher():
        st.info("The teacher opens a round. Ask for its link.", icon=":material/key:")
        return
    models = cache.models()
    pictures = bring_photos("play", choose_source("play"))
    if not pictures:
        return
    picture = pictures[0]
    copy, width = cache.preview(picture.data, picture.name)
    known = _references(picture)
    left, right = st.columns([2, 3], gap="medium")
    left.image(copy, width=width, alt=f"The photo {picture.name}")
    with right:
        person = st.text_input(
            "A person's caption, hidden among the others",
            known[0] if known else "",
            max_chars=200,
            key=f"play.person.{picture.name}",
        )
        chosen = st.pills(
            f"Models that play (at most {_MODELS})",
            list(models),
            selection_mode="multi",
            default=list(models)[:_MODELS],
            key="play.models",
        )
        if st.button(
            **main_button("Open the round"),
            icon=":material/play_arrow:",
            disabled=not person.strip(),
            key="play.open",
        ):
            _open(picture, copy, person, [models[name] for name in chosen[:_MODELS]], known[1:])


def lead(round_: Round, key: str) -> None:
    """Show the link for the class, the progress, and the button to the next phase.

    Raises:
        PlayError: the key is not this round's.
    """
    round_.check(key)
    st.image(round_.photo, width=420, alt="The photo of this round")
    _panel(round_, key)


@st.fragment(run_every=_TEACHER_SECONDS)
def _panel(round_: Round, key: str) -> None:
    """Draw everything that changes while the class plays."""
    try:
        state = round_.state()
        if state.phase == "results":
            show_results(round_, state)
            if st.button("New round", icon=":material/add:", key="play.again"):
                st.query_params.clear()
                st.rerun()
            return
        _invite(round_)
        _progress(state)
        st.button(
            **main_button(_NEXT[state.phase]),
            icon=":material/arrow_forward:",
            key="play.next",
            on_click=_do,
            args=(partial(round_.move_to, PHASES[PHASES.index(state.phase) + 1], key),),
        )
        if state.phase == "vote":
            get_ready()
    except CaptioningError as error:
        problem(error)


def _invite(round_: Round) -> None:
    st.markdown("**The link for the class.** Players open it on their own devices:")
    address = (st.context.url or "").split("?")[0]
    link = f"{address}?play.round={round_.name}"
    st.code(link, language=None, wrap_lines=True)
    st.image(qr_code(link), width=240, alt="QR code of the link")
    if "//127.0.0.1" in address or "//localhost" in address:
        st.warning(
            "This link works on this computer only. Start the app with `make class` and open "
            "this page at the address that it prints.",
            icon=":material/wifi_off:",
        )
    st.caption(
        "Keep the address of this page secret: whoever has it leads the round. A reload "
        "brings you back here."
    )


def _progress(state: State) -> None:
    with st.container(horizontal=True):
        st.metric("Captions of the class", len(_players(state)))
        if state.phase == "vote":
            voters = {voter for voter, _, _ in state.votes}
            st.metric("Votes", len(state.votes))
            st.metric("Players who voted", len(voters))
    names = ", ".join(plain(name) for name in _players(state))
    st.caption(
        f"{counted(len(_players(state)), 'player')}: {names}" if names else "No players yet."
    )


def _players(state: State) -> list[str]:
    return [entry.author for entry in state.entries.values() if entry.kind == "player"]


def _references(picture: Picture) -> tuple[str, ...]:
    """Return what people wrote about a photo of the app or of the current data set."""
    sample = true_sentences(picture.name.removesuffix(".jpg"))
    if sample:
        return sample
    try:
        dataset = cache.gallery()
        return dataset[picture.name].captions if picture.name in dataset else ()
    except CaptioningError:
        return ()


def _open(
    picture: Picture,
    photo: bytes,
    person: str,
    models: list[Bundle],
    references: tuple[str, ...],
) -> None:
    try:
        entries = [("person", "a person", person)]
        for bundle in models:
            caption = cache.caption(bundle, picture.data, picture.name, bundle.decoding)
            entries.append(("model", bundle.name, caption.text))
        round_ = Rounds().create(photo, entries, references=references)
    except CaptioningError as error:
        problem(error)
        return
    st.query_params.clear()
    st.query_params.update({"play.round": round_.name, "play.teacher": round_.teacher})
    st.rerun()


def play(round_: Round) -> None:
    """Show what a player has to do now; the page follows the teacher by itself."""
    me = st.query_params.get(ME)
    if me is None:
        # In the address, so that a reload finds the player again.
        st.query_params[ME] = me = secrets.token_urlsafe(9)
    st.image(round_.photo, width=520, alt="The photo of this round")
    _turn(round_, me)


@st.fragment(run_every=_PLAYER_SECONDS)
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
