"""Requests per key and minute. Pure: a window goes in, a window and a verdict come out."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=1)  # seed 000: limits are per API key and minute


@dataclass(frozen=True)
class Window:
    """The requests of one key in the running minute (emulated time)."""

    started_at: datetime
    used: int = 0


@dataclass(frozen=True)
class Verdict:
    """Rate-limit decision, and the start of the next window (emulated time)."""

    allowed: bool
    limit: int
    remaining: int
    resets_at: datetime

    def headers(self, resets_at_s: float) -> dict[str, str]:
        """Return `X-RateLimit-*` as seed 000 has them.

        Args:
            resets_at_s: The end of the window as a unix timestamp, by the clock of the `Date`
                that is sent beside it.
        """
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(resets_at_s)),
        }


def count_request(window: Window | None, limit: int, now: datetime) -> tuple[Window, Verdict]:
    """Count one request in its window; a refused request does not count."""
    if window is None or now >= window.started_at + WINDOW:
        window = Window(now)
    allowed = window.used < limit
    if allowed:
        window = Window(window.started_at, window.used + 1)
    remaining = max(limit - window.used, 0)
    return window, Verdict(allowed, limit, remaining, window.started_at + WINDOW)
