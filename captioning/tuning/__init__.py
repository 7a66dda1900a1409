"""Hyperparameter search: short runs, one after the other, each proposed from the earlier ones.

    <data>/studies/<id>/  config.json  status.json  trials.jsonl

A study has no process.  Its next step is taken by the process of each trial as it ends, and by any
page or command that reads the study, so it needs no server.  After a kill no trial is lost, and
none is run twice.
"""

from captioning.tuning.control import Studies, go_on, reason_to_give_up
from captioning.tuning.proposals import ENOUGH_TO_WEIGH, importances
from captioning.tuning.record import Axis, Study, StudyStatus, Trial, axes_of, places_of
from captioning.tuning.settings import (
    SCORES,
    SearchField,
    StudyConfig,
    parse_field,
    searchable,
    suggested,
)

__all__ = [
    "ENOUGH_TO_WEIGH",
    "SCORES",
    "Axis",
    "SearchField",
    "Studies",
    "Study",
    "StudyConfig",
    "StudyStatus",
    "Trial",
    "axes_of",
    "go_on",
    "importances",
    "parse_field",
    "places_of",
    "reason_to_give_up",
    "searchable",
    "suggested",
]
