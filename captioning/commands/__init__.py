"""The commands of `python -m captioning`, one file each.

A command's file has `add_to(subparsers)`, which declares its arguments and sets `run`, a function
from the parsed arguments to an exit status.  What needs Keras is imported inside `run`, so `--help`
is instant.
"""

from captioning.commands import caption, data, evaluate, features, models, train

ALL = (caption, evaluate, train, features, data, models)

__all__ = ["ALL"]
