"""The state of one download: bytes received, limits, and verification."""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.errors import ResponseFormatError
from runcrate_core.protocol.body_buffer import GZIP, Inflater, content_encoding
from runcrate_core.protocol.ranges import (
    Fit,
    content_length,
    content_range,
    fit,
    is_plain,
    range_headers,
    validator,
)
from runcrate_core.protocol.response import Response, request_id_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runcrate_core.protocol.request import Request

# Larger files are taken only when the caller allows it.
DEFAULT_LIMIT: Final = 2 * 1024**3
# Enough to recognise what a file is.
HEAD_BYTES: Final = 512
# So much must come between two cuts for the second to count as the first again: a server that
# lets a few bytes through at a time must not keep a download going forever.
PROGRESS_BYTES: Final = 1024 * 1024
# How often a file that changes meanwhile, or that cannot be resumed, is started again.
MAX_RESTARTS: Final = 1

# A body that brings less than this within this many seconds comes from a server that sends a byte
# now and then; any line that is of use is a hundred times faster.
MIN_WINDOW_BYTES: Final = 1024
WINDOW_S: Final = 60.0

_SHA256: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Requirements for a file.

    Attributes:
        limit: Most bytes, after decoding.
        size: Exact length in bytes, when it is known.
        sha256: Checksum in lower-case hexadecimal, when it is known.
    """

    limit: int = DEFAULT_LIMIT
    size: int | None = None
    sha256: str | None = None

    @classmethod
    def of(cls, *, limit: int, size: int | None, sha256: str | None) -> Wanted:
        """Check what the caller wants.

        Raises:
            ValueError: A number is not one of bytes, or the checksum is none.
        """
        if limit < 1 or (size is not None and size < 0):
            raise ValueError("`limit` and `size` are numbers of bytes. Nothing was sent.")
        if sha256 is None:
            return cls(limit, size, None)
        found = _SHA256.fullmatch(sha256.strip().lower())
        if found is None:
            raise ValueError("`sha256` is not a checksum of 64 hexadecimal digits.")
        return cls(limit, size, found[1])


@dataclass(slots=True)
class Pace:
    """The rate at which a body arrives.

    Attributes:
        since: When the present window began; `None` before the first bytes.
        received: Bytes of the present window.
    """

    since: float | None = None
    received: int = 0

    def is_too_slow(self, count: int, now: float) -> bool:
        """Take note of bytes that came, and return whether the body trickles.

        Args:
            count: How many came.
            now: When, on a monotonic clock.
        """
        if self.since is None:
            self.since = now
        self.received += count
        if self.received >= MIN_WINDOW_BYTES:
            self.since, self.received = now, 0
        return now - self.since > WINDOW_S


@dataclass(slots=True)
class Transfer:
    """One download, over as many connections as it takes.

    Attributes:
        request: What asks for the file.
        wanted: What it must be.
        received: Bytes of the file so far.
        total: Its length, when it is known.
        head: Its first bytes.
        content_type: Media type that the server gave it.
    """

    request: Request
    wanted: Wanted
    received: int = 0
    total: int | None = None
    head: bytes = b""
    content_type: str = ""
    _tag: str | None = None
    _inflater: Inflater | None = None
    _hash: Any = field(default_factory=hashlib.sha256)
    _response: Response = field(default_factory=lambda: Response(200))
    _restarts: int = 0
    _cuts: int = 0
    _furthest: int = 0
    _furthest_before: int = 0

    def next_headers(self) -> tuple[tuple[str, str], ...]:
        """Return the headers to ask for the file, or for its rest, with."""
        identity = (("accept-encoding", "identity"),)
        if self.received == 0 or self._tag is None:
            return identity
        return identity + range_headers(self.received, self._tag)

    def begin(self, status: int, headers: Mapping[str, str]) -> Fit:
        """Take the head of a response.

        Returns:
            `COMPLETE` and `REST`: its body is to be taken, and for `COMPLETE` what was written is
            dropped first. `MISFIT`: it is to be closed, and the complete file to be requested.

        Raises:
            ResponseFormatError: It cannot be the file that is wanted.
        """
        self._response = Response(status, dict(headers))
        how = fit(status, headers, received=self.received, tag=self._tag, total=self.total)
        if how is Fit.MISFIT and self.received == 0:
            raise self.error("it holds a part of the file, which was not asked for")
        if how is not Fit.REST and self.received > 0:
            self._restart()
        if how is Fit.MISFIT:
            return how
        held = content_range(headers) if how is Fit.REST else None
        if held is None:
            self.total = content_length(headers) if is_plain(headers) else None
            self._tag = validator(headers)
            self._inflater = self._decoder(headers)
            self.content_type = self._response.content_type
        elif held.total is not None:
            self.total = held.total
        self._check_total()
        return how

    def take(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes of the file that the next bytes of a body are.

        Raises:
            ResponseFormatError: They are more than may come, or cannot be decoded.
        """
        pieces: Iterator[bytes] = (
            iter((data,)) if self._inflater is None else self._inflater.feed(data)
        )
        try:
            for piece in pieces:
                self.received += len(piece)
                self._furthest = max(self._furthest, self.received)
                self._check_received()
                if len(self.head) < HEAD_BYTES:
                    self.head += piece[: HEAD_BYTES - len(self.head)]
                yield piece
        except zlib.error:
            raise self.error("its compressed body cannot be decoded") from None

    def digest(self, data: bytes) -> None:
        """Add bytes that `take` gave to the checksum (slow for many bytes)."""
        if self.wanted.sha256 is not None:
            self._hash.update(data)

    def is_whole(self) -> bool:
        """True if a body that ended has completed the file.

        Raises:
            ResponseFormatError: More has come than was announced.
        """
        if self._inflater is not None:
            return self._inflater.is_whole
        if self.total is not None and self.received > self.total:
            raise self.error(f"it has more than the {self.total} bytes that it announced")
        return self.total is None or self.received == self.total

    def verify(self) -> None:
        """Verify the complete file.

        Raises:
            ResponseFormatError: Its length or its checksum is not the one that is wanted.
        """
        size, sha256 = self.wanted.size, self.wanted.sha256
        if size is not None and self.received != size:
            raise self.error(f"it has {self.received} bytes instead of {size}")
        if sha256 is not None and self._hash.hexdigest() != sha256:
            raise self.error("its SHA-256 checksum is not the one that was announced")

    def cut(self) -> int:
        """Take note of a cut; return how many there were without progress between them.

        Nothing is kept of a file whose rest cannot be requested without mixing two files.
        """
        if self._tag is None:
            self.forget()
        if self._furthest - self._furthest_before >= PROGRESS_BYTES:
            self._cuts = 0
        self._furthest_before = self._furthest
        self._cuts += 1
        return self._cuts

    def forget(self) -> None:
        """Start again: nothing of what was received is kept."""
        self.received = 0
        self.total = None
        self.head = b""
        self._tag = None
        self._inflater = None
        self._hash = hashlib.sha256()

    def misfit(self) -> None:
        """Start again, because the rest cannot be had.

        Raises:
            ResponseFormatError: That has happened before.
        """
        self._restart()

    def error(self, problem: str) -> ResponseFormatError:
        """Return the error for a file that is not what it must be."""
        return ResponseFormatError(
            f"The file of `{self.request.method} {self.request.route}` was not kept: {problem}. "
            "A file that was there before is unchanged.",
            status_code=self._response.status,
            request_id=request_id_of(self._response.headers),
        )

    def _restart(self) -> None:
        self._restarts += 1
        if self._restarts > MAX_RESTARTS:
            raise self.error(
                "the file changes while it is downloaded, or its rest cannot be asked for"
            )
        self.forget()

    def _decoder(self, headers: Mapping[str, str]) -> Inflater | None:
        if is_plain(headers):
            return None
        if content_encoding(headers) in GZIP:
            return Inflater()
        raise self.error("its body is encoded in a way that was not asked for")

    def _check_total(self) -> None:
        total, size = self.total, self.wanted.size
        if total is None:
            return
        if size is not None and total != size:
            raise self.error(f"the file has {total} bytes instead of {size}")
        if total > self.wanted.limit:
            raise self._too_large(f"the file has {total} bytes")

    def _check_received(self) -> None:
        if self.received > self.wanted.limit:
            raise self._too_large("the file is larger")
        if self.wanted.size is not None and self.received > self.wanted.size:
            raise self.error(f"the file has more than {self.wanted.size} bytes")

    def _too_large(self, problem: str) -> ResponseFormatError:
        limit = self.wanted.limit
        return self.error(f"{problem}, more than the limit of {limit}; pass a higher `limit`")
