"""uvicorn in a daemon thread, on a socket that is bound before the thread starts."""

import asyncio
import contextlib
import errno
import os
import socket
import threading
import time
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from runcrate_emulator.loopback import LOOPBACK
from runcrate_emulator.response import TRANSPORT

_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 5.0
_POLL_S = 0.001


class _Protocol(H11Protocol):
    """HTTP/1.1 that lets the gateway close its connection without a response."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        endpoints: Any = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {**scope.get("extensions", {}), TRANSPORT: transport}
            await endpoints(scope, receive, send)

        self.app = with_transport


class _Uvicorn(uvicorn.Server):
    """uvicorn that leaves no connection open behind it."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Server:
    """An ASGI application served on loopback; port 0 takes a free one."""

    def __init__(self, app: ASGIApp, port: int = 0) -> None:
        self._socket = bind(port)
        self.port: int = self._socket.getsockname()[1]
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
            )
        )
        self._thread = threading.Thread(
            target=self._run, name=f"runcrate-emulator-{self.port}", daemon=True
        )

    def start(self) -> None:
        """Serve from a daemon thread; returns when connections are accepted."""
        self._thread.start()
        until = time.monotonic() + _START_TIMEOUT_S
        while not self._uvicorn.started:
            if time.monotonic() > until:
                raise RuntimeError(f"The emulator did not start within {_START_TIMEOUT_S:g} s.")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Close every connection and end the thread."""
        self._uvicorn.should_exit = True
        self._thread.join(_STOP_TIMEOUT_S)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._uvicorn.run(sockets=[self._socket])


def bind(port: int) -> socket.socket:
    """Bind a loopback port."""
    # Naming the protocol matters: asyncio switches Nagle's algorithm off only where it is named,
    # and with it on every response on a kept connection waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":  # elsewhere the option would let two servers share the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(
                errno.EADDRINUSE, f"Port {port} is in use. Choose another one, or 0 for a free one."
            ) from None
        raise
    return listener
