"""Response writer of the gateway: adds headers, and applies faults to responses."""

from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from runcrate_emulator.faults import Fault, malform_json

NO_CONTENT = 204
TRANSPORT = "runcrate_emulator.transport"
"""Name of the ASGI extension by which the emulator's server hands over the connection."""


class HungUpError(Exception):
    """The connection was closed on purpose; the endpoint has nobody left to respond to."""


class ResponseWriter:
    """An ASGI `send` that applies a fault.

    Args:
        scope: The request's scope.
        receive: The server's `receive`, used to notice that the client has left.
        send: The server's `send`.
        record: Called once, with the status or None, before the last byte is sent.

    Attributes:
        headers: Headers that are set on the response.
        fault: Fault that breaks the response that is to come.
        status: Status line that the client has received; None before.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, record: Callable[[int | None], None]
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._record = record
        self.headers: dict[str, str] = {}
        self.fault: Fault | None = None
        self._chunks = 0
        self.status: int | None = None
        self._recorded = False

    def finish(self) -> None:
        """Record the request if its response never came to an end."""
        if not self._recorded:
            self._recorded = True
            self._record(self.status)

    async def __call__(self, message: Message) -> None:
        """Take one ASGI message of the response."""
        fault = self.fault
        if fault is not None and (fault.lose_response or fault.replaces_response):
            return  # whatever the endpoint says: the fault has its own response, or none
        if message["type"] == "http.response.start":
            await self._start(message)
        else:
            await self._body(message)

    async def _start(self, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        headers.update(self.headers)
        self.status = message["status"]
        if headers.get("content-length") == "0" or self.status == NO_CONTENT:
            self.finish()  # with its head the client has all of it
        await self._send(message)

    async def _body(self, message: Message) -> None:
        fault = self.fault
        if fault is not None:
            if self._chunks == fault.cut_after_chunks:
                await self.hang_up()
            if self._chunks == fault.stall_after_chunks:
                await self._client_left()
                raise HungUpError
            if fault.malformed_json and self._chunks == 0 and message.get("body"):
                message = {**message, "body": malform_json(message["body"])}
        if message.get("body"):
            self._chunks += 1
        if not message.get("more_body", False):
            self.finish()
        await self._send(message)

    async def hang_up(self) -> None:
        """Close the connection, whatever was sent so far, and end the endpoint."""
        self.finish()
        transport = self._scope.get("extensions", {}).get(TRANSPORT)
        if transport is None:
            raise ConnectionResetError("The emulator closed the connection, as it was asked to.")
        transport.close()
        await self._client_left()
        raise HungUpError

    async def _client_left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
