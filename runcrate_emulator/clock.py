"""The emulator's clock: real, faster than real, or stepped by hand.

Everything that takes time in the emulator (a machine that starts, a video that renders, credits
that run down) is measured on this clock, so a test can live through a week in a millisecond.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Waiter = tuple[asyncio.AbstractEventLoop, asyncio.Event]


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
        self._waiters: set[Waiter] = set()
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
        self._wake()

    def advance(self, seconds: float) -> None:
        """Move the emulated time forward and wake everything that was waiting for it."""
        if seconds < 0:
            raise ValueError(f"The clock cannot go back; got {seconds} seconds.")
        with self._lock:
            self._set(self._now() + timedelta(seconds=seconds), self._speed)
        self._wake()

    def reset(self) -> None:
        """Return to the time and the speed of the start."""
        with self._lock:
            self._set(self._start or datetime.now(UTC), self._first_speed)
        self._wake()

    def real_seconds(self, emulated_seconds: float) -> float | None:
        """Real seconds that an emulated duration takes; None while the clock stands still."""
        return emulated_seconds / self._speed if self._speed else None

    async def sleep(self, emulated_seconds: float) -> None:
        """Wait for emulated seconds; a change of speed or an `advance` takes effect at once."""
        deadline = self.now() + timedelta(seconds=emulated_seconds)
        waiter: Waiter = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._waiters.add(waiter)
        try:
            while (remaining := (deadline - self.now()).total_seconds()) > 0:
                waiter[1].clear()
                try:
                    async with asyncio.timeout(self.real_seconds(remaining)):
                        await waiter[1].wait()
                except TimeoutError:
                    continue
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    def _now(self) -> datetime:
        elapsed = self._monotonic() - self._anchor_real
        return self._anchor + timedelta(seconds=elapsed * self._speed)

    def _set(self, now: datetime, speed: float) -> None:
        self._anchor = now
        self._anchor_real = self._monotonic()
        self._speed = speed

    def _wake(self) -> None:
        with self._lock:
            waiters = list(self._waiters)
        for loop, event in waiters:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)


def _checked_speed(speed: float) -> float:
    if speed < 0:
        raise ValueError(f"A clock speed is 0 (stands still) or more; got {speed}.")
    return speed
