"""Requests per key and minute, as frozen windows. Pure."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

_LENGTH = timedelta(minutes=1)  # seed 000: limits are per API key and minute


@dataclass(frozen=True)
class Window:
    """The requests of one key in the running minute (emulated time), after the latest of them.

    Attributes:
        allowed: Whether the latest request is within the limit.
    """

    limit: int
    started_at: datetime
    used: int
    allowed: bool

    @property
    def resets_at(self) -> datetime:
        """The start of the next window."""
        return self.started_at + _LENGTH

    def headers(self, resets_at_s: float) -> dict[str, str]:
        """Return `X-RateLimit-*` as seed 000 has them.

        The end of the window is a unix timestamp by the clock of the `Date` that is sent beside it.
        """
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(self.limit - self.used, 0)),
            "X-RateLimit-Reset": str(math.ceil(resets_at_s)),
        }


def count_request(window: Window | None, limit: int, now: datetime) -> Window:
    """Count one request in its window; a refused request does not count."""
    started_at, used = now, 0
    if window is not None and now < window.resets_at:
        started_at, used = window.started_at, window.used
    allowed = used < limit
    return Window(limit, started_at, used + allowed, allowed)
