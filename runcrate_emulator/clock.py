"""The emulator's clock: real, faster than real, or stepped by hand.

Everything that takes time in the emulator (an instance that starts, a video that renders, credits
that run down) is measured on this clock, so a test can live through a week in a millisecond.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """A settable clock, safe to read and set from any thread.

    Args:
        speed: Emulated seconds per real second. 1 is real time, 60 a minute a second, 0 stands
            still until `advance` is called.
        start: Emulated time at which the clock starts, aware. Default: the real time.
        monotonic: Source of real seconds; replaced in tests.
    """

    def __init__(
        self,
        speed: float = 1.0,
        start: datetime | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._first_speed = _checked_speed(speed)
        self._start = start
        self._set(start or datetime.now(UTC), self._first_speed)

    def now(self) -> datetime:
        """Return the emulated time, aware and in UTC."""
        with self._lock:
            return self._now()

    @property
    def speed(self) -> float:
        """Emulated seconds per real second; may be set at any moment, also to 0."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        with self._lock:
            self._set(self._now(), _checked_speed(speed))

    def advance(self, seconds: float) -> None:
        """Move the emulated time forward."""
        if seconds < 0:
            raise ValueError(f"The clock cannot go back; got {seconds} seconds.")
        with self._lock:
            self._set(self._now() + timedelta(seconds=seconds), self._speed)

    def reset(self) -> None:
        """Return to the time and the speed of the start."""
        with self._lock:
            self._set(self._start or datetime.now(UTC), self._first_speed)

    def _now(self) -> datetime:
        elapsed = self._monotonic() - self._anchor_real
        return self._anchor + timedelta(seconds=elapsed * self._speed)

    def _set(self, now: datetime, speed: float) -> None:
        self._anchor = now
        self._anchor_real = self._monotonic()
        self._speed = speed


def _checked_speed(speed: float) -> float:
    if speed < 0:
        raise ValueError(f"A clock speed is 0 (stands still) or more; got {speed}.")
    return speed
