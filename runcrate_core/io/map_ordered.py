"""Several things at once, and their results in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def map_ordered(
    work: Callable[[T], Awaitable[R]], items: Iterable[T], *, max_concurrency: int
) -> AsyncGenerator[R, None]:
    """Work on several items at once and yield the results in the order of the items.

    Args:
        work: What is done with an item. Its failure is raised when its turn comes; what has been
            begun behind it is cancelled, as it is when nobody asks for the rest.
        items: The items.
        max_concurrency: Maximum number of items under way or waiting for their turn.

    Raises:
        ValueError: `max_concurrency` is below 1.
    """
    if max_concurrency < 1:
        raise ValueError("`max_concurrency` must be 1 or more.")

    async def done(item: T) -> R:
        return await work(item)

    begun: deque[asyncio.Task[R]] = deque()
    try:
        for item in items:
            begun.append(asyncio.create_task(done(item)))
            if len(begun) == max_concurrency:
                yield await begun[0]
                begun.popleft()
        while begun:
            yield await begun[0]
            begun.popleft()
    finally:
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
