"""Files to send: opened again for each attempt, and read in pieces."""

from __future__ import annotations

import base64
import inspect
import io
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runcrate_core.protocol.request import FileSource


@dataclass(frozen=True, slots=True)
class BytesSource:
    """Bytes in memory."""

    data: bytes = field(repr=False)

    def open(self) -> BinaryIO:
        """Return the content, to be read from its beginning."""
        return io.BytesIO(self.data)

    def size(self) -> int:
        """Return the length in bytes."""
        return len(self.data)


@dataclass(frozen=True, slots=True)
class PathSource:
    """A file on the disk."""

    path: Path

    def open(self) -> BinaryIO:
        """Return the content, to be read from its beginning."""
        return self.path.open("rb")

    def size(self) -> int:
        """Return the length in bytes."""
        return self.path.stat().st_size


@dataclass(frozen=True, slots=True)
class ObjectSource:
    """A file object of the caller, which stays open. All of it is sent, wherever it stands.

    Attributes:
        file: Binary and seekable.
    """

    file: BinaryIO = field(repr=False)

    def open(self) -> BinaryIO:
        """Return the content, to be read from its beginning."""
        self.file.seek(0)
        return _reader(self.file.read, lambda: None)

    def size(self) -> int:
        """Return the length in bytes."""
        return self.file.seek(0, os.SEEK_END)


@dataclass(frozen=True, slots=True)
class FixedSource:
    """The first bytes of another source: a file may still grow while it is sent.

    Attributes:
        source: What is read.
        length: How many bytes of it are sent.
    """

    source: FileSource
    length: int

    @classmethod
    def of(cls, source: FileSource) -> FixedSource:
        """Return a source at its present length (blocks)."""
        return cls(source, source.size())

    def open(self) -> BinaryIO:
        """Return the content, to be read from its beginning."""
        file, left = self.source.open(), self.length

        def read(size: int) -> bytes:
            nonlocal left
            data = file.read(min(size, left))
            if left and not data:
                raise OSError(
                    "A file became shorter while it was sent, so the request was cut off. Send it "
                    "again when it is complete."
                )
            left -= len(data)
            return data

        return _reader(read, file.close)

    def size(self) -> int:
        """Return the length in bytes."""
        return self.length


@dataclass(frozen=True, slots=True)
class Base64Source:
    """Another source in base64, encoded as it is read."""

    source: FileSource

    def open(self) -> BinaryIO:
        """Return the encoded content, to be read from its beginning."""
        file = self.source.open()

        def read(size: int) -> bytes:
            # Only whole groups of three bytes can be encoded apart from what follows.
            wanted = max(size // 4, 1) * 3
            data = bytearray()
            while len(data) < wanted and (piece := file.read(wanted - len(data))):
                data += piece
            return base64.b64encode(data)

        return _reader(read, file.close)

    def size(self) -> int:
        """Return the length of the encoded content."""
        return (self.source.size() + 2) // 3 * 4


@dataclass(frozen=True, slots=True)
class WatchedSource:
    """Another source, whose reading is reported to a callback.

    Attributes:
        source: What is read.
        on_progress: Called with the bytes done and all of them, in the thread that reads.
    """

    source: FileSource
    on_progress: Callable[[int, int | None], Any]

    def open(self) -> BinaryIO:
        """Return the content, to be read from its beginning."""
        # The size first: to tell it, a file object is moved to its end.
        total, file, done = self.source.size(), self.source.open(), 0

        def read(size: int) -> bytes:
            nonlocal done
            data = file.read(size)
            done += len(data)
            if data:
                self.on_progress(done, total)
            return data

        return _reader(read, file.close)

    def size(self) -> int:
        """Return the length in bytes."""
        return self.source.size()


def watched(source: FileSource, on_progress: Callable[[int, int | None], Any]) -> WatchedSource:
    """Return a source whose reading is reported to a callback.

    Raises:
        TypeError: The callback is asynchronous: it is called while a thread reads the file.
    """
    if inspect.iscoroutinefunction(on_progress):
        raise TypeError(
            "`on_progress` of an upload is called from the thread that reads the file, so it must "
            "be an ordinary function. Nothing was sent."
        )
    return WatchedSource(source, on_progress)


class _Reader(io.BufferedIOBase):
    """A stream made of a function that reads, and one that closes."""

    def __init__(self, read: Callable[[int], bytes], close: Callable[[], object]) -> None:
        self._read = read
        self._close = close

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size >= 0:
            return self._read(size)
        return b"".join(iter(lambda: self._read(io.DEFAULT_BUFFER_SIZE), b""))

    def close(self) -> None:
        if not self.closed:
            self._close()
        super().close()


def _reader(read: Callable[[int], bytes], close: Callable[[], object]) -> BinaryIO:
    return cast("BinaryIO", _Reader(read, close))
