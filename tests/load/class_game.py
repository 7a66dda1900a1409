"""Let a class play a round of the game at once; see what arrives and how soon.

    python tests/load/class_game.py --players 30

A teacher and the players are WebSocket connections, as a browser opens them, to an app of its own:
all write a caption, compare captions, guess who wrote what, and see the results.  Every third
player reloads the page after writing, and has to find name and caption again.  Printed at the end:
the answers that arrived, the time from a player's click to the next question, the time until a
player sees what the teacher started, and the server's CPU time and memory.  The exit status is 1 if
an answer is missing.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from sessions import ROOT, serve
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

sys.path.insert(0, str(ROOT))

from captioning.play import Round, Rounds
from captioning.play.rounds import PLAYERS_GUESSED, VOTES_EACH

PHOTO = ROOT / "assets" / "photos" / "dogs.jpg"
GIVEN = [
    ("person", "a person", "Two brown dogs look out of a window."),
    ("model", "first model", "A brown dog is standing in front of a building."),
    ("model", "second model", "Two dogs are playing with each other."),
]
GUESSES_EACH = len(GIVEN) + PLAYERS_GUESSED
PATIENCE, LONGEST_PHASE = 120.0, 1200.0


def opened(url: str) -> connect:
    """Connect as a browser does; a busy server may be silent for long."""
    return connect(url, max_size=None, subprotocols=["streamlit"], ping_interval=None)


@dataclass(frozen=True)
class Shown:
    """An element of the page, and the fragment that draws it."""

    element: Element
    fragment: str


class Tab:
    """The page of the game in a browser's tab: what it shows, and clicks on it."""

    def __init__(self, connection: ClientConnection, query: str) -> None:
        """Show nothing yet; `query` is the part of the address after the question mark."""
        self.connection, self.query = connection, query
        self.shown: dict[tuple[int, ...], Shown] = {}
        self.texts: dict[str, str] = {}
        self.fault = self.page = ""
        self._changed = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())
        self._repeats: dict[str, asyncio.Task[None]] = {}

    async def rerun(self, *, click: str = "", fragment: str = "", auto: bool = False) -> None:
        """Ask the server to run the page, or one fragment, with the texts typed so far."""
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string = self.query
        if self.page:
            asked.page_script_hash = self.page
        else:
            asked.page_name = "play"
        asked.fragment_id, asked.is_auto_rerun = fragment, auto
        for name, text in self.texts.items():
            asked.widget_states.widgets.add(id=name, string_value=text)
        if click:
            asked.widget_states.widgets.add(id=click, trigger_value=True)
        await self.connection.send(message.SerializeToString())

    async def click(self, name: str) -> None:
        """Click a button."""
        fragment = next(s.fragment for s in self.shown.values() if s.element.button.id == name)
        await self.rerun(click=name, fragment=fragment)

    async def until(self, seen: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Wait until the page shows something."""
        async with asyncio.timeout(seconds):
            while not seen():
                if self.fault:
                    raise RuntimeError(self.fault)
                self._changed.clear()
                await self._changed.wait()

    def elements(self, kind: str) -> list[Element]:
        """Return the elements of a kind in the order of the page."""
        return [s.element for _, s in sorted(self.shown.items()) if s.element.HasField(kind)]

    def typed(self) -> list[str]:
        """Return what the text fields contain when the page opens."""
        return [element.text_input.default for element in self.elements("text_input")]

    def ids(self, kind: str, key: str) -> list[str]:
        """Return the ids of the widgets of a kind that have the key, in the order of the page."""
        ids = [getattr(element, kind).id for element in self.elements(kind)]
        return [name for name in ids if key in name]

    def alerts(self) -> str:
        """Return the texts of all messages."""
        return " ".join(element.alert.body for element in self.elements("alert"))

    def close(self) -> None:
        """Stop listening."""
        for task in (self._listening, *self._repeats.values()):
            task.cancel()

    async def _listen(self) -> None:
        try:
            await self._receive()
        except Exception as error:  # whoever waits for the page has to learn of it
            self.fault = f"the connection broke: {error!r}"
        self._changed.set()

    async def _receive(self) -> None:
        drawn: dict[tuple[int, ...], Shown] = {}
        async for data in self.connection:
            answer = ForwardMsg.FromString(data)
            match answer.WhichOneof("type"):
                case "navigation":
                    self.page = answer.navigation.page_script_hash
                case "new_session":
                    drawn = {}
                case "delta":
                    place = tuple(answer.metadata.delta_path)
                    drawn[place] = Shown(answer.delta.new_element, answer.delta.fragment_id)
                    self.fault = self.fault or answer.delta.new_element.exception.message
                case "auto_rerun":
                    name, seconds = answer.auto_rerun.fragment_id, answer.auto_rerun.interval
                    if name not in self._repeats:
                        self._repeats[name] = asyncio.create_task(self._repeat(name, seconds))
                case "script_finished":
                    self._show(drawn, answer.script_finished)

    def _show(self, drawn: dict[tuple[int, ...], Shown], status: int) -> None:
        """Show what a run has drawn instead of the page, or instead of what its fragment drew."""
        if status == ForwardMsg.FINISHED_SUCCESSFULLY:
            self.shown = drawn
        elif status == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
            old = {shown.fragment for shown in drawn.values()}
            self.shown = {p: s for p, s in self.shown.items() if s.fragment not in old} | drawn
        self._changed.set()

    async def _repeat(self, fragment: str, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self.rerun(fragment=fragment, auto=True)


class Player:
    """A pupil who thinks for some seconds before each answer.

    Attributes:
        waits: seconds from each answer to the next question.
        saw: when each phase after the first was seen.
    """

    def __init__(self, url: str, round_: Round, number: int) -> None:
        """Join a round; the number is part of the name."""
        self.url, self.number, self.draw = url, number, random.Random(number)
        self.query = f"play.round={round_.name}&play.me=player{number:06}"
        self.written: list[str] = []
        self.waits: list[float] = []
        self.saw: dict[str, float] = {}

    async def play(self) -> None:
        """Play from the first page to the results."""
        async with opened(self.url) as connection:
            tab = await self._open(connection)
            await self._write(tab)
            if self.number % 3:
                await self._finish(tab)
            tab.close()
        if self.number % 3 == 0:
            async with opened(self.url) as connection:  # the address knows who plays
                tab = await self._open(connection)
                await tab.until(lambda: tab.ids("button", "play."))
                if tab.typed() and tab.typed() != self.written:
                    raise RuntimeError(f"{self.written} became {tab.typed()} after a reload")
                await self._finish(tab)
                tab.close()

    async def _write(self, tab: Tab) -> None:
        await tab.until(lambda: tab.ids("button", "play.send"))
        (name,), (text,) = tab.ids("text_input", "play.name"), tab.ids("text_input", "play.text")
        what = self.draw.choice(["two dogs", "two brown dogs", "a pair of dogs", "dogs"])
        where = self.draw.choice(["at a window", "by a white house", "looking outside"])
        self.written = [f"Player {self.number}", f"{what} {where}"]
        tab.texts = dict(zip((name, text), self.written, strict=True))
        await self._answer(tab, "play.send", lambda: "Your caption:" in tab.alerts())

    async def _finish(self, tab: Tab) -> None:
        await self._wait_for(tab, "vote", "button", "play.vote.")
        await self._judge(tab)

    async def _judge(self, tab: Tab) -> None:
        while asked := tab.ids("button", "play."):
            await self._answer(tab, "play.", lambda old=asked: tab.ids("button", "play.") != old)
        await self._wait_for(tab, "results", "download_button", "play.csv")

    async def _answer(self, tab: Tab, key: str, answered: Callable[[], object]) -> None:
        await asyncio.sleep(self.draw.uniform(1.0, 4.0))
        begun = time.monotonic()
        await tab.click(self.draw.choice(tab.ids("button", key)))
        await tab.until(answered)
        self.waits.append(time.monotonic() - begun)

    async def _wait_for(self, tab: Tab, phase: str, kind: str, key: str) -> None:
        await tab.until(lambda: tab.ids(kind, key), LONGEST_PHASE)
        self.saw[phase] = time.monotonic()

    async def _open(self, connection: ClientConnection) -> Tab:
        tab = Tab(connection, self.query)
        await tab.rerun()
        return tab


async def lead(url: str, round_: Round, players: Sequence[Player]) -> tuple[dict[str, float], str]:
    """Be the teacher, who goes on when all have answered.

    Returns:
        When each phase was started, and the address of the results as CSV.
    """
    started: dict[str, float] = {}
    query = f"play.round={round_.name}&play.teacher={round_.teacher}"
    async with opened(url) as connection:
        tab = Tab(connection, query)
        await tab.rerun()
        for phase, answers in (("vote", 1), ("results", 1 + VOTES_EACH + GUESSES_EACH)):
            while any(len(player.waits) < answers for player in players):
                await asyncio.sleep(0.2)
            await tab.until(lambda: tab.ids("button", "play.next"))
            started[phase] = time.monotonic()
            await tab.click(tab.ids("button", "play.next")[0])
        await tab.until(lambda: tab.ids("download_button", "play.csv"))
        (results,) = tab.elements("download_button")
        tab.close()
    return started, results.download_button.url


async def run(url: str, round_: Round, players: list[Player]) -> tuple[dict[str, float], str]:
    """Play the round; return what `lead` returns."""
    async with asyncio.TaskGroup() as group:
        led = group.create_task(lead(url, round_, players))
        for player in players:
            group.create_task(player.play())
    return led.result()


def spread(seconds: Sequence[float]) -> str:
    """Return median and 95th percentile as text."""
    ordered = sorted(seconds)
    at = {share: ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.95)}
    return f"{at[0.5]:.2f} s (median), {at[0.95]:.2f} s (p95)"


def report(round_: Round, players: Sequence[Player], started: dict[str, float], rows: int) -> bool:
    """Print what arrived and how soon; return whether everything arrived."""
    state, count = round_.state(), len(players)
    arrived = {
        "captions": (sum(e.kind == "player" for e in state.entries.values()), count),
        "votes": (len(state.votes), count * VOTES_EACH),
        "guesses": (len(state.guesses), count * GUESSES_EACH),
        "rows of CSV": (rows, count + len(GIVEN)),
    }
    print(f"{count} players; " + ", ".join(f"{n} of {m} {k}" for k, (n, m) in arrived.items()))
    print(f"next question after {spread([s for p in players for s in p.waits])}")
    for phase, begun in started.items():
        print(f"{phase} seen after {spread([p.saw[phase] - begun for p in players])}")
    return all(n == m for n, m in arrived.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--players", type=int, default=30)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends too
    with tempfile.TemporaryDirectory() as data:
        round_ = Rounds(Path(data)).create(PHOTO.read_bytes(), GIVEN)
        with serve(data) as (server, app):
            url = f"{app.replace('http', 'ws', 1)}/_stcore/stream"
            players = [Player(url, round_, number) for number in range(arguments.players)]
            started, results = asyncio.run(run(url, round_, players))
            table = urllib.request.urlopen(f"{app}{results}", timeout=30).read().decode()
            process = psutil.Process(server.pid)
            used, memory = sum(process.cpu_times()[:2]), process.memory_info().rss / 1e6
        complete = report(round_, players, started, len(table.splitlines()) - 1)
    print(f"server: {used:.0f} s of CPU time, {memory:.0f} MB")
    return int(not complete)


if __name__ == "__main__":
    sys.exit(main())
