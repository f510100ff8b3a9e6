"""Events of a connection during a request, as the HTTP library reports them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runcrate_core.io.read_deadline import limit_reads

if TYPE_CHECKING:
    from collections.abc import Callable

    from runcrate_core.io.ssrf_guard import SsrfGuard

# Whole names, as looking one up costs less than comparing ends, ten times a call. A proxy's
# connection has events under names of its own.
_WAITS_FOR_RESPONSE: Final = frozenset(
    f"{protocol}.receive_response_headers.started" for protocol in ("http11", "http2")
)
_OPENED: Final = frozenset(
    f"{layer}.{event}.complete"
    for layer in ("connection", "proxy", "socks")
    for event in ("connect_tcp", "connect_unix_socket", "start_tls")
)


class ConnectionTrace:
    """Takes the events of the HTTP library's `trace` extension, for one request.

    Args:
        guard: Checks new connections, for a URL that did not come from the program.
        on_receive: Called when the request has been sent and the response is waited for.
    """

    __slots__ = ("_guard", "_on_receive")

    def __init__(self, guard: SsrfGuard | None, on_receive: Callable[[], None]) -> None:
        self._guard = guard
        self._on_receive = on_receive

    def trace(self, name: str, info: dict[str, Any]) -> None:
        """Take an event of a sync connection."""
        if self._guard is not None:
            self._guard.trace(name, info)
        if name in _WAITS_FOR_RESPONSE:
            self._on_receive()
        elif name in _OPENED:
            limit_reads(info["return_value"])

    async def atrace(self, name: str, info: dict[str, Any]) -> None:
        """Take an event of a connection of an event loop."""
        if self._guard is not None:
            await self._guard.atrace(name, info)
        if name in _WAITS_FOR_RESPONSE:
            self._on_receive()
