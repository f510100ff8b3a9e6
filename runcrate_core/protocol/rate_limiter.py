"""The rate limit of a key: reading its headers, and waiting instead of running into it."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from runcrate_core.protocol.fork_safety import start_again_after_fork
from runcrate_core.protocol.http_date import server_time

# Above this a reset is a moment, below it a number of seconds (the year 2001 against 31 years).
_EPOCH_FLOOR: Final = 1e9
# Above this a moment is in milliseconds (the year 33658 against 2001), as of OpenRouter.
_MILLISECONDS_FLOOR: Final = 1e12
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|h|m|s))+")
_IETF_RESET = re.compile(r"(?:^|[;,\s])t=(\d+)")
_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

# Before the first response reports the limit, this many calls may be under way. Enough for any
# ordinary program to feel nothing, few enough not to overrun the smallest plausible limit.
UNKNOWN_LIMIT_IN_FLIGHT: Final = 50
# How often a call that is held back for the first response asks again, in seconds.
FIRST_RESPONSE_POLL_S: Final = 0.02
# Calls held back for a reset are spread over this many seconds behind it.
RESET_SPREAD_S: Final = 0.25
# A window is a minute (seed 000); a longer wait than this is a misread header.
MAX_WINDOW_S: Final = 120.0
WINDOW_S: Final = 60.0
# Two responses of one window may name its end this far apart, as both dates are whole seconds.
SAME_WINDOW_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """State of a key's rate limit, as a response reported it (seed 000).

    Attributes:
        limit: Most requests in a minute.
        remaining: Requests left in the present window.
        reset_in_s: Seconds until the window ends, counted from the response.
    """

    limit: int | None
    remaining: int | None
    reset_in_s: float | None

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> RateLimit | None:
        """Return the state that the headers report, or `None` if they report none."""
        if "x-ratelimit-limit" not in headers and "x-ratelimit-remaining" not in headers:
            return None
        return cls(
            limit=_integer(headers.get("x-ratelimit-limit", "")),
            remaining=_integer(headers.get("x-ratelimit-remaining", "")),
            reset_in_s=reset_in_s(headers),
        )


def reset_in_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until `X-RateLimit-Reset`, or `None` when it is absent or garbage.

    Runcrate sends a unix timestamp (seed 000), which is compared with the response's own `Date`;
    plain seconds, durations such as `6m0s`, and `t=` of the IETF draft are read as well.
    """
    text = headers.get("x-ratelimit-reset") or headers.get("x-ratelimit-reset-requests") or ""
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        if _DURATION.fullmatch(text):
            parts = _DURATION_PART.findall(text)
            return sum(float(amount) * _UNIT_S[unit] for amount, unit in parts)
        found = _IETF_RESET.search(text)
        if found is None:
            return None
        number = float(found[1])
    if not math.isfinite(number) or number < 0:
        return None
    if number < _EPOCH_FLOOR:
        return number
    if number >= _MILLISECONDS_FLOOR:
        number /= 1000
    sent_at = server_time(headers)
    return max(0.0, number - (sent_at.timestamp() if sent_at else time.time()))


def _integer(text: str) -> int | None:
    text = text.strip()
    max_digits = 12
    return int(text) if text.isdecimal() and len(text) <= max_digits else None


class RateLimiter:
    """Holds calls back while their key's window is spent; shared by all calls on one key.

    It does no waiting itself: `acquire` says how long to wait before asking again, 0 meaning that
    the call may go now (and has been counted). All times are of one monotonic clock, in seconds.
    """

    def __init__(self) -> None:
        self.start_again()
        start_again_after_fork(self)

    def start_again(self) -> None:
        """Forget everything, as in a child process: the parent's calls never end there."""
        self._lock = threading.Lock()
        self._responded = False
        self._in_flight = 0
        self._remaining: int | None = None
        self._limit: int | None = None
        self._resets_at = 0.0
        self._end_is_assumed = False

    def acquire(self, now: float, random: Callable[[], float]) -> float:
        """Return 0 and count the call, or the seconds after which to ask again.

        Args:
            now: Present time.
            random: Gives numbers from 0 to 1, so that waiting calls do not all return at once;
                called for these only, as the operating system gives the numbers.
        """
        with self._lock:
            if not self._responded and self._in_flight >= UNKNOWN_LIMIT_IN_FLIGHT:
                return FIRST_RESPONSE_POLL_S * (1 + random())
            if self._remaining is not None:
                if now >= self._resets_at:
                    self._remaining, self._resets_at = self._limit, now + WINDOW_S
                    self._end_is_assumed = True
                elif self._remaining <= 0:
                    return self._resets_at - now + RESET_SPREAD_S * random()
            if self._remaining is not None:
                self._remaining -= 1
            self._in_flight += 1
            return 0.0

    def release(self, state: RateLimit | None, *, responded: bool, now: float) -> None:
        """Release a call that was acquired.

        Args:
            state: State from the response headers, if any.
            responded: Whether there was a response at all.
            now: Present time.
        """
        with self._lock:
            self._in_flight -= 1
            self._responded = self._responded or responded
            if state is None or state.remaining is None or state.reset_in_s is None:
                return
            if state.reset_in_s > MAX_WINDOW_S:
                return
            self._limit = state.limit
            resets_at = now + state.reset_in_s
            # Calls under way may not be counted by the server yet.
            left = state.remaining - self._in_flight
            if self._remaining is None:
                self._remaining, self._resets_at = left, resets_at
            elif self._end_is_assumed or abs(resets_at - self._resets_at) < SAME_WINDOW_S:
                self._remaining, self._resets_at = min(self._remaining, left), resets_at
            elif resets_at > self._resets_at:
                self._remaining, self._resets_at = left, resets_at
            self._end_is_assumed = False
