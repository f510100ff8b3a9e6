"""Bodies of requests: the file of a body that was cut is closed."""

from __future__ import annotations

import asyncio
import io
import threading
from typing import BinaryIO

import pytest

from runcrate_core.io.request_body import UPLOAD_PIECE_BYTES, async_body, close_body, sync_body
from tests.core.both_clients import cancelled, each


class Recording:
    """A source that says when it was opened and closed, and can be slow to read."""

    def __init__(self) -> None:
        self.may_read = threading.Event()
        self.may_read.set()
        self.reading = threading.Event()
        self.file = io.BytesIO(b"x" * (3 * UPLOAD_PIECE_BYTES))

    def open(self) -> BinaryIO:
        self.reading.set()
        self.may_read.wait(10)
        return self.file

    def size(self) -> int:
        return 3 * UPLOAD_PIECE_BYTES


@pytest.mark.parametrize("make", [sync_body, async_body])
async def test_a_body_that_was_cut_closes_its_file(make):
    """The server responded, or the connection broke, before all of it was sent."""
    source = Recording()
    body = make((b"head", source))
    pieces = each(body)
    assert [await anext(pieces), len(await anext(pieces))] == [b"head", UPLOAD_PIECE_BYTES]
    close_body(body)
    assert source.file.closed
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)


async def test_a_cancelled_read_closes_the_file_in_its_thread():
    """A thread that opens a file cannot be cancelled; it closes what it opened."""
    source = Recording()
    source.may_read.clear()
    body = async_body((source,))
    read = asyncio.ensure_future(anext(aiter(body)))
    await asyncio.to_thread(source.reading.wait, 10)
    await cancelled(read)
    close_body(body)
    assert not source.file.closed
    source.may_read.set()
    while not source.file.closed:  # noqa: ASYNC110 - a file sets no event
        await asyncio.sleep(0.01)
