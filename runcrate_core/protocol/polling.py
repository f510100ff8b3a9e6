"""Polling: wait for a change of state on the server."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from runcrate_core.errors import NotFoundError, WaitTimeoutError
from runcrate_core.protocol.steps import InvokeCallback, Now, Sleep

if TYPE_CHECKING:
    from collections.abc import Callable

    from runcrate_core.protocol.steps import Call, Flow

T = TypeVar("T")

# What was just made may not be visible everywhere at once: so long a 404 counts as "not yet".
CREATION_LAG_S: Final = 10.0
MIN_INTERVAL_S: Final = 0.05
# A shorter pause may be lost in the rounding of the clock.
MIN_PAUSE_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class Progress(Generic[T]):
    """Callback for changes of state.

    Attributes:
        key: What of a state counts as a change, and names the last state in an error.
        on_change: Called with the state at first and at each change, if given.
        detail: What else of a state counts as a change.
    """

    key: Callable[[T], Any]
    on_change: Callable[[T], Any] | None = None
    detail: Callable[[T], Any] = lambda _: None


def check_waiting(timeout: Any, interval: Any) -> None:
    """Refuse invalid waiting times, also before anything is paid that is waited for.

    Raises:
        ValueError: It is not one.
    """
    longest = math.inf if timeout is None else timeout
    are_numbers = isinstance(interval, int | float) and isinstance(longest, int | float)
    if not (are_numbers and interval > 0 and longest >= 0):
        raise ValueError("`poll_interval` and `timeout` must be seconds above 0.")


def poll(
    request: Callable[[], Call[T]],
    *,
    is_done: Callable[[T], bool],
    progress: Progress[T],
    timeout: float | None,
    interval: float,
    longest_interval: float | None = None,
    label: str,
    next_step: str,
) -> Flow[T]:
    """Request a state repeatedly until it is final.

    Args:
        request: Makes the call that returns the present state; failures are retried as usual.
        is_done: Whether a state is an end. A state that is not known is none.
        progress: Callback for changes of state.
        timeout: Most seconds to wait; `None` for as long as it takes.
        interval: Seconds between two checks.
        longest_interval: When given, the gap doubles after each check up to so many seconds.
        label: Start of the error of a timeout: the resource that is waited for.
        next_step: What to do after a timeout.

    Raises:
        WaitTimeoutError: It was not done in time; `.details` holds the last state.
        NotFoundError: There is no such thing, or no longer.
        ValueError: `interval` or `timeout` is not a number of seconds.
    """
    check_waiting(timeout, interval)
    interval = max(interval, MIN_INTERVAL_S)
    started = yield from Now()
    seen: list[tuple[Any, Any]] = []
    while True:
        state: T | None = None
        try:
            state = yield from request()
        except NotFoundError:
            if seen or (yield from Now()) - started > CREATION_LAG_S:
                raise
        if state is not None:
            key = (progress.key(state), progress.detail(state))
            if progress.on_change is not None and (not seen or seen[-1] != key):
                yield InvokeCallback(progress.on_change, state)
            seen[:] = [key]
            if is_done(state):
                return state
        elapsed = (yield from Now()) - started
        if timeout is not None and elapsed >= timeout:
            last = f" (last state: `{seen[-1][0]}`)" if seen else ""
            raise WaitTimeoutError(
                f"{label} after {elapsed:.0f} s{last}. {next_step}",
                details=None if state is None else {"last": progress.key(state)},
            )
        left = math.inf if timeout is None else max(timeout - elapsed, MIN_PAUSE_S)
        yield Sleep(min(interval, left))
        if longest_interval is not None:
            interval = max(interval, min(2 * interval, longest_interval))
