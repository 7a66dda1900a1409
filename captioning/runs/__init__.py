"""Training runs: each a process of its own and a folder that tells how it goes.

    <data>/runs/<id>/  config.json  status.json  events.jsonl  log.txt  checkpoints/  bundle/

A run does not need whoever started it: the page may be closed and the web server killed.  Nothing
here imports Keras; that happens in the run's own process alone.
"""

from captioning.runs.comparison import Comparison, compare_runs
from captioning.runs.control import Runs
from captioning.runs.curves import Curves, read_curves
from captioning.runs.estimate import DataSizes, Estimate, data_sizes, estimate_run
from captioning.runs.execution import Execution, execute
from captioning.runs.exports import epochs_csv, tensorboard_events
from captioning.runs.presets import Preset, fine_tuning, presets
from captioning.runs.record import LIVE, STARTABLE, Run, Status
from captioning.runs.report import html_report
from captioning.runs.results import WrittenCaption, best_captions, free_name, published_model
from captioning.runs.warnings import Alarm, alarms_of

__all__ = [
    "LIVE",
    "STARTABLE",
    "Alarm",
    "Comparison",
    "Curves",
    "DataSizes",
    "Estimate",
    "Execution",
    "Preset",
    "Run",
    "Runs",
    "Status",
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
    "presets",
    "published_model",
    "read_curves",
    "tensorboard_events",
]
