"""A class writes captions for one photo, votes blind, and sees how people and models compare.

    <data>/play/<id>/  round.json  photo.jpg  events.jsonl

A round is a folder.  Every caption, vote and guess is a line of `events.jsonl`, written under a
lock, so that thirty browsers can play at once, a reload loses nothing, and the server may restart.
Players need no account: a player is a token in the address of the browser.
"""

from captioning.play.results import Standing, rate, results_csv, standings, turing_rate
from captioning.play.rounds import PHASES, Entry, Pair, Round, Rounds, State

__all__ = [
    "PHASES",
    "Entry",
    "Pair",
    "Round",
    "Rounds",
    "Standing",
    "State",
    "rate",
    "results_csv",
    "standings",
    "turing_rate",
]
