"""Keep the server's memory small and its loaded models ready.

Streamlit runs every rerun in a thread of its own.  On Linux, the C library gives each new thread a
heap of its own, and memory that one thread frees is not used by the next: over some dozens of
photos the server would grow by hundreds of megabytes that nothing uses.  After many sessions at
once, a shared heap has gaps that the C library keeps, so they are returned to the system now and
then (docs/adr/0012).
"""

import contextlib
import ctypes
import gc
import itertools
import sys
import threading
import time
from typing import Any

# From glibc's malloc.h; other C libraries have no such call, and need none.
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_PAUSE = 30.0
"""Seconds between two times that free memory is returned; each of them takes milliseconds."""

_PAUSES_TO_COLLECT = 4
"""Sessions that have ended leave objects that refer to each other, and Python rarely looks for them
among many others.  Looking takes 0.4 s on a busy machine."""


def keep_compact() -> None:
    """Share two heaps among all threads, and return to the system what is freed.

    Blocks of a megabyte are returned at once, others within a minute.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(None)
            library.mallopt(_M_ARENA_MAX, 2)
            library.mallopt(_M_MMAP_THRESHOLD, 1 << 20)
            threading.Thread(target=_trim, args=(library,), name="trim", daemon=True).start()


def _trim(library: ctypes.CDLL) -> None:
    """Return free memory to the system again and again, at times after a garbage collection."""
    for number in itertools.count(1):
        time.sleep(_PAUSE)
        if number % _PAUSES_TO_COLLECT == 0:
            gc.collect()
        library.malloc_trim(0)


def settle() -> None:
    """Keep loaded models ready, and exclude them from later garbage collections.

    After every run of a page Streamlit clears Keras' session.  That discards what TensorFlow
    has prepared for the next photo of every session, and collects garbage among its half million
    objects (docs/adr/0018).  Objects frozen earlier are collected once more here, so a model that
    is no longer used is freed at the latest when the next one is loaded.
    """
    keras: Any = sys.modules.get("keras")
    if keras is not None:
        keras.backend.clear_session = _leave_alone
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def settle_keras() -> None:
    """Settle if a page has just imported Keras; called after a run, before Streamlit clears."""
    backend = getattr(sys.modules["keras"], "backend", None)
    if getattr(backend, "clear_session", _leave_alone) is not _leave_alone:
        settle()


def _leave_alone() -> None:
    """Replace Keras' `clear_session` for Streamlit; `keras.utils` still has the original."""
