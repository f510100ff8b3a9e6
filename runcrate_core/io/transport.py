"""Sending requests: one sync and one async way, over loops, threads and forks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import types
import weakref
from typing import TYPE_CHECKING, Any

from runcrate_core.errors import ConfigurationError
from runcrate_core.io.http_logs import redacted_logs
from runcrate_core.io.httpx_adapter import (
    FAILURES,
    UNUSABLE_HOSTS,
    AsyncHttpClient,
    HttpClient,
    auth_of,
    build_request,
    failure_of,
    new_async_client,
    new_client,
    time_limits,
)
from runcrate_core.io.read_deadline import ReadDeadline, reading_until
from runcrate_core.io.request_body import async_body, close_body, sync_body
from runcrate_core.io.response_body import (
    AsyncBody,
    SyncBody,
    aread_body,
    late,
    opened,
    read_body,
)
from runcrate_core.protocol.fork_safety import start_again_after_fork
from runcrate_core.protocol.response import Response, TransportFailure
from runcrate_core.protocol.timeouts import finite

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Generator

    from runcrate_core.config import Config
    from runcrate_core.io.httpx_adapter import HttpResponse
    from runcrate_core.protocol.request import Request
    from runcrate_core.protocol.steps import StreamedResponse


class SyncHttp:
    """Sends requests and blocks. Safe to share between threads; created again after a fork."""

    def __init__(self, client: HttpClient | None = None) -> None:
        _require(client, HttpClient)
        self._given = client
        self._closed = False
        self.start_again()
        start_again_after_fork(self)

    def start_again(self) -> None:
        """Make new connections, as in a child process: the parent's are left alone, not closed."""
        self._own: HttpClient | None = None
        self._owner = 0
        self._lock = threading.Lock()

    @property
    def is_given(self) -> bool:
        """True if the HTTP client is the user's own."""
        return self._given is not None

    @property
    def given(self) -> HttpClient | None:
        """The HTTP client of the user, if there is one."""
        return self._given

    def client(self, config: Config) -> HttpClient:
        """Return the HTTP client of this process, made when first needed.

        Raises:
            ConfigurationError: `close` was called, also of a client that was given, or the
                proxies or certificates that the environment names are not usable.
        """
        if self._closed:
            raise _closed_error()
        if self._given is not None:
            if self._given.is_closed:
                raise _closed_error("`http_client`")
            return self._given
        own = self._own
        if own is not None and self._owner == os.getpid():
            return own
        with self._lock:
            if self._own is None or self._owner != os.getpid():
                self._own = new_client(config.inference_url, config.base_url)
                self._owner = os.getpid()
                # A sender holds this object: connections live as long as their last user.
                weakref.finalize(self, _close_in_process, self._own, self._owner)
            return self._own

    def send(self, request: Request, config: Config) -> Response | TransportFailure:
        """Send once and read the complete response, in bounds of size and time.

        Raises:
            ResponseFormatError: The body is larger than is read.
        """
        client = self.client(config)
        deadline = ReadDeadline(finite(time_limits(client, request, config).total))
        with reading_until(deadline):
            response = self._exchange(client, request, config, deadline)
            if isinstance(response, TransportFailure):
                return response
            try:
                return read_body(request, response, deadline)
            finally:
                response.close()

    def open(
        self, request: Request, config: Config, *, raw: bool = False
    ) -> StreamedResponse | Response | TransportFailure:
        """Send once and leave the body unread, unless the status is an error."""
        client = self.client(config)
        deadline = ReadDeadline(finite(time_limits(client, request, config).total))
        with reading_until(deadline):
            response = self._exchange(client, request, config, deadline)
            if isinstance(response, TransportFailure):
                return response
            if response.is_success:
                return opened(response, SyncBody(response, raw=raw))
            try:
                return read_body(request, response, deadline)
            finally:
                response.close()

    def _exchange(
        self, client: HttpClient, request: Request, config: Config, deadline: ReadDeadline
    ) -> HttpResponse | TransportFailure:
        body = sync_body(request.content)
        try:
            built = build_request(client, request, config, body, deadline.start)
            with redacted_logs():
                return client.send(
                    built, auth=auth_of(request), stream=True, follow_redirects=False
                )
        except (*FAILURES, *UNUSABLE_HOSTS) as error:
            return late(deadline) if deadline.is_over else failure_of(error)
        finally:
            close_body(body)

    def close(self) -> None:
        """Close the connections that this object opened; a client that was given stays open."""
        self._closed = True
        own, self._own = self._own, None
        if own is not None and self._owner == os.getpid():
            own.close()


class AsyncHttp:
    """Sends requests without blocking, with one HTTP client for each event loop."""

    def __init__(self, client: AsyncHttpClient | None = None) -> None:
        _require(client, AsyncHttpClient)
        self._given = client
        self._own: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClient] = (
            weakref.WeakKeyDictionary()
        )
        self._closed = False

    @property
    def is_given(self) -> bool:
        """True if the HTTP client is the user's own."""
        return self._given is not None

    @property
    def given(self) -> AsyncHttpClient | None:
        """The HTTP client of the user, if there is one."""
        return self._given

    def client(self, config: Config) -> AsyncHttpClient:
        """Return the HTTP client of the running loop and process, made when first needed.

        Raises:
            ConfigurationError: `aclose` was called, no event loop of asyncio is running, or as
                for `SyncHttp.client`.
        """
        if self._closed:
            raise _closed_error()
        if self._given is not None:
            if self._given.is_closed:
                raise _closed_error("`http_client`")
            return self._given
        loop = _running_loop()
        if loop is None:
            raise ConfigurationError(
                "The asynchronous client runs on asyncio, and no event loop of asyncio is running "
                "here (trio is not supported). Nothing was sent. Use `asyncio.run(...)`, or "
                "`Runcrate` in a thread."
            )
        found = self._own.get(loop)
        if found is None or found.process != os.getpid():
            self._forget_ended_loops()
            found = self._own[loop] = _LoopClient(
                new_async_client(config.inference_url, config.base_url)
            )
        return found.client

    def _forget_ended_loops(self) -> None:
        """Forget loops that are closed: a loop's client refers to it, and so keeps it."""
        for reference in self._own.keyrefs():
            loop = reference()
            if loop is not None and loop.is_closed():
                self._own.pop(loop, None)

    async def send(self, request: Request, config: Config) -> Response | TransportFailure:
        """Send once and read the complete response; see `SyncHttp.send`."""
        client = self.client(config)
        deadline = ReadDeadline(finite(time_limits(client, request, config).total))
        response = await self._exchange(client, request, config, deadline)
        if isinstance(response, TransportFailure):
            return response
        try:
            return await aread_body(request, response, deadline)
        finally:
            await response.aclose()

    async def open(
        self, request: Request, config: Config, *, raw: bool = False
    ) -> StreamedResponse | Response | TransportFailure:
        """Send once and leave the body unread, unless the status is an error."""
        client = self.client(config)
        deadline = ReadDeadline(finite(time_limits(client, request, config).total))
        response = await self._exchange(client, request, config, deadline)
        if isinstance(response, TransportFailure):
            return response
        if response.is_success:
            return opened(response, AsyncBody(response, raw=raw))
        try:
            return await aread_body(request, response, deadline)
        finally:
            await response.aclose()

    async def _exchange(
        self, client: AsyncHttpClient, request: Request, config: Config, deadline: ReadDeadline
    ) -> HttpResponse | TransportFailure:
        body = async_body(request.content)
        try:
            async with asyncio.timeout(None) as limit:

                def on_receive() -> None:
                    deadline.start()
                    if deadline.total_s is not None:
                        limit.reschedule(asyncio.get_running_loop().time() + deadline.total_s)

                built = build_request(client, request, config, body, on_receive)
                with redacted_logs():
                    return await client.send(
                        built, auth=auth_of(request), stream=True, follow_redirects=False
                    )
        except TimeoutError:
            return late(deadline)
        except (*FAILURES, *UNUSABLE_HOSTS) as error:
            return failure_of(error)
        finally:
            close_body(body)

    async def aclose(self) -> None:
        """Close the connections of the running loop; those of ended loops went with them."""
        self._closed = True
        loop = _running_loop()
        found = None if loop is None else self._own.pop(loop, None)
        self._own.clear()
        if found is not None and found.process == os.getpid():
            await found.aclose()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class _LoopClient:
    """An HTTP client that is closed with its event loop, at the latest.

    `asyncio.run` closes the asynchronous generators that its loop has seen before it closes the
    loop. One of them is kept waiting here, so that connections of a loop that ends are closed in
    it, rather than found open by the garbage collector.
    """

    __slots__ = ("_closer", "client", "process")

    def __init__(self, client: AsyncHttpClient) -> None:
        self.client = client
        self.process = os.getpid()
        self._closer = _close_at_end(self.client)
        with contextlib.suppress(StopIteration):
            self._closer.__anext__().send(None)  # runs it to its `yield`, where nothing waits

    async def aclose(self) -> None:
        await self._closer.aclose()


async def _close_at_end(client: AsyncHttpClient) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await _regardless(client.aclose())


@types.coroutine
def _regardless(work: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
    """Close connections without a pause between them, and in a task that is cancelled as well.

    When a client is dropped at the end of `asyncio.run`, only a few more steps of the loop follow,
    and tasks that still run are cancelled.
    """
    while True:
        try:
            step = work.send(None)
        except StopIteration:
            return
        if step is not None:  # it waits, rather than lets others run
            with contextlib.suppress(asyncio.CancelledError):
                yield step


def _close_in_process(client: HttpClient, process: int) -> None:
    """Close a client that nobody can use any more, unless it belongs to the parent process."""
    if process == os.getpid():
        client.close()


def _closed_error(name: str = "client") -> ConfigurationError:
    return ConfigurationError(f"The {name} is closed. Nothing was sent. Make a new client.")


def _require(client: object, kind: type[HttpClient | AsyncHttpClient]) -> None:
    if client is not None and not isinstance(client, kind):
        given = type(client)
        raise ConfigurationError(
            f"`http_client` must be an `httpx.{kind.__name__}`, not "
            f"`{given.__module__}.{given.__name__}`."
        )
