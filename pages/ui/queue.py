"""Waiting for a model in line, and remembering what it answered."""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

import streamlit as st

from captioning.fair_lock import FairLock

__all__ = ["Memory", "in_line", "place_in_line"]

Value = TypeVar("Value")

_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()


class Memory(Generic[Value]):
    """The answers used last, at most so many; threads may share it.  No answer is None."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Value | None:
        """Return an answer, or None if it was never given or has been forgotten."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: Hashable, value: Value) -> None:
        """Remember an answer, and forget the one longest unused if there are too many."""
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)


@contextlib.contextmanager
def in_line(turns: FairLock, label: str) -> Iterator[None]:
    """Wait for the model's turn, telling the visitor their place, and hold it for the block.

    Args:
        turns: the model's line.
        label: what is done when the turn has come.
    """
    place = st.empty()

    def tell(before: int) -> None:
        place.caption(f":material/hourglass_top: {place_in_line(before)}")

    with st.spinner(label), turns.take(tell):
        place.empty()
        yield


def place_in_line(before: int) -> str:
    """Say where somebody stands with so many others before them.

    >>> place_in_line(2)
    'You are third in line. The model writes for one visitor at a time.'
    """
    ordinal = _ORDINALS[before] if before < len(_ORDINALS) else f"number {before + 1}"
    return f"You are {ordinal} in line. The model writes for one visitor at a time."
