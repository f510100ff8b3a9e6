"""Response bodies: read in chunks, drained, closed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from runcrate_core.io.httpx_adapter import (
    FAILURES,
    araw_pieces,
    failure_of,
    lower_headers,
    raw_pieces,
)
from runcrate_core.io.read_deadline import ReadDeadline, limit_reads, reading_until
from runcrate_core.protocol.body_buffer import MAX_BODY_BYTES, BodyBuffer, UndecodableBodyError
from runcrate_core.protocol.response import Failure, Response, TransportFailure, malformed
from runcrate_core.protocol.steps import StreamedResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from runcrate_core.io.httpx_adapter import HttpResponse
    from runcrate_core.protocol.request import Request

# An error page may be of any size; this much of it is read.
ERROR_BODY_BYTES: Final = 64 * 1024
# After its end mark a stream is read on so long, that its connection may be used again.
DRAIN_S: Final = 0.1
DRAIN_BYTES: Final = 4096


def _needs_decoding(response: HttpResponse, *, raw: bool) -> bool:
    # A response that was made with its content, as stand-ins do, has been read already, and only
    # the decoding iterator gives it again.
    return response.is_stream_consumed or (not raw and "content-encoding" in response.headers)


def opened(response: HttpResponse, body: SyncBody | AsyncBody) -> StreamedResponse:
    """Return a response whose body is still to be read, with headers that fit the bytes given."""
    headers = lower_headers(response)
    if body.is_decoded and "content-encoding" in headers:
        # Both speak of the encoded bytes.
        del headers["content-encoding"]
        headers.pop("content-length", None)
    return StreamedResponse(response.status_code, headers, body)


class SyncBody:
    """The unread body of a response.

    Attributes:
        is_decoded: Whether a content encoding is taken off the bytes.
        pieces: Its bytes as they come; raises `FAILURES`.
    """

    __slots__ = ("__weakref__", "_response", "is_decoded", "pieces")

    def __init__(self, response: HttpResponse, *, raw: bool = False) -> None:
        self._response = response
        self.is_decoded = _needs_decoding(response, raw=raw)
        self.pieces: Iterator[bytes] = (
            response.iter_bytes() if self.is_decoded else raw_pieces(response)
        )

    def receive(self) -> bytes | TransportFailure | None:
        """Read the next bytes; `None` at the end."""
        try:
            return next(self.pieces, None)
        except FAILURES as error:
            return failure_of(error)

    def drain(self) -> None:
        """Read what may be left behind an end mark, in narrow bounds of time and size."""
        stream = self._response.extensions.get("network_stream")
        if stream is not None:
            limit_reads(stream)
        deadline = ReadDeadline(DRAIN_S)
        deadline.start()
        left = DRAIN_BYTES
        with reading_until(deadline), contextlib.suppress(*FAILURES):
            for piece in self.pieces:
                left -= len(piece)
                if left < 0 or deadline.is_over:
                    break  # the connection is closed next, as after a failure

    def close(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        self._response.close()


class AsyncBody:
    """The unread body of a response, for an event loop.

    Attributes:
        is_decoded: Whether a content encoding is taken off the bytes.
        pieces: Its bytes as they come; raises `FAILURES`.
    """

    __slots__ = ("__weakref__", "_response", "is_decoded", "pieces")

    def __init__(self, response: HttpResponse, *, raw: bool = False) -> None:
        self._response = response
        self.is_decoded = _needs_decoding(response, raw=raw)
        self.pieces: AsyncIterator[bytes] = (
            response.aiter_bytes() if self.is_decoded else araw_pieces(response)
        )

    async def receive(self) -> bytes | TransportFailure | None:
        """Read the next bytes; `None` at the end."""
        try:
            return await anext(self.pieces, None)
        except FAILURES as error:
            return failure_of(error)

    async def drain(self) -> None:
        """Read what may be left behind an end mark, in narrow bounds of time and size."""
        left = DRAIN_BYTES
        try:
            async with asyncio.timeout(DRAIN_S):
                async for piece in self.pieces:
                    left -= len(piece)
                    if left < 0:
                        break
        except (*FAILURES, TimeoutError):
            pass  # the body stays open or broke; either way the connection is closed next

    async def close(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        await self._response.aclose()


class BodyReading:
    """The decisions about a body that is read into memory: decoding, bounds, and what it becomes.

    Args:
        request: What was sent.
        response: The response, unread.
        deadline: Until when it must be complete.
    """

    def __init__(self, request: Request, response: HttpResponse, deadline: ReadDeadline) -> None:
        self._request = request
        self._head = Response(response.status_code, lower_headers(response))
        self._is_success = response.is_success
        self._deadline = deadline
        self._failure: TransportFailure | None = None
        # A response that was made with its content, as mock transports do, is decoded already.
        self.is_consumed = response.is_stream_consumed
        self._buffer = BodyBuffer(
            {} if self.is_consumed else self._head.headers,
            MAX_BODY_BYTES if self._is_success else ERROR_BODY_BYTES,
        )

    def feed(self, data: bytes) -> bool:
        """Take the next bytes; whether to read on."""
        self._buffer.feed(data)
        if self._deadline.is_over:
            self._failure = late(self._deadline)
        return not self._buffer.is_full and self._failure is None

    def fail(self, failure: TransportFailure) -> None:
        """Note that the connection failed before the body was complete."""
        self._failure = late(self._deadline) if self._deadline.is_over else failure

    def result(self) -> Response | TransportFailure:
        """Return the response with its body; of an error page, as much as came of it.

        Raises:
            ResponseFormatError: It is larger than is read.
        """
        status, headers = self._head.status, self._head.headers
        if not self._is_success:
            return Response(status, headers, self._buffer.beginning())
        if self._buffer.is_full:
            raise malformed(
                self._head,
                self._request,
                f"its body is larger than is read ({MAX_BODY_BYTES // 1024**2} MB), or a small "
                "body that is compressed without end",
            )
        if self._failure is not None:
            return self._failure
        return Response(status, headers, self._buffer.content())


def late(deadline: ReadDeadline) -> TransportFailure:
    """Return the failure of a response that was not complete in time."""
    return TransportFailure(
        Failure.READ_TIMEOUT, f"it was not complete after {deadline.total_s or 0:g} s"
    )


def read_body(
    request: Request, response: HttpResponse, deadline: ReadDeadline
) -> Response | TransportFailure:
    """Read a body into memory, in bounds of size and time."""
    try:
        reading = BodyReading(request, response, deadline)
        try:
            pieces = response.iter_bytes() if reading.is_consumed else raw_pieces(response)
            for piece in pieces:
                if not reading.feed(piece):
                    break
        except FAILURES as error:
            reading.fail(failure_of(error))
        return reading.result()
    except UndecodableBodyError:
        return TransportFailure(Failure.UNREADABLE)


async def aread_body(
    request: Request, response: HttpResponse, deadline: ReadDeadline
) -> Response | TransportFailure:
    """Read a body into memory, in bounds of size and time."""
    try:
        reading = BodyReading(request, response, deadline)
        try:
            pieces = response.aiter_bytes() if reading.is_consumed else araw_pieces(response)
            async with asyncio.timeout(deadline.left_s):
                async for piece in pieces:
                    if not reading.feed(piece):
                        break
        except TimeoutError:
            reading.fail(late(deadline))
        except FAILURES as error:
            reading.fail(failure_of(error))
        return reading.result()
    except UndecodableBodyError:
        return TransportFailure(Failure.UNREADABLE)
