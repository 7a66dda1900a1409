"""A round on disk: its photo, its captions, and who voted for what."""

import hashlib
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

from captioning.errors import PlayError
from captioning.images import MAX_BYTES
from captioning.processes import lock
from captioning.storage import (
    append_json_line,
    data_folder,
    read_json,
    read_json_lines,
    read_regular_file,
    replacing_folder,
    write_json,
)
from captioning.text import clean

PHASES = ("write", "vote", "results")
MOST_PLAYERS = 200
LONGEST_NAME, LONGEST_CAPTION = 30, 200
PLAYERS_GUESSED = 3
"""Captions of other players for which a player guesses whether a person or a machine wrote them."""
MOST_REFERENCES, LONGEST_REFERENCE = 20, 500
VOTES_EACH = 8
"""Pairs that a player compares; enough for intervals, few enough for one lesson."""

# More than a class writes.  The time for the pairs and the results grows with the square of the
# number of captions.
_MOST_GIVEN, _LONGEST_FIELD = 20, 300
_MOST_ROUND_BYTES, _MOST_EVENT_BYTES = 1_000_000, 10_000_000


@dataclass(frozen=True)
class Entry:
    """A caption of the round.

    Attributes:
        id: identifies it without revealing the author.
        kind: "person" (who described the photo in the data set), "model" or "player".
        author: the name of the author in the results.
        text: the caption.
        player: the token of the player who wrote it; empty for the others.
    """

    id: str
    kind: str
    author: str
    text: str
    player: str = ""


@dataclass(frozen=True)
class Pair:
    """Two captions to compare, in the order in which they are shown."""

    first: Entry
    second: Entry


@dataclass
class State:
    """The state of a round.

    Attributes:
        phase: one of `PHASES`.
        entries: the captions by id.
        votes: (player, winner's id, loser's id), one for each pair that a player compared.
        guesses: whether a player guessed that a machine wrote an entry, by (player, entry's id).
    """

    phase: str = PHASES[0]
    entries: dict[str, Entry] = field(default_factory=dict)
    votes: list[tuple[str, str, str]] = field(default_factory=list)
    guesses: dict[tuple[str, str], bool] = field(default_factory=dict)

    def entry_of(self, player: str) -> Entry | None:
        """Return the caption of a player, or None."""
        return next((e for e in self.entries.values() if player and e.player == player), None)

    def votes_of(self, player: str) -> int:
        """Return the number of pairs that a player has compared."""
        return sum(voter == player for voter, _, _ in self.votes)


class Rounds:
    """The rounds of a data folder."""

    def __init__(self, data: Path | None = None) -> None:
        """Use the folder `data`, by default the program's data folder."""
        self.folder = (data or data_folder()) / "play"

    def create(
        self,
        photo: bytes,
        entries: Sequence[tuple[str, str, str]],
        *,
        references: Sequence[str] = (),
    ) -> "Round":
        """Begin a round.

        Args:
            photo: a JPEG or PNG that all players see.
            entries: kind, author and text of the first captions.
            references: other captions of the photo by people.

        Raises:
            PlayError: a caption is empty or too long, there are more than 20, or the round cannot
                be written.
        """
        if len(entries) > _MOST_GIVEN:
            raise PlayError(f"A round begins with at most {_MOST_GIVEN} captions.")
        name = secrets.token_hex(4)
        found = Round(self.folder / name)
        content = {
            "teacher": secrets.token_urlsafe(12),
            "references": list(references),
            "entries": [
                asdict(Entry(secrets.token_hex(4), kind, author, _caption(text)))
                for kind, author, text in entries
            ],
        }
        with _files(found.folder), replacing_folder(found.folder, durable=True) as part:
            (part / "photo").write_bytes(photo)
            write_json(part / "round.json", content)
        return found

    def get(self, name: str) -> "Round":
        """Return the round of this name.

        Raises:
            PlayError: it does not exist.
        """
        folder = self.folder / name
        if not re.fullmatch(r"[0-9a-f]{8}", name) or not (folder / "round.json").is_file():
            raise PlayError("There is no such round. Ask your teacher for the link.")
        return Round(folder)


@dataclass(frozen=True)
class Round:
    """One round.

    Attributes:
        folder: its folder, with the name of the round.
    """

    folder: Path

    @property
    def name(self) -> str:
        """Its name in links."""
        return self.folder.name

    @property
    def _events(self) -> Path:
        return self.folder / "events.jsonl"

    @property
    def photo(self) -> bytes:
        """The content of the photo's file."""
        with _files(self.folder):
            return read_regular_file(self.folder / "photo", MAX_BYTES)

    @property
    def teacher(self) -> str:
        """The key of the teacher, who leads the round."""
        teacher: str = self._content()["teacher"]
        return teacher

    @property
    def references(self) -> tuple[str, ...]:
        """The captions of the photo in the data set."""
        texts = self._content()["references"][:MOST_REFERENCES]
        return tuple(text[:LONGEST_REFERENCE] for text in texts)

    def state(self) -> State:
        """Return the state of the round, which others may share: do not change it.

        Raises:
            PlayError: a file of the round is damaged or too large.
            StorageError: it cannot be read.
        """
        try:
            size = self._events.stat().st_size
        except OSError:
            size = 0
        return _read_state(self, size)

    def write(self, player: str, author: str, text: str) -> Entry:
        """Store a player's caption; a second one replaces the first.

        Raises:
            PlayError: writing is over, or name or caption is empty, too long, or taken.
        """
        author, text = " ".join(author.split()), _caption(text)
        if not 1 <= len(author) <= LONGEST_NAME:
            raise PlayError(f"Write a name of at most {LONGEST_NAME} letters.")
        with self._locked():
            state = self._in_phase("write")
            own = state.entry_of(player)
            others = [e for e in state.entries.values() if e is not own]
            if any(e.author.casefold() == author.casefold() for e in others):
                raise PlayError(f"Somebody is already called {author}. Choose another name.")
            if sum(e.kind == "player" for e in others) >= MOST_PLAYERS:
                raise PlayError(f"A round has room for {MOST_PLAYERS} players.")
            entry = Entry(own.id if own else secrets.token_hex(4), "player", author, text, player)
            self._append("entry", **asdict(entry))
        return entry

    def vote(self, player: str, winner: str, loser: str) -> None:
        """Store which of two captions a player prefers; each pair counts once per player.

        Raises:
            PlayError: voting is over or has not begun, or one of the captions is the player's own.
        """
        with self._locked():
            state = self._in_phase("vote")
            for entry in (winner, loser):
                if entry not in state.entries or state.entries[entry].player == player:
                    raise PlayError("Vote for captions of this round that are not your own.")
            asked = {frozenset(pair) for voter, *pair in state.votes if voter == player}
            if winner == loser or frozenset((winner, loser)) in asked:
                return
            self._append("vote", player=player, winner=winner, loser=loser)

    def guess(self, player: str, entry: str, *, machine: bool) -> None:
        """Store whether a player guesses that a machine wrote a caption.

        Raises:
            PlayError: voting is over or has not begun, or there is no such caption.
        """
        with self._locked():
            if entry not in self._in_phase("vote").entries:
                raise PlayError("There is no such caption in this round.")
            self._append("guess", player=player, entry=entry, machine=machine)

    def move_to(self, phase: str, key: str) -> None:
        """Start a phase, as the teacher.

        Raises:
            PlayError: the key is not the teacher's, or there are fewer than two captions.
        """
        self.check(key)
        if phase not in PHASES:
            raise PlayError(f"A round has the phases {', '.join(PHASES)}.")
        with self._locked():
            if len(self.state().entries) < 2:
                raise PlayError("Wait for captions: there must be at least two to compare.")
            self._append("phase", phase=phase)

    def check(self, key: str) -> None:
        """Check the key of the teacher.

        Raises:
            PlayError: the key is not the teacher's.
        """
        if not secrets.compare_digest(key.encode(), self.teacher.encode()):
            raise PlayError("Only the teacher's link can lead the round.")

    def next_guess(self, player: str, state: State | None = None) -> Entry | None:
        """Return the next caption for which a player guesses who wrote it; None after the last.

        These are the captions of the person and the models, and a random few of other players.
        """
        state = state or self.state()
        others = [e for e in state.entries.values() if e.player != player]
        given = [e for e in others if e.kind != "player"]
        players = sorted(
            (e for e in others if e.kind == "player"), key=lambda e: _random_order(player, e.id)
        )
        asked = sorted(
            [*given, *players[:PLAYERS_GUESSED]], key=lambda e: _random_order(e.id, player)
        )
        return next((e for e in asked if (player, e.id) not in state.guesses), None)

    def next_pair(self, player: str, state: State | None = None) -> Pair | None:
        """Return the next two captions for a player to compare; None after enough pairs.

        Pairs with few comparisons come first, then those with a caption of the person or a model,
        so that all intervals become narrower together.
        """
        state = state or self.state()
        votes = [(voter, frozenset((winner, loser))) for voter, winner, loser in state.votes]
        asked = {pair for voter, pair in votes if voter == player}
        if len(asked) >= VOTES_EACH:
            return None
        often = Counter(pair for _, pair in votes)
        others = [entry for entry in state.entries.values() if entry.player != player]
        open_ = {frozenset((one.id, two.id)): (one, two) for one, two in combinations(others, 2)}
        for pair in asked:
            open_.pop(pair, None)
        if not open_:
            return None
        ranks = {
            pair: (often.get(pair, 0), one.kind == two.kind == "player")
            for pair, (one, two) in open_.items()
        }
        best = min(ranks.values())
        first = (pair for pair in open_ if ranks[pair] == best)
        one, two = open_[min(first, key=lambda pair: _random_order(player, *sorted(pair)))]
        return Pair(one, two) if _random_order(player, one.id, two.id) < "8" else Pair(two, one)

    def _content(self) -> dict[str, Any]:
        path = self.folder / "round.json"
        content = read_json(path, dict, max_bytes=_MOST_ROUND_BYTES)
        texts, entries = content.get("references"), content.get("entries")
        if not (
            isinstance(content.get("teacher"), str)
            and isinstance(texts, list)
            and all(isinstance(text, str) for text in texts)
            and isinstance(entries, list)
            and len(entries) <= _MOST_GIVEN
            and all(_is_entry(row) for row in entries)
        ):
            raise PlayError(f"{path} is damaged. Open a new round.")
        return content

    def _in_phase(self, phase: str) -> State:
        state = self.state()
        if state.phase != phase:
            raise PlayError(f"The round is in the phase '{state.phase}'. Reload the page.")
        return state

    def _append(self, event: str, **content: Any) -> None:
        append_json_line(self._events, {"event": event, **content})

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with _files(self.folder), lock(self.folder / ".lock"):
            yield


@contextmanager
def _files(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PlayError(
            f"The round {folder} cannot be read or written: {error.strerror}."
        ) from error


_ENTRY = ("id", "kind", "author", "text", "player")


def _is_entry(row: Any) -> bool:
    return isinstance(row, dict) and all(
        isinstance(row.get(key), str) and len(row[key]) <= _LONGEST_FIELD for key in _ENTRY
    )


@lru_cache(maxsize=8)
def _read_state(round_: Round, size: int) -> State:
    """Read the state once for all players; a file to which lines are only added has it by size."""
    state = State()
    for row in round_._content()["entries"]:
        entry = Entry(**{key: row[key] for key in _ENTRY})
        state.entries[entry.id] = entry
    for event in read_json_lines(round_._events, _MOST_EVENT_BYTES):
        _apply(state, event)
    return state


def _apply(state: State, event: dict[str, Any]) -> None:
    match event:
        case {"event": "phase", "phase": str(phase)} if phase in PHASES:
            state.phase = phase
        case {"event": "entry"} if _is_entry(event):
            entry = Entry(**{key: event[key] for key in _ENTRY})
            if entry.id in state.entries or len(state.entries) < MOST_PLAYERS + _MOST_GIVEN:
                state.entries[entry.id] = entry
        case {"event": "vote", "player": str(player), "winner": str(won), "loser": str(lost)}:
            state.votes.append((player, won, lost))
        case {"event": "guess", "player": str(player), "entry": str(name), "machine": bool(guess)}:
            state.guesses[player, name] = guess


def _caption(text: str) -> str:
    text = " ".join(text.split())
    if not clean(text) or len(text) > LONGEST_CAPTION:
        raise PlayError(f"Write a caption of at most {LONGEST_CAPTION} letters.")
    return text


def _random_order(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()
