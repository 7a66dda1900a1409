"""The commands of `python -m captioning`, one file each.

A command's file has `add_to(subparsers)`, which declares its arguments and sets `run`, a function
from the parsed arguments to an exit status.  What needs Keras is imported inside `run`, so `--help`
is instant.
"""

from captioning.cli import (
    calibrate,
    caption,
    classroom,
    data,
    distill,
    evaluate,
    features,
    find,
    models,
    search,
    train,
    tutorial,
)

ALL = (
    caption,
    find,
    evaluate,
    train,
    distill,
    calibrate,
    search,
    features,
    data,
    models,
    tutorial,
    classroom,
)

__all__ = ["ALL"]
