"""Bodies that go up: bytes and files in a row, read from disk as they are sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from runcrate_core.protocol.request import FileSource

# Files go up in pieces of this size.
UPLOAD_PIECE_BYTES: Final = 256 * 1024


def length_of(content: tuple[bytes | FileSource, ...]) -> int:
    """Return how many bytes there are."""
    return sum(len(part) if isinstance(part, bytes) else part.size() for part in content)


def pieces_of(content: tuple[bytes | FileSource, ...]) -> Iterator[bytes]:
    """Return the bytes in pieces; each file is opened when its turn comes."""
    for part in content:
        if isinstance(part, bytes):
            yield part
        else:
            with part.open() as file:
                while piece := file.read(UPLOAD_PIECE_BYTES):
                    yield piece


async def apieces_of(content: tuple[bytes | FileSource, ...]) -> AsyncIterator[bytes]:
    """Return the bytes in pieces, read off the event loop."""
    pieces = pieces_of(content)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
