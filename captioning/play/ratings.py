"""Elo ratings of captions from votes on pairs, with intervals.

All votes are fitted at once by the Bradley-Terry model, of which Elo's updates are a slow and
order-dependent approximation; the scale is Elo's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Rating", "rate"]

MEAN, SCALE = 1000.0, 400.0 / np.log(10.0)
_PRIOR = 0.5
"""Votes won and lost against an average caption that each one begins with; keeps ratings finite."""
_ROUNDS, _DRAWS = 60, 200


@dataclass(frozen=True)
class Rating:
    """How a caption fared.

    Attributes:
        elo: 1000 is the average; 400 more wins ten times as often as it loses.
        low: lower end of the 95 % interval, by drawing voters with replacement.
        high: its upper end.
        votes: pairs it was in.
    """

    elo: float
    low: float
    high: float
    votes: int


def rate(
    entries: Sequence[str], votes: Sequence[tuple[str, str, str]], *, seed: int = 0
) -> dict[str, Rating]:
    """Rate captions by the votes of all players.

    Args:
        entries: ids of the captions.
        votes: (player, winner, loser).
        seed: of the draws behind the intervals.

    Returns:
        The ratings by id.  A caption that nobody voted on has 1000 and the widest interval.
    """
    place = {name: number for number, name in enumerate(entries)}
    kept = [(v, place[w], place[x]) for v, w, x in votes if w in place and x in place]
    by_player: dict[str, np.ndarray] = {}
    for player, won, lost in kept:
        wins = by_player.setdefault(player, np.zeros((len(place), len(place))))
        wins[won, lost] += 1
    voters = list(by_player.values())
    total = sum(voters, np.zeros((len(place), len(place))))
    elo = _fit(total)
    random = np.random.default_rng(seed)
    draws = [
        _fit(sum((voters[i] for i in random.integers(0, len(voters), len(voters))), 0 * total))
        for _ in range(_DRAWS if voters else 0)
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
