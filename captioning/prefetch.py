"""Prefetching: compute the next item while the current one is used."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def ahead(function: Callable[[T], U], arguments: Iterable[T]) -> Iterator[U]:
    """Map `function` over `arguments` in a second thread, one call ahead of the consumer."""
    source = iter(arguments)
    with ThreadPoolExecutor(1) as worker:
        waiting = [worker.submit(function, argument) for argument in islice(source, 1)]
        while waiting:
            ready = waiting.pop()
            waiting = [worker.submit(function, argument) for argument in islice(source, 1)]
            yield ready.result()
