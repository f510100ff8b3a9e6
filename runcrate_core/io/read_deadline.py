"""Deadline for a complete response; the HTTP library only limits silence.

A server that sends a byte now and then never exceeds a limit of silence. On an event loop
`asyncio.timeout` ends it. A sync read is given less and less time instead: each connection's
`read` is wrapped when it is opened, and asks for the deadline of the call that is being made.
"""

from __future__ import annotations

import contextlib
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Time enough to take what has arrived already.
MIN_READ_S: Final = 0.001

_present: ContextVar[ReadDeadline | None] = ContextVar("runcrate_read_deadline", default=None)


class ReadDeadline:
    """The time by which a response must be complete.

    Args:
        total_s: Seconds from `start` on; `None` for no limit.
    """

    __slots__ = ("_at", "total_s")

    def __init__(self, total_s: float | None) -> None:
        self.total_s = total_s
        self._at: float | None = None

    def start(self) -> None:
        """Start the clock, once the request has been sent."""
        if self.total_s is not None:
            self._at = time.monotonic() + self.total_s

    @property
    def left_s(self) -> float | None:
        """Seconds that are left; `None` without a limit or before the start."""
        return None if self._at is None else self._at - time.monotonic()

    @property
    def is_over(self) -> bool:
        """True if the deadline has passed."""
        left = self.left_s
        return left is not None and left <= 0


@contextlib.contextmanager
def reading_until(deadline: ReadDeadline) -> Iterator[ReadDeadline]:
    """Hold the reads of this thread's calls to a deadline within the block."""
    token = _present.set(deadline)
    try:
        yield deadline
    finally:
        _present.reset(token)


def limit_reads(stream: Any) -> None:
    """Make the reads of a sync connection heed the deadline of the reading thread."""
    if "read" not in vars(stream):
        stream.read = _read_in_time(stream.read)


def _read_in_time(read: Callable[..., bytes]) -> Callable[..., bytes]:
    def read_in_time(max_bytes: int, timeout: float | None = None) -> bytes:
        deadline = _present.get()
        left = None if deadline is None else deadline.left_s
        if left is not None:
            left = max(MIN_READ_S, left)
            timeout = left if timeout is None else min(left, timeout)
        return read(max_bytes, timeout)

    return read_in_time
