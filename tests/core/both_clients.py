"""One test for both clients: what is done is written once, the client is a parameter."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from runcrate_core import AsyncRuncrate, Runcrate

KEY = "rc_live_test"


def without_waiting(client: Any) -> Any:
    """Make a client draw zero for its jitter, so that its own waits take no time."""
    context = client._driver.context
    policy = dataclasses.replace(context.policy, random=lambda: 0.0)
    client._driver.context = dataclasses.replace(context, policy=policy)
    return client


async def awaited(result: Any) -> Any:
    """Return the result of a call of either client."""
    return await result if inspect.isawaitable(result) else result


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


class EitherClient:
    """Runs `use(client)`, whose result may be awaited, with a client of one kind."""

    def __init__(self, name: str, kind: type[Runcrate | AsyncRuncrate]) -> None:
        self.name = name
        self.kind = kind
        self.is_async = kind is AsyncRuncrate

    def client(self, url: str, **options: Any) -> Any:
        made = self.kind(KEY, base_url=url, inference_url=f"{url}/v1", **options)
        return without_waiting(made)

    def __call__(self, use: Callable[[Any], Any], url: str, **options: Any) -> Any:
        async def main() -> Any:
            async with self.client(url, **options) as client:
                return await awaited(use(client))

        if self.is_async:
            return asyncio.run(main())
        with self.client(url, **options) as client:
            result = use(client)
            return asyncio.run(result) if inspect.iscoroutine(result) else result

    def chunks(self, url: str, *, take: int | None = None, **options: Any) -> Any:
        """Read a chat stream; return its chunks and the completion, or raise what it raises."""

        async def use(client: Any) -> Any:
            seen: list[Any] = []
            async with entered(client.chat.completions.stream(model="m", messages=[])) as stream:
                async for chunk in each(stream):
                    seen.append(chunk)
                    if len(seen) == take:
                        break
            return seen, stream.completion

        return self(use, url, **options)


SYNC = EitherClient("sync", Runcrate)
ASYNC = EitherClient("async", AsyncRuncrate)
BOTH = [SYNC, ASYNC]
