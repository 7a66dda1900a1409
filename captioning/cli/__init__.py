"""The commands of `python -m captioning`, one file each.

Each module defines `add_to(subparsers)`, which declares the arguments and sets `run`, a function
that takes the parsed arguments and returns an exit status.  Modules that need Keras are imported
inside `run`, so `--help` is instant.
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
    mcp,
    models,
    pseudo_label,
    reproduce,
    search,
    serve,
    train,
    tutorial,
)

ALL = (
    caption,
    find,
    evaluate,
    train,
    reproduce,
    pseudo_label,
    distill,
    calibrate,
    search,
    features,
    data,
    models,
    tutorial,
    classroom,
    serve,
    mcp,
)

__all__ = ["ALL"]
