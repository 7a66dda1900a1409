"""A round that a class plays: kept on disk, by many at once, and rated."""

import csv
import io
import json
import threading
import time

import numpy as np
import pytest

from captioning.errors import PlayError, StorageError
from captioning.metrics import DocumentFrequencies
from captioning.play import PHASES, Entry, Rounds, State, rate, results_csv, standings, turing_rate
from captioning.play.rounds import MOST_PLAYERS, VOTES_EACH
from captioning.text import tokenize

GIVEN = [
    ("person", "a person", "Two brown dogs look out of a window."),
    ("model", "compact", "a brown dog is running"),
    ("model", "lite", "two dogs look out of a window"),
]


@pytest.fixture
def round_(tmp_path):
    return Rounds(tmp_path).create(b"photo", GIVEN, references=["Two dogs at a window."])


def test_a_round_is_found_again(tmp_path, round_):
    again = Rounds(tmp_path).get(round_.name)
    round_.write("me", "Ada", "two dogs")
    assert again.photo == b"photo" and again.references == ("Two dogs at a window.",)
    assert again.state().entry_of("me").text == "two dogs"
    assert [e.kind for e in again.state().entries.values()] == [
        "person",
        "model",
        "model",
        "player",
    ]


def test_players_share_a_state_until_something_happens(tmp_path, round_):
    before, again = round_.state(), Rounds(tmp_path).get(round_.name)
    assert again.state() is before
    round_.write("me", "Ada", "two dogs")
    assert again.state().entry_of("me") and not before.entry_of("me")


@pytest.mark.parametrize("name", ["nothing", "../play", "00000000", ""])
def test_what_is_no_round_is_refused(tmp_path, round_, name):
    with pytest.raises(PlayError, match="no such round"):
        Rounds(tmp_path).get(name)


def test_a_second_caption_replaces_the_first_and_a_name_is_one_player_s(round_):
    first = round_.write("me", "Ada", "two dogs")
    second = round_.write("me", "Ada", "two brown dogs")
    assert first.id == second.id and round_.state().entry_of("me").text == "two brown dogs"
    with pytest.raises(PlayError, match="already called"):
        round_.write("you", "ADA", "dogs")
    for name, text in (("", "dogs"), ("Bo", " . "), ("Bo", "x " * 150), ("B" * 31, "dogs")):
        with pytest.raises(PlayError, match="at most"):
            round_.write("you", name, text)


def test_only_the_teacher_leads_and_each_phase_has_its_own_deeds(round_):
    with pytest.raises(PlayError, match="teacher's link"):
        round_.move_to("vote", "guessed")
    one, two, _ = round_.state().entries
    with pytest.raises(PlayError, match="phase 'write'"):
        round_.vote("me", one, two)
    round_.move_to("vote", round_.teacher)
    with pytest.raises(PlayError, match="phase 'vote'"):
        round_.write("me", "Ada", "too late")
    round_.vote("me", one, two)
    round_.vote("me", two, one)  # the same pair again
    assert round_.state().votes == [("me", one, two)]
    with pytest.raises(PlayError, match="has the phases"):
        round_.move_to("end", round_.teacher)


def test_players_do_not_judge_their_own_captions(round_):
    own = round_.write("me", "Ada", "two dogs")
    other = round_.write("you", "Bo", "dogs")
    round_.move_to("vote", round_.teacher)
    with pytest.raises(PlayError, match="not your own"):
        round_.vote("me", own.id, other.id)
    seen = 0
    while pair := round_.next_pair("me"):
        assert own.id not in (pair.first.id, pair.second.id)
        round_.vote("me", pair.first.id, pair.second.id)
        seen += 1
    assert seen == 6  # all pairs of the four others


def test_each_player_is_asked_who_wrote_the_given_captions_and_a_few_others(round_):
    own = round_.write("me", "Ada", "two dogs")
    for number in range(5):
        round_.write(f"t{number}", f"P{number}", f"dogs {number}")
    round_.move_to("vote", round_.teacher)
    asked = []
    while entry := round_.next_guess("me"):
        asked.append(entry)
        round_.guess("me", entry.id, machine=entry.kind == "model")
    assert own not in asked
    assert sorted(e.kind for e in asked) == ["model", "model", "person", *["player"] * 3]
    assert turing_rate(round_.state()) == 0


def play(round_, number, faults):
    try:
        player = f"token{number}"
        round_.write(player, f"Pupil {number}", f"dogs number {number} at a window")
        ready.wait()
        while pair := round_.next_pair(player):
            round_.vote(player, pair.first.id, pair.second.id)
        for entry in list(round_.state().entries)[:3]:
            round_.guess(player, entry, machine=number % 2 == 0)
    except Exception as fault:
        faults.append(fault)


ready = threading.Event()


@pytest.mark.slow
def test_thirty_players_at_once_lose_nothing(round_):
    faults = []
    players = [threading.Thread(target=play, args=(round_, n, faults)) for n in range(30)]
    for player in players:
        player.start()
    for player in players:
        while player.is_alive() and len(round_.state().entries) < 33 and not faults:
            player.join(0.05)
    round_.move_to("vote", round_.teacher)
    ready.set()
    for player in players:
        player.join()
    state = round_.state()
    assert faults == []
    assert len(state.entries) == 33 and len(state.votes) == 30 * VOTES_EACH
    assert all(state.votes_of(f"token{n}") == VOTES_EACH for n in range(30))
    assert len(state.guesses) == 90 and turing_rate(state) == pytest.approx(0.5)
    found = standings(state)
    assert len(found) == 33 and found[0].rating.elo >= found[-1].rating.elo


def test_ratings_are_those_of_bradley_and_terry():
    # Three of four votes are odds of 3 to 1; with many votes the prior weighs nothing.
    votes = [("v", "a", "b")] * 3000 + [("w", "b", "a")] * 1000
    rating = rate(["a", "b"], votes)
    assert rating["a"].elo - rating["b"].elo == pytest.approx(400 * np.log10(3), abs=1)
    assert rating["a"].elo + rating["b"].elo == pytest.approx(2000)
    assert rating["a"].votes == 4000


def test_an_interval_narrows_with_voters_and_holds_the_rating():
    def votes(voters):
        return [(f"v{n}", *(("a", "b") if n % 3 else ("b", "a"))) for n in range(voters)]

    few, many = (rate(["a", "b", "c"], votes(n)) for n in (9, 90))
    for rating in (*few.values(), *many.values()):
        assert rating.low <= rating.elo <= rating.high
    assert many["a"].high - many["a"].low < few["a"].high - few["a"].low
    assert many["c"].votes == 0
    assert rate(["a", "b"], [])["a"].elo == pytest.approx(1000)


def test_captions_are_scored_against_what_the_class_wrote():
    state = State()
    for number, text in enumerate(["two dogs at a window", "two dogs at a window", "a cat sleeps"]):
        state.entries[str(number)] = Entry(str(number), "player", f"P{number}", text, f"t{number}")
    state.entries["m"] = Entry("m", "model", "=model", "two dogs at a window")
    captions = [[tokenize("a dog runs")], [tokenize("two dogs at a window")]]
    found = standings(state, frequencies=DocumentFrequencies.from_references(captions))
    by_author = {one.entry.author: one for one in found}
    assert by_author["=model"].bleu_4 == pytest.approx(100)
    assert by_author["P2"].bleu_4 == 0
    assert by_author["=model"].cider > by_author["P2"].cider == 0
    rows = list(csv.DictReader(io.StringIO(results_csv(found))))
    assert len(rows) == 4 and {row["author"] for row in rows} == {"P0", "P1", "P2", "'=model"}
    assert "t1" not in results_csv(found)
    assert standings(State(entries={"m": state.entries["m"]}))[0].bleu_4 is None


def test_the_phases_follow_one_another():
    assert PHASES == ("write", "vote", "results")


@pytest.mark.parametrize(
    "damage",
    [
        {"teacher": 3},
        {"references": "two dogs"},
        {"entries": None},
        {"entries": [{"id": "1", "kind": "model"}]},
        {"entries": ["a dog"]},
    ],
)
def test_a_damaged_round_is_an_error_with_a_sentence(round_, damage):
    path = round_.folder / "round.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    with pytest.raises(PlayError, match="is damaged"):
        round_.state()


def test_damaged_events_are_left_out(round_):
    before = round_.state()
    with (round_.folder / "events.jsonl").open("w") as file:
        file.write('{"event": "entry"}\n{"event": "phase", "phase": "lunch"}\n')
    assert round_.state() == before


def test_a_round_that_cannot_be_written_is_an_error_with_a_sentence(tmp_path, round_):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PlayError, match="cannot be read or written"):
        Rounds(tmp_path / "file").create(b"photo", GIVEN)
    (round_.folder / "photo").unlink()
    with pytest.raises(PlayError, match="cannot be read or written"):
        _ = round_.photo
    (round_.folder / "events.jsonl").mkdir()
    with pytest.raises(PlayError, match="cannot be read or written"):
        round_.write("me", "Ada", "two dogs")


def entry_event(number, **changes):
    fields = {"kind": "player", "author": "Ada", "text": "dogs", "player": f"t{number}"}
    return {"event": "entry", "id": f"{number}", **fields, **changes}


def test_captions_of_more_players_than_a_round_has_room_for_are_left_out(round_):
    long = [entry_event(number, text="a" * 10_000) for number in range(50)]
    many = [entry_event(number) for number in range(100, 2000)]
    again = entry_event(100, text="cats")
    lines = "".join(json.dumps(event) + "\n" for event in (*long, *many, again))
    (round_.folder / "events.jsonl").write_text(lines)
    state = round_.state()
    assert MOST_PLAYERS < len(state.entries) < MOST_PLAYERS + 50
    assert state.entries["100"].text == "cats" and "0" not in state.entries
    assert round_.next_pair("p", state) and round_.next_guess("p", state)


def test_a_round_too_large_for_a_class_is_an_error_with_a_sentence(tmp_path, round_, monkeypatch):
    monkeypatch.setattr("captioning.play.rounds._MOST_EVENT_BYTES", 100)
    (round_.folder / "events.jsonl").write_text("\n" * 101)
    with pytest.raises(StorageError, match=r"events\.jsonl cannot be read: it has more than"):
        round_.state()
    monkeypatch.setattr("captioning.play.rounds._MOST_ROUND_BYTES", 100)
    with pytest.raises(StorageError, match=r"round\.json cannot be read: it has more than"):
        _ = round_.teacher
    with pytest.raises(PlayError, match="at most 20 captions"):
        Rounds(tmp_path).create(b"photo", GIVEN * 7)


def test_references_are_as_long_as_captions_of_a_photo(tmp_path):
    texts = [f"{number}" + "a" * 1000 for number in range(100)]
    round_ = Rounds(tmp_path).create(b"photo", GIVEN, references=texts)
    assert round_.references == tuple(text[:500] for text in texts[:20])


def test_many_voters_are_counted_quickly():
    votes = [(f"t{number}", "a", "b") for number in range(50_000)]
    started = time.process_time()
    ratings = rate("abc", votes)
    assert time.process_time() - started < 5
    assert ratings["a"].votes == 50_000 and ratings["a"].elo > ratings["b"].elo
