"""Training runs: each is a separate process and a folder that shows its progress.

    <data>/runs/<id>/  config.json  status.json  events.jsonl  log.txt  checkpoints/  bundle/

A run does not depend on the program that started it: the page may be closed and the web server
killed.  Nothing here imports Keras; only the process of the run does.
"""

from captioning.runs.control import Runs, free_name, published_model
from captioning.runs.curves import (
    Comparison,
    Curves,
    WrittenCaption,
    alarms_of,
    best_captions,
    compare_runs,
    read_curves,
)
from captioning.runs.estimate import DataSizes, Estimate, data_sizes, estimate_run
from captioning.runs.execution import Execution, execute
from captioning.runs.exports import epochs_csv, html_report, tensorboard_events
from captioning.runs.presets import Preset, fine_tuning, preset_for, presets
from captioning.runs.record import LIVE, STARTABLE, Run

__all__ = [
    "LIVE",
    "STARTABLE",
    "Comparison",
    "Curves",
    "DataSizes",
    "Estimate",
    "Execution",
    "Preset",
    "Run",
    "Runs",
    "WrittenCaption",
    "alarms_of",
    "best_captions",
    "compare_runs",
    "data_sizes",
    "epochs_csv",
    "estimate_run",
    "execute",
    "fine_tuning",
    "free_name",
    "html_report",
    "preset_for",
    "presets",
    "published_model",
    "read_curves",
    "tensorboard_events",
]
