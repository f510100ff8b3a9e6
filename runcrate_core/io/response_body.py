"""Bodies that come down: read in pieces, drained, closed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from runcrate_core.io.httpx_adapter import (
    FAILURES,
    araw_pieces,
    failure_of,
    lower_headers,
    raw_pieces,
)
from runcrate_core.protocol.steps import StreamedResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from runcrate_core.io.httpx_adapter import HttpResponse
    from runcrate_core.protocol.response import TransportFailure

# An error page may be of any size; this much of it is read.
ERROR_BODY_BYTES: Final = 64 * 1024
# After its end mark a stream is read on so long, that its connection may be used again.
DRAIN_S: Final = 0.1
DRAIN_BYTES: Final = 4096


def _needs_decoding(response: HttpResponse, *, raw: bool) -> bool:
    # An answer that was made with its content, as stand-ins do, has been read already, and only
    # the decoding iterator gives it again.
    return response.is_stream_consumed or (not raw and "content-encoding" in response.headers)


def opened(response: HttpResponse, body: SyncBody | AsyncBody) -> StreamedResponse:
    """Return an answer whose body is still to be read, with headers that fit the bytes given."""
    headers = lower_headers(response)
    if body.is_decoded and "content-encoding" in headers:
        # Both speak of the encoded bytes.
        del headers["content-encoding"]
        headers.pop("content-length", None)
    return StreamedResponse(response.status_code, headers, body)


class SyncBody:
    """The unread body of an answer.

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
        deadline = time.monotonic() + DRAIN_S
        if stream is not None:
            # The read timeout was fixed when the request was sent; here a much shorter one holds.
            stream.read = _hurried(stream.read, deadline)
        try:
            left = DRAIN_BYTES
            for piece in self.pieces:
                left -= len(piece)
                if left < 0 or time.monotonic() > deadline:
                    break
        except FAILURES:
            pass  # the body stays open or broke; either way the connection is closed next
        finally:
            if stream is not None:
                del stream.read

    def close(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        self._response.close()


def _hurried(read: Callable[..., bytes], deadline: float) -> Callable[..., bytes]:
    def read_until_deadline(most: int, timeout: float | None = None) -> bytes:
        left = max(0.001, deadline - time.monotonic())
        return read(most, timeout=left if timeout is None else min(left, timeout))

    return read_until_deadline


class AsyncBody:
    """The unread body of an answer, for an event loop.

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


def first_bytes(response: HttpResponse) -> bytes:
    """Return the beginning of an error page."""
    body = bytearray()
    try:
        for piece in response.iter_bytes():
            body += piece
            if len(body) >= ERROR_BODY_BYTES:
                break
    except FAILURES:
        pass  # the status says enough; an explanation that breaks off is used as far as it goes
    return bytes(body[:ERROR_BODY_BYTES])


async def afirst_bytes(response: HttpResponse) -> bytes:
    """Return the beginning of an error page."""
    body = bytearray()
    try:
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) >= ERROR_BODY_BYTES:
                break
    except FAILURES:
        pass  # the status says enough; an explanation that breaks off is used as far as it goes
    return bytes(body[:ERROR_BODY_BYTES])
