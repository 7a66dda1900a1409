"""The server's memory: kept where it was after the first photo, and not thrown away in vain.

Streamlit runs every rerun in a thread of its own.  The C library of Linux gives new threads heaps
of their own, and what a photo and a network leave free in one is not used by the next: over some
dozens of photos the server would grow by hundreds of megabytes that nothing holds.
"""

import contextlib
import ctypes
import gc
import sys
from typing import Any

__all__ = ["keep_compact", "settle"]

# From glibc's malloc.h; other C libraries have no such call, and need none.
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


def keep_compact() -> None:
    """Share two heaps among all threads, and give blocks of a megabyte back when they are freed."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(None)
            library.mallopt(_M_ARENA_MAX, 2)
            library.mallopt(_M_MMAP_THRESHOLD, 1 << 20)


def settle() -> None:
    """Keep what is loaded now: ready to compute, and out of the garbage collections to come.

    After every run of a page Streamlit clears Keras' session.  That throws away what TensorFlow
    has made ready for every session's next photo, and looks through its half million objects for
    garbage (docs/adr/0018).  What was set aside before is looked through once more here, so that a
    model nobody holds any longer is freed at the latest when the next one is loaded.
    """
    keras: Any = sys.modules.get("keras")
    if keras is not None:
        keras.backend.clear_session = _leave_alone
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _leave_alone() -> None:
    """Stand where Streamlit looks for Keras' `clear_session`; `keras.utils` still has it."""
