"""Concurrent work on several items, with results in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import chain, islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def map_ordered(
    work: Callable[[T], Awaitable[R]], items: Iterable[T], *, max_concurrency: int
) -> AsyncGenerator[R, None]:
    """Process several items concurrently and yield the results in the order of the items.

    Args:
        work: What is done with an item. Its failure is raised when its turn comes; what has been
            started after it is cancelled, as it is when nobody asks for the rest.
        items: The items.
        max_concurrency: Maximum number of items under way or waiting for their turn.

    Raises:
        ValueError: `max_concurrency` is below 1.
    """
    if max_concurrency < 1:
        raise ValueError("`max_concurrency` must be 1 or more.")

    async def done(item: T) -> R:
        return await work(item)

    started: deque[asyncio.Task[R]] = deque()
    try:
        for item in items:
            started.append(asyncio.create_task(done(item)))
            if len(started) == max_concurrency:
                yield await started[0]
                started.popleft()
        while started:
            yield await started[0]
            started.popleft()
    finally:
        for task in started:
            task.cancel()
        await asyncio.gather(*started, return_exceptions=True)


def map_ordered_sync(
    work: Callable[[T], R], items: Iterable[T], *, max_concurrency: int
) -> Generator[R, None, None]:
    """Do what `map_ordered` does in threads, which see the context variables of the caller.

    What runs in another thread cannot be cancelled: after a failure it is waited for. A single
    item is worked on in the thread of the caller.
    """
    if max_concurrency < 1:
        raise ValueError("`max_concurrency` must be 1 or more.")
    rest = iter(items)
    first = list(islice(rest, 2))
    if max_concurrency == 1 or len(first) == 1:
        yield from map(work, chain(first, rest))
        return
    started: deque[Future[R]] = deque()
    with ThreadPoolExecutor(max_concurrency) as pool:
        try:
            for item in chain(first, rest):
                started.append(pool.submit(copy_context().run, work, item))
                if len(started) == max_concurrency:
                    yield started[0].result()
                    started.popleft()
            while started:
                yield started[0].result()
                started.popleft()
        finally:
            for future in started:
                future.cancel()
