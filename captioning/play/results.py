"""The results of a round: Elo ratings of its captions, and how well machines passed for people.

All votes are fitted at once with the Bradley-Terry model, which Elo's updates approximate slowly
and depending on their order; the scale is Elo's.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captioning.csv_text import guarded
from captioning.metrics import CiderD, DocumentFrequencies, bleu_from_statistics, bleu_statistics
from captioning.play.rounds import Entry, State
from captioning.text import tokenize

MEAN, SCALE = 1000.0, 400.0 / np.log(10.0)
_PRIOR = 0.5
"""Initial wins and losses of each caption against an average one; they keep ratings finite."""
_ROUNDS, _DRAWS = 60, 200


@dataclass(frozen=True)
class Rating:
    """The rating of a caption.

    Attributes:
        elo: 1000 is the average; a caption with 400 more wins ten times as often as it loses.
        low: lower end of the 95 % interval, from a bootstrap over voters.
        high: its upper end.
        votes: number of comparisons.
    """

    elo: float
    low: float
    high: float
    votes: int


def rate(entries: Sequence[str], votes: Sequence[tuple[str, str, str]]) -> dict[str, Rating]:
    """Rate captions by the votes of all players.

    Args:
        entries: ids of the captions.
        votes: (player, winner, loser).

    Returns:
        The ratings by id.  A caption without votes has 1000 and the widest interval.
    """
    place = {name: number for number, name in enumerate(entries)}
    kept = [(v, place[w], place[x]) for v, w, x in votes if w in place and x in place]
    players = {player: number for number, player in enumerate({v: None for v, _, _ in kept})}
    voters = np.array([players[player] for player, _, _ in kept], int)
    pairs = np.array([won * len(place) + lost for _, won, lost in kept], int)

    def wins(drawn: np.ndarray) -> np.ndarray:
        """Count how often each caption wins against each other in the votes of the drawn."""
        often = np.bincount(drawn, minlength=len(players))
        counts = np.bincount(pairs, often[voters], len(place) ** 2)
        return counts.reshape(len(place), len(place))

    total = wins(np.arange(len(players)))
    elo = _fit(total)
    random = np.random.default_rng(0)
    draws = [
        _fit(wins(random.integers(0, len(players), len(players))))
        for _ in range(_DRAWS if players else 0)
    ] or [elo]
    low, high = np.percentile(draws, (2.5, 97.5), axis=0)
    seen = (total + total.T).sum(axis=1).astype(int)
    return {
        name: Rating(float(elo[n]), float(low[n]), float(high[n]), int(seen[n]))
        for name, n in place.items()
    }


def _fit(wins: np.ndarray) -> np.ndarray:
    """Fit Bradley-Terry strengths by Hunter's MM steps; return them on Elo's scale, `(N,)`."""
    games = wins + wins.T
    won = wins.sum(axis=1) + _PRIOR
    strength = np.ones(len(wins))
    for _ in range(_ROUNDS):
        against = (games / (strength[:, None] + strength[None, :])).sum(axis=1)
        strength = won / (against + 2 * _PRIOR / (strength + 1.0))
        strength /= np.exp(np.log(strength).mean())
    fitted: np.ndarray = MEAN + SCALE * np.log(strength)
    return fitted


@dataclass(frozen=True)
class Standing:
    """A caption with its rating, scores and guesses.

    Attributes:
        entry: the caption.
        rating: by the votes.
        bleu_4: against the other captions of the class, x100; None if there are none.
        cider: CIDEr-D against the same, x100; None without them or without frequencies.
        taken_for_machine: the share of guesses that a machine wrote it; None without guesses.
    """

    entry: Entry
    rating: Rating
    bleu_4: float | None
    cider: float | None
    taken_for_machine: float | None


def standings(
    state: State,
    *,
    references: Sequence[str] = (),
    frequencies: DocumentFrequencies | None = None,
) -> list[Standing]:
    """Return all captions of a round, the best rated first.

    Every caption is scored against those of the others: the class provides the references.

    Args:
        state: of the round.
        references: other captions of the photo by people, which are references too.
        frequencies: document frequencies of n-grams; without them CIDEr is left out.
    """
    entries = list(state.entries.values())
    ratings = rate([entry.id for entry in entries], state.votes)
    guesses: dict[str, list[bool]] = {entry.id: [] for entry in entries}
    for (_, name), guess in state.guesses.items():
        if name in guesses:
            guesses[name].append(guess)
    found = [
        Standing(
            entry,
            ratings[entry.id],
            *_scores(entry, entries, references, frequencies),
            _share(guesses[entry.id]),
        )
        for entry in entries
    ]
    return sorted(found, key=lambda one: -one.rating.elo)


def turing_rate(state: State) -> float | None:
    """Return the share of guesses that took a machine's caption for a person's; None without any.

    At one half, people cannot distinguish them.
    """
    models = {name for name, entry in state.entries.items() if entry.kind == "model"}
    share = _share([guess for (_, name), guess in state.guesses.items() if name in models])
    return None if share is None else 1.0 - share


def results_csv(found: Sequence[Standing]) -> str:
    """Write the table of a round as CSV, with names instead of tokens."""
    file = io.StringIO()
    table = csv.writer(file)
    table.writerow(
        "rank author kind caption elo elo_low elo_high votes bleu_4 cider taken_for_machine".split()
    )
    for rank, one in enumerate(found, start=1):
        rating = (one.rating.elo, one.rating.low, one.rating.high)
        scores = (one.bleu_4, one.cider)
        table.writerow(
            [
                rank,
                guarded(one.entry.author),
                one.entry.kind,
                guarded(one.entry.text),
                *(f"{value:.0f}" for value in rating),
                one.rating.votes,
                *("" if value is None else f"{value:.1f}" for value in scores),
                "" if one.taken_for_machine is None else f"{one.taken_for_machine:.2f}",
            ]
        )
    return file.getvalue()


def _scores(
    entry: Entry,
    entries: Sequence[Entry],
    references: Sequence[str],
    frequencies: DocumentFrequencies | None,
) -> tuple[float | None, float | None]:
    others = [e.text for e in entries if e.kind == "player" and e is not entry]
    known = [words for words in map(tokenize, (*others, *references)) if words]
    words = tokenize(entry.text)
    if not known:
        return None, None
    bleu = 100 * bleu_from_statistics(bleu_statistics(words, known)).bleu[3]
    if frequencies is None:
        return bleu, None
    cider = CiderD([known], document_frequencies=frequencies).score(words, 0)
    return bleu, 100 * cider


def _share(guesses: Sequence[bool]) -> float | None:
    return sum(guesses) / len(guesses) if guesses else None
