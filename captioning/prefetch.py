"""Prefetching: compute the next item while the current one is used."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ahead"]

T = TypeVar("T")
U = TypeVar("U")


def ahead(function: Callable[[T], U], arguments: Sequence[T]) -> Iterator[U]:
    """Map `function` over `arguments` in a second thread, one call ahead of the consumer."""
    with ThreadPoolExecutor(1) as worker:
        waiting = [worker.submit(function, argument) for argument in arguments[:1]]
        for following in range(1, len(arguments) + 1):
            ready = waiting.pop()
            if following < len(arguments):
                waiting.append(worker.submit(function, arguments[following]))
            yield ready.result()
