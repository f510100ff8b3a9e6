"""Response bodies in memory: decoded as they come, never larger than a bound."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# More than ten images in base64 or two thousand embeddings, far less than a computer has.
MAX_BODY_BYTES: Final = 256 * 1024**2
# JSON compresses ten times, seldom fifty. What grows more is made to fill the memory.
MAX_EXPANSION: Final = 100
MIN_EXPANDED_BYTES: Final = 16 * 1024**2
# A compressed body is decoded in steps of at most so many bytes.
STEP_BYTES: Final = 1024**2

GZIP: Final = frozenset({"gzip", "x-gzip"})
# What servers and storage services write there although the body is as it is.
_PLAIN: Final = frozenset(
    {"", "identity", "none", "binary", "8bit", "utf-8", "utf8", "aws-chunked"}
)


class UndecodableBodyError(Exception):
    """A content encoding that is unknown, broken or cut off."""


class Inflater:
    """Decompresses gzip or deflate in steps of bounded size, however large a body would become.

    Args:
        is_gzip: Whether the data are gzip; deflate (RFC 9110: zlib) otherwise.
    """

    def __init__(self, *, is_gzip: bool = True) -> None:
        self._wbits = 31 if is_gzip else 15
        self._inflate = zlib.decompressobj(wbits=self._wbits)

    @property
    def is_whole(self) -> bool:
        """True if the end of the compressed data has come."""
        return self._inflate.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what the next compressed bytes stand for; raises `zlib.error`."""
        while True:
            if self._inflate.eof:
                if not data:
                    return
                self._inflate = zlib.decompressobj(wbits=self._wbits)  # another member follows
            piece = self._inflate.decompress(data, STEP_BYTES)
            data = self._inflate.unused_data or self._inflate.unconsumed_tail
            if piece:
                yield piece
            if not data and len(piece) < STEP_BYTES:
                return


def content_encoding(headers: Mapping[str, str]) -> str:
    """Return the content encoding in lower case; empty for none."""
    names = headers.get("content-encoding", "").lower().split(",")
    return ",".join(name.strip() for name in names if name.strip() not in _PLAIN)


class BodyBuffer:
    """The body of one response.

    Args:
        headers: Of the response, names in lower case.
        max_bytes: Most bytes to keep, after decoding.
        is_decoded: Whether the bytes are decoded already.

    Attributes:
        is_full: More came than is kept, or it grows too much for honest data; read no further.

    Raises:
        UndecodableBodyError: The content encoding was not asked for.
    """

    def __init__(
        self, headers: Mapping[str, str], max_bytes: int, *, is_decoded: bool = False
    ) -> None:
        self.is_full = False
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._encoded_bytes = 0
        self._bytes = 0
        encoding = content_encoding(headers) if "content-encoding" in headers else ""
        self._inflater: Inflater | None = None
        if encoding and not is_decoded:
            if encoding not in GZIP and encoding != "deflate":
                raise UndecodableBodyError
            self._inflater = Inflater(is_gzip=encoding in GZIP)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            UndecodableBodyError: They are not what the content encoding says.
        """
        self._encoded_bytes += len(data)
        try:
            for piece in (data,) if self._inflater is None else self._inflater.feed(data):
                self._bytes += len(piece)
                self._pieces.append(piece)
                grown = self._bytes > max(MIN_EXPANDED_BYTES, MAX_EXPANSION * self._encoded_bytes)
                if self._bytes > self._max_bytes or (grown and self._inflater is not None):
                    self.is_full = True
                    return
        except zlib.error:
            raise UndecodableBodyError from None

    def content(self) -> bytes:
        """Return the body, or its beginning if it was more.

        Raises:
            UndecodableBodyError: The encoded data were cut off.
        """
        if (
            self._inflater is not None
            and self._bytes
            and not (self.is_full or self._inflater.is_whole)
        ):
            raise UndecodableBodyError
        return self.beginning()

    def beginning(self) -> bytes:
        """Return what came of the body, however it ended."""
        return b"".join(self._pieces)[: self._max_bytes]
