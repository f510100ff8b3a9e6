"""One test for both clients: what is done is written once, the client is a parameter."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

from runcrate_core import AsyncRuncrate, Runcrate

KEY = "rc_live_test"


def without_waiting(client: Any) -> Any:
    """Make a client draw zero for its jitter, so that its own waits take no time."""
    context = client._driver.context
    policy = dataclasses.replace(context.policy, random=lambda: 0.0)
    client._driver.context = dataclasses.replace(context, policy=policy)
    return client


class Sync:
    """The blocking client."""

    name = "blocking"

    def __call__(self, use: Callable[[Any], Any], url: str, **options: Any) -> Any:
        with self.client(url, **options) as client:
            return use(client)

    @staticmethod
    def client(url: str, **options: Any) -> Runcrate:
        return without_waiting(Runcrate(KEY, base_url=url, inference_url=f"{url}/v1", **options))

    def chunks(self, url: str, *, take: int | None = None, **options: Any) -> Any:
        """Read a chat stream; return its chunks and the stream, or raise what it raises."""

        def use(client: Runcrate) -> Any:
            seen: list[Any] = []
            with client.chat.completions.stream(model="m", messages=[]) as stream:
                for chunk in stream:
                    seen.append(chunk)
                    if len(seen) == take:
                        break
            return seen, stream.completion

        return self(use, url, **options)


class Asynchronous:
    """The asynchronous client, under an event loop of its own."""

    name = "asynchronous"

    def __call__(self, use: Callable[[Any], Any], url: str, **options: Any) -> Any:
        async def main() -> Any:
            async with self.client(url, **options) as client:
                result = use(client)
                return await result if inspect.isawaitable(result) else result

        return asyncio.run(main())

    @staticmethod
    def client(url: str, **options: Any) -> AsyncRuncrate:
        return without_waiting(
            AsyncRuncrate(KEY, base_url=url, inference_url=f"{url}/v1", **options)
        )

    def chunks(self, url: str, *, take: int | None = None, **options: Any) -> Any:
        """Read a chat stream; return its chunks and the stream, or raise what it raises."""

        async def use(client: AsyncRuncrate) -> Any:
            seen: list[Any] = []
            async with client.chat.completions.stream(model="m", messages=[]) as stream:
                async for chunk in stream:
                    seen.append(chunk)
                    if len(seen) == take:
                        break
            return seen, stream.completion

        return self(use, url, **options)


BOTH = [Sync(), Asynchronous()]
