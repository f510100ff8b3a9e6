"""Request bodies: bytes and files in sequence, read and sent in chunks."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Final, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Generator

    from runcrate_core.protocol.request import Content, FileSource

# Bodies go up in pieces of this size. The HTTP library copies what is left of a piece with each
# write to the socket, and an event loop encrypts a piece at once.
UPLOAD_PIECE_BYTES: Final = 256 * 1024


def length_of(content: bytes | tuple[bytes | FileSource, ...]) -> int:
    """Return the length in bytes."""
    if isinstance(content, bytes):
        return len(content)
    return sum(len(part) if isinstance(part, bytes) else part.size() for part in content)


def is_piecewise(content: Content | None) -> TypeGuard[bytes | tuple[bytes | FileSource, ...]]:
    """Return whether a body is sent in chunks, rather than at once."""
    return isinstance(content, tuple) or (content is not None and len(content) > UPLOAD_PIECE_BYTES)


def pieces_of(content: bytes | tuple[bytes | FileSource, ...]) -> Generator[bytes, None, None]:
    """Yield the bytes in chunks; each file is opened when its turn comes."""
    for part in content if isinstance(content, tuple) else (content,):
        if isinstance(part, bytes):
            for start in range(0, len(part), UPLOAD_PIECE_BYTES):
                yield part[start : start + UPLOAD_PIECE_BYTES]
        else:
            with part.open() as file:
                while piece := file.read(UPLOAD_PIECE_BYTES):
                    yield piece


def sync_body(content: Content | None) -> bytes | Generator[bytes, None, None] | None:
    """Return a body in the form of the HTTP library; to be closed with `close_body`."""
    return pieces_of(content) if is_piecewise(content) else content  # type: ignore[return-value] # bytes


def async_body(content: Content | None) -> bytes | ThreadedReader | None:
    """Return a body that is read off the event loop; to be closed with `close_body`."""
    return ThreadedReader(pieces_of(content)) if is_piecewise(content) else content  # type: ignore[return-value] # bytes


def close_body(body: bytes | Generator[bytes, None, None] | ThreadedReader | None) -> None:
    """Close the file that is open, if there is one: a body that was cut leaves none behind."""
    if body is not None and not isinstance(body, bytes):
        body.close()


class ThreadedReader:
    """The pieces of a body, each read in a thread that may outlast a cancelled call."""

    def __init__(self, pieces: Generator[bytes, None, None]) -> None:
        self._pieces = pieces
        self._reading = threading.Lock()
        self._closed = False

    def __aiter__(self) -> ThreadedReader:
        return self

    async def __anext__(self) -> bytes:
        if (piece := await asyncio.to_thread(self._read)) is None:
            raise StopAsyncIteration
        return piece

    def _read(self) -> bytes | None:
        with self._reading:
            piece = None if self._closed else next(self._pieces, None)
        if self._closed:
            self.close()
        return piece

    def close(self) -> None:
        """Close the open file; if a thread is reading it, that thread closes it."""
        self._closed = True
        if self._reading.acquire(blocking=False):
            try:
                self._pieces.close()
            finally:
                self._reading.release()
