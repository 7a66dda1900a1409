"""The queue for a model, and a memory of its results."""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

import streamlit as st

from captioning.fair_lock import FairLock

Value = TypeVar("Value")

_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()


class Memory(Generic[Value]):
    """The results used last, up to a limit; threads may share it.  A result is never None."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Value | None:
        """Return a result, or None if it is not stored."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def pop(self, key: Hashable) -> Value | None:
        """Return a result and forget it, or None if it is not stored."""
        with self._lock:
            return self._kept.pop(key, None)

    def put(self, key: Hashable, value: Value) -> None:
        """Store a result, and drop the least recently used one if there are too many."""
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)


@contextlib.contextmanager
def in_line(turns: FairLock, label: str) -> Iterator[None]:
    """Wait in the model's queue, show the visitor their place, and hold the model for the block.

    Args:
        turns: the model's queue.
        label: what is done when it is the visitor's turn.
    """
    place = st.empty()

    def show(before: int) -> None:
        place.caption(f":material/hourglass_top: {place_in_line(before)}")

    with st.spinner(label), turns.take(show):
        place.empty()
        yield


def place_in_line(before: int) -> str:
    """Say which place somebody has in the queue.

    >>> place_in_line(2)
    'You are third in line. The model writes for one visitor at a time.'
    """
    ordinal = _ORDINALS[before] if before < len(_ORDINALS) else f"number {before + 1}"
    return f"You are {ordinal} in line. The model writes for one visitor at a time."
