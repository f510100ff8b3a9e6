"""One test for both clients: what is done is written once, the client is a parameter."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from runcrate_core import AsyncRuncrate, Runcrate

KEY = "rc_live_test"


def new_client(url: str, *, is_async: bool = False, key: str = KEY, **options: Any) -> Any:
    """Return a client of either kind that draws zero for its jitter: its own waits take no time."""
    kind = AsyncRuncrate if is_async else Runcrate
    client = kind(key, **{"base_url": url, "inference_url": f"{url}/v1"} | options)
    context = client._driver.context
    policy = dataclasses.replace(context.policy, random=lambda: 0.0)
    client._driver.context = dataclasses.replace(context, policy=policy)
    return client


def active_connections(client: Any) -> int:
    """Return how many connections are in use; in the event loop of an asynchronous client."""
    pool = client._driver.http.client(client._driver.config)._transport._pool
    return sum(not connection.is_idle() for connection in pool.connections)


async def awaited(result: Any) -> Any:
    """Return the result of a call of either client."""
    return await result if inspect.isawaitable(result) else result


async def cancelled(task: asyncio.Future[Any]) -> BaseException:
    """Cancel a call; return the error that it ends with."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    return caught.value


@asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """Enter a context manager of either client."""
    if hasattr(manager, "__aenter__"):
        async with manager as value:
            yield value
    else:
        with manager as value:
            yield value


async def each(values: Any) -> AsyncIterator[Any]:
    """Iterate over what either client returned."""
    if hasattr(values, "__aiter__"):
        async for value in values:
            yield value
    else:
        for value in values:
            yield value
