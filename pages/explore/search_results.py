"""How long a search took, in words."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Do `work` and return its result and the seconds it took."""
    begun = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun


def spoken(duration: float) -> str:
    """Write a short duration in words.

    >>> spoken(0.0004), spoken(0.0123)
    ('under 1 ms', '12 ms')
    """
    return f"{1000 * duration:.0f} ms" if duration >= 0.001 else "under 1 ms"
