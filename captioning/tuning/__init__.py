"""Searches for good settings: short runs, one after the other, each proposed from those before.

    <data>/studies/<id>/  config.json  status.json  trials.jsonl

A study is no process.  Whoever looks at it, and the process of each of its trials as it ends, takes
the one next step that its folder says is due, so it needs neither a page nor a server, and a kill
costs it nothing: no trial is lost, and none is run twice.
"""

from captioning.tuning.control import Studies, go_on, reason_to_give_up
from captioning.tuning.parallel_axes import Axis, axes_of, places_of
from captioning.tuning.proposals import ENOUGH_TO_WEIGH, importances
from captioning.tuning.record import Study, StudyStatus, Trial
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
