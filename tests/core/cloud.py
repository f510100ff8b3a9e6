"""An emulated cloud, and one way to call either client on it."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import os
import signal
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from operator import attrgetter
from typing import Any, Self

import pytest

from runcrate_emulator import Emulator
from tests.core.both_clients import KEY, awaited, each, entered, new_client
from tests.servers import Reply, ScriptedServer

# Emulated seconds a second: an instance starts in a twentieth of one, and a job is over at once.
CLOCK_SPEED = 600.0


class Both:
    """Calls methods by their names: `both("jobs.get", job.id)`, on one client of either kind."""

    def __init__(self, url: str, key: str, *, is_async: bool, **options: Any) -> None:
        self.client = new_client(url, is_async=is_async, key=key, **options)
        self.is_async = is_async
        self._loop = asyncio.Runner() if is_async else None

    def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method and return its result; of a list the first page."""
        return self.use(lambda client: attrgetter(method)(client)(*args, **kwargs))

    def use(self, function: Callable[[Any], Any]) -> Any:
        """Return what a function of the client returns, awaited where it can be."""
        if self._loop is None:
            result = function(self.client)
            return asyncio.run(result) if inspect.iscoroutine(result) else result

        async def call() -> Any:
            return await awaited(function(self.client))

        return self._loop.run(call())

    def chunks(self, *, take: int | None = None) -> tuple[list[Any], Any]:
        """Read a chat stream; return its chunks and the completion, or raise what it raises."""

        async def read(client: Any) -> Any:
            seen: list[Any] = []
            async with entered(client.chat.completions.stream(model="m", messages=[])) as stream:
                async for chunk in each(stream):
                    seen.append(chunk)
                    if len(seen) == take:
                        break
            return seen, stream.completion

        result: tuple[list[Any], Any] = self.use(read)
        return result

    def values(self, method: str, *args: Any, **kwargs: Any) -> list[Any]:
        """Call a method and go through all that it iterates over."""
        found: list[Any] = self.use(lambda c: listed(attrgetter(method)(c)(*args, **kwargs)))
        return found

    def page_values(self, page: Any) -> list[Any]:
        """Go through a page and those behind it."""
        found: list[Any] = self.use(lambda _: listed(page))
        return found

    def spend_retry_budget(self) -> None:
        """Take all retries that the client has left."""
        while self.client._driver.context.budget.take():
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is None:
            self.client.close()
        else:
            self._loop.run(self.client.aclose())
            self._loop.close()


async def listed(values: Any) -> list[Any]:
    """Return all values of an iteration of either client."""
    return [value async for value in each(values)]


@pytest.fixture(scope="session")
def _server() -> Iterator[Callable[..., Emulator]]:
    """Start an emulator for each set of options."""
    with ExitStack() as stack:
        yield functools.cache(lambda **options: stack.enter_context(Emulator(**options)))


@pytest.fixture
def cloud(request: pytest.FixtureRequest, _server: Callable[..., Emulator]) -> Iterator[Emulator]:
    """An emulator in its first state, which knows the key of either client.

    Its options are those that the test module names `EMULATOR`.
    """
    emulator = _server(**getattr(request.module, "EMULATOR", {"clock_speed": CLOCK_SPEED}))
    emulator.reset()
    emulator.add_key(KEY)
    yield emulator
    emulator.variants = ()
    assert emulator.crashes == []


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    """The kind of the client: asynchronous or not."""
    chosen: bool = request.param
    return chosen


@pytest.fixture
def both(cloud: Emulator, is_async: bool) -> Iterator[Both]:
    """Either client, on the emulator."""
    with Both(cloud.base_url, cloud.api_key, is_async=is_async) as both:
        yield both


@pytest.fixture
def at(is_async: bool) -> Iterator[Callable[..., Both]]:
    """Make either client with `at(url, **options)`."""
    with ExitStack() as stack:

        def make(url: str, **options: Any) -> Both:
            return stack.enter_context(Both(url, KEY, is_async=is_async, **options))

        yield make


@pytest.fixture
def scripted(at: Callable[..., Both]) -> Iterator[Callable[..., tuple[ScriptedServer, Both]]]:
    """Start a server with `scripted(*replies, **options)`; give it and either client on it."""
    with ExitStack() as stack:

        def start(*replies: Reply, **options: Any) -> tuple[ScriptedServer, Both]:
            server = stack.enter_context(ScriptedServer(*replies))
            return server, at(server.url, **options)

        yield start


@pytest.fixture
def failure(scripted: Callable[..., tuple[ScriptedServer, Both]]) -> Callable[..., Any]:
    """Return the error of a call: `failure(rc.NotFoundError, Reply(404), match="...")`."""

    def fail(
        kind: type[Exception],
        *replies: Reply,
        call: str | Callable[[Both], Any] = "instances.list",
        match: str | None = None,
        sent: int = 1,
        arguments: dict[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        server, both = scripted(*replies, **options)
        with pytest.raises(kind, match=match) as caught:
            both(call, **(arguments or {})) if isinstance(call, str) else call(both)
        assert server.sent == sent
        return caught.value

    return fail


@contextmanager
def memory_below(megabytes: int) -> Iterator[None]:
    """Fail if a block allocates more than so much memory at a time."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes * 1024 * 1024


def in_child(work: Callable[[], object]) -> bool:
    """Return the truth of a function's result in a forked process; False if it raises or hangs."""
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the child ends, whatever the parent set
            signal.alarm(30)
            status = 0 if work() else 2
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def sent(cloud: Emulator, route: str) -> list[Any]:
    """Return the journal's entries of a route, such as `POST /storage`."""
    return [entry for entry in cloud.requests if f"{entry.method} {entry.route}" == route]


def respond(cloud: Emulator, route: str, data: Any, **options: Any) -> None:
    """Let a route return this data, once or so many `times`."""
    body = json.dumps({"data": data}, default=str).encode()
    cloud.fail(route, **{"status": 200, "body": body} | options)
