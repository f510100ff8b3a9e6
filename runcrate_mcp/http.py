"""Serve local clients over streamable HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from runcrate_core import ConfigurationError
from runcrate_mcp.server import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from runcrate_core import AsyncRuncrate
    from runcrate_mcp.settings import ServerSettings

HOST: Final = "127.0.0.1"
PATH: Final = "/mcp"
# Seconds without a request after which the clients count as gone.
IDLE_TIMEOUT_S: Final = 1800.0
# Open streams of clients delay the end of the server for at most so long (seconds).
_GRACE_S: Final = 2
_SESSION_HEADER: Final = b"mcp-session-id"

logger = logging.getLogger("runcrate_mcp")


class ClientActivity:
    """Notices when every client is gone, so that nothing keeps running unattended.

    A client of the 2025 era opens a session and closes it with DELETE. One of the 2026 era has
    none and simply stops sending requests.

    Args:
        app: The application that serves the clients.
        idle_timeout: Seconds without a request after which the clients count as gone.

    Attributes:
        gone: Set when the last session is closed, or nothing happened for the idle timeout.
    """

    def __init__(self, app: ASGIApp, idle_timeout: float = IDLE_TIMEOUT_S) -> None:
        self.gone = asyncio.Event()
        self._app = app
        self._idle_timeout = idle_timeout
        self._sessions: set[bytes] = set()
        self._open_requests = 0
        self._without_session = False
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        statuses: list[int] = []
        opened: set[bytes] = set()

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
                opened.update(_session_ids(message))
            await send(message)

        self._start_request()
        try:
            await self._app(scope, receive, watch)
        finally:
            self._end_request(scope, statuses, opened)

    def _start_request(self) -> None:
        self._open_requests += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_request(self, scope: Scope, statuses: list[int], opened: set[bytes]) -> None:
        self._open_requests -= 1
        succeeded = statuses[:1] == [HTTPStatus.OK]
        closed = succeeded and scope["method"] == "DELETE"
        if closed:
            self._sessions.difference_update(_session_ids(scope))
        else:
            self._sessions |= opened
        if succeeded and not opened and not _session_ids(scope):
            self._without_session = True
        if self._open_requests:
            return
        if closed and not self._sessions and not self._without_session:
            self._leave()
        else:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._idle_timeout, self._leave)

    def _leave(self) -> None:
        self._sessions.clear()
        self._without_session = False
        self.gone.set()


async def serve_http(
    settings: ServerSettings,
    port: int,
    client: AsyncRuncrate | None = None,
    *,
    idle_timeout: float = IDLE_TIMEOUT_S,
    on_ready: Callable[[str], object] | None = None,
) -> None:
    """Serve on the loopback interface until the process is asked to stop.

    Requests whose `Host` or `Origin` is not loopback are refused. Everything that was
    started is terminated when the last client closes its session, when no request arrived for the
    idle timeout, and when the server stops.

    Args:
        settings: Limits, directories and approval.
        port: TCP port; 0 for a free one.
        client: The client that sends the requests; made from the environment by default.
        idle_timeout: Seconds without a request after which the clients count as gone.
        on_ready: Called with the URL when requests are served.

    Raises:
        ConfigurationError: The port is in use.
    """
    service = Service.create(settings, client)
    server = service.server(_no_lifespan)
    activity = ClientActivity(
        server.streamable_http_app(streamable_http_path=PATH, host=HOST), idle_timeout
    )
    listener = _listen(port)
    config = uvicorn.Config(
        activity, log_config=None, lifespan="on", timeout_graceful_shutdown=_GRACE_S
    )
    serving = asyncio.create_task(_Server(config).serve(sockets=[listener]))
    url = f"http://{HOST}:{listener.getsockname()[1]}{PATH}"
    logger.info("Serving %s", url)
    if on_ready is not None:
        on_ready(url)
    try:
        while not serving.done():
            async with service.session():
                gone = asyncio.create_task(activity.gone.wait())
                await asyncio.wait({serving, gone}, return_when=asyncio.FIRST_COMPLETED)
                gone.cancel()
            activity.gone.clear()
        await serving
    finally:
        serving.cancel()
        listener.close()


class _Server(uvicorn.Server):
    """Leaves signals to the session, which terminates everything before the process ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Capture nothing."""
        yield


@asynccontextmanager
async def _no_lifespan(_: Any) -> AsyncIterator[dict[str, Any]]:
    yield {}


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"Port {port} cannot be used ({error.strerror}). Choose another. Nothing was started."
        ) from None
    return listener


def _session_ids(carrier: Any) -> list[bytes]:
    return [value for name, value in carrier.get("headers", ()) if name.lower() == _SESSION_HEADER]
