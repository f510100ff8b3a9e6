"""Bodies that go up: bytes and files in a row, in pieces; files are read as they are sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeGuard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from runcrate_core.protocol.request import Content, FileSource

# Bodies go up in pieces of this size. The HTTP library copies what is left of a piece with each
# write to the socket, and an event loop encrypts a piece at once.
UPLOAD_PIECE_BYTES: Final = 256 * 1024


def length_of(content: bytes | tuple[bytes | FileSource, ...]) -> int:
    """Return how many bytes there are."""
    if isinstance(content, bytes):
        return len(content)
    return sum(len(part) if isinstance(part, bytes) else part.size() for part in content)


def is_piecewise(content: Content | None) -> TypeGuard[bytes | tuple[bytes | FileSource, ...]]:
    """Return whether a body goes up in pieces, rather than at once."""
    return isinstance(content, tuple) or (content is not None and len(content) > UPLOAD_PIECE_BYTES)


def pieces_of(content: bytes | tuple[bytes | FileSource, ...]) -> Iterator[bytes]:
    """Return the bytes in pieces; each file is opened when its turn comes."""
    for part in content if isinstance(content, tuple) else (content,):
        if isinstance(part, bytes):
            for start in range(0, len(part), UPLOAD_PIECE_BYTES):
                yield part[start : start + UPLOAD_PIECE_BYTES]
        else:
            with part.open() as file:
                while piece := file.read(UPLOAD_PIECE_BYTES):
                    yield piece


async def apieces_of(content: bytes | tuple[bytes | FileSource, ...]) -> AsyncIterator[bytes]:
    """Return the bytes in pieces, read off the event loop."""
    pieces = pieces_of(content)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
