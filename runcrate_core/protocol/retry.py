"""Retry decisions: which requests are retried, and after how long."""

from __future__ import annotations

import math
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from runcrate_core.protocol.fork_safety import start_again_after_fork
from runcrate_core.protocol.http_date import http_date, server_time
from runcrate_core.protocol.rate_limiter import WINDOW_S, reset_in_s
from runcrate_core.protocol.request import ReadTimeout, RetrySafety
from runcrate_core.protocol.response import Failure, Response, TransportFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runcrate_core.protocol.request import Request

# The gap between attempts: full jitter over a ceiling that doubles.
INITIAL_WAIT_S: Final = 0.5
MAX_WAIT_S: Final = 8.0
# A server hint is a floor; this much is added at random so that a fleet does not return at once.
HINT_SPREAD_S: Final = 0.5
# A longer hint is not waited for: the caller learns of it at once. A reset that lies a complete
# window of the rate limit away is waited for: both ends of it are rounded to whole seconds.
MAX_HINT_S: Final = WINDOW_S + 2.0
TOTAL_S: Final = 120.0
LAUNCH_TOTAL_S: Final = 180.0
# Room for a second attempt after one that got no response: with its key, it reports the outcome of
# the first.
JOB_TOTAL_S: Final = 310.0
JOB_GROUP_TOTAL_S: Final = 670.0
# The official SDK 0.5.0 waits at least so long while the first call with a key is handled.
IN_PROGRESS_WAIT_S: Final = 3.0

TOO_MANY_REQUESTS: Final = 429
SERVICE_UNAVAILABLE: Final = 503
# With these the server says that it has not acted on the request.
REFUSED_UNTOUCHED: Final = frozenset({TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE})
CONFLICT: Final = 409
PROXY_AUTHENTICATION_REQUIRED: Final = 407
REQUEST_TIMEOUT: Final = 408
FIRST_SERVER_ERROR: Final = 500
# Server errors that a second attempt cannot change: 501 and 505 refuse the method and the version.
PERMANENT_SERVER_ERRORS: Final = frozenset({501, 505})

_TOTALS_S: Final = {
    ReadTimeout.LAUNCH: LAUNCH_TOTAL_S,
    ReadTimeout.JOB: JOB_TOTAL_S,
    ReadTimeout.JOB_GROUP: JOB_GROUP_TOTAL_S,
}
LAUNCH_REFUSED: Final = "launch_refused"
IDEMPOTENCY_IN_PROGRESS: Final = "idempotency_in_progress"


class RetryBudget:
    """Tokens shared by all calls of a client, so that an outage is not multiplied by retries.

    A retry costs `COST`; a success after a retry gives it back, any other success gives 1. The
    budget holds `SIZE`, and `SHARE` more for each call under way: some faults among hundreds of
    calls at once are retried, an outage of all of them is not.
    """

    SIZE: Final = 100
    COST: Final = 5
    SHARE: Final = 3

    def __init__(self) -> None:
        self.start_again()
        start_again_after_fork(self)

    def start_again(self) -> None:
        """Fill the budget, as in a child process: the parent's calls never end there."""
        self._spent = 0
        self._calls = 0
        self._lock = threading.Lock()

    def begin_call(self) -> None:
        """Take note of a call under way."""
        with self._lock:
            self._calls += 1

    def end_call(self) -> None:
        """Take note of the end of a call, whatever it was."""
        with self._lock:
            self._calls = max(0, self._calls - 1)

    def take(self) -> bool:
        """Pay for one retry; `False` when the budget is spent."""
        with self._lock:
            if self._spent + self.COST > self._size():
                return False
            self._spent += self.COST
            return True

    def refund(self, attempts: int) -> None:
        """Take note of a success that needed so many attempts."""
        with self._lock:
            # What an outage of many calls has spent does not weigh on the few that follow it.
            spent = min(self._spent, self._size())
            self._spent = max(0, spent - (self.COST if attempts > 1 else 1))

    def _size(self) -> int:
        return self.SIZE + self.SHARE * self._calls


# Of the operating system: many workers of a program that seeds `random`, or that forks, would
# otherwise all come back at the same moment, and its own sequence would be disturbed.
_jitter = random.SystemRandom().random


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Parameters of retries, with their clock and randomness.

    Attributes:
        max_retries: Retries after the first attempt.
        total_s: Seconds from the first attempt after which nothing is retried.
        longest_hint_s: Longest `Retry-After` that is waited for.
        random: Gives numbers from 0 to 1.
        clock: Monotonic seconds.
    """

    max_retries: int = 3
    total_s: float | None = None
    longest_hint_s: float = MAX_HINT_S
    random: Callable[[], float] = field(default=_jitter)
    clock: Callable[[], float] = field(default=time.monotonic)

    def total_for(self, request: Request) -> float:
        """Return the maximum duration of a request's attempts, in seconds."""
        if self.total_s is not None:
            return self.total_s
        return _TOTALS_S.get(request.read_timeout, TOTAL_S)


@dataclass(frozen=True, slots=True)
class Wait:
    """The decision to retry after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The decision to raise.

    Attributes:
        reason: Why it was not retried, as half a sentence; empty when that is plain.
    """

    reason: str = ""


def decide_retry(
    request: Request,
    reply: Response | TransportFailure,
    *,
    error_code: str,
    attempts: int,
    elapsed_s: float,
    policy: RetryPolicy,
) -> Wait | GiveUp:
    """Decide about a request that failed.

    Args:
        request: What was sent.
        reply: A response with an error status, or the reason why there is none.
        error_code: The API's code (or the reason in its details), in lower case.
        attempts: How often it has been sent.
        elapsed_s: Seconds since the first attempt.
        policy: The numbers.
    """
    if not is_retryable(request.retry, reply, error_code):
        unsure = isinstance(reply, TransportFailure) or _is_transient(reply.status)
        unsafe = request.retry is RetrySafety.NEVER and unsure and error_code != LAUNCH_REFUSED
        return GiveUp(
            "it was not sent again, as the first may have been received and charged"
            if unsafe
            else ""
        )
    if attempts > policy.max_retries:
        return GiveUp()
    hint = retry_hint(reply.headers, reply.status) if isinstance(reply, Response) else None
    if hint is not None and hint > policy.longest_hint_s:
        return GiveUp(f"the API asks to wait {hint:.0f} s, longer than is waited for")
    wait = wait_before(attempts, hint, policy.random)
    if error_code == IDEMPOTENCY_IN_PROGRESS:
        wait = max(wait, IN_PROGRESS_WAIT_S)
    if elapsed_s + wait > policy.total_for(request):
        return GiveUp("the time for attempts is over")
    return Wait(wait)


def is_retryable(retry: RetrySafety, reply: Response | TransportFailure, error_code: str) -> bool:
    """Return whether a retry can neither act twice nor be futile."""
    match reply:
        case TransportFailure(failure=Failure.PROXY_AUTH):
            return False
        case TransportFailure():
            return retry is not RetrySafety.NEVER or not reply.may_have_been_received
        case Response(status=status) if error_code == LAUNCH_REFUSED:
            return False
        case Response(status=status) if status in REFUSED_UNTOUCHED:
            return True
        case Response(status=status) if status == CONFLICT:
            return retry is RetrySafety.KEYED and error_code == IDEMPOTENCY_IN_PROGRESS
        case Response(status=status):
            return retry is not RetrySafety.NEVER and _is_transient(status)


def _is_transient(status: int) -> bool:
    """True if another attempt may succeed: 408 and 5xx, of a gateway as of the API."""
    if status in PERMANENT_SERVER_ERRORS:
        return False
    return status == REQUEST_TIMEOUT or status >= FIRST_SERVER_ERROR


def wait_before(attempts: int, hint: float | None, draw: Callable[[], float]) -> float:
    """Return the seconds to wait after `attempts` failures: full jitter, with the hint as floor."""
    own = draw() * min(INITIAL_WAIT_S * 2.0 ** (attempts - 1), MAX_WAIT_S)
    if not hint:
        return own
    return max(own, hint + draw() * HINT_SPREAD_S)


def retry_hint(headers: Mapping[str, str], status: int) -> float | None:
    """Return the seconds that a server asks to wait, or `None` if the hint is missing or unusable.

    Read in this order: `Retry-After` as seconds or as a date (compared with the response's own
    `Date`), `retry-after-ms`, and on 429 `X-RateLimit-Reset` (seed 000).
    """
    hint = _retry_after(headers)
    if hint is None:
        milliseconds = _finite(headers.get("retry-after-ms", ""))
        hint = None if milliseconds is None else milliseconds / 1000
    if hint is None and status == TOO_MANY_REQUESTS:
        hint = reset_in_s(headers)
    return None if hint is None else max(0.0, hint)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after", "").strip()
    seconds = _finite(text)
    if seconds is not None:
        return max(0.0, seconds)
    moment = http_date(text) if text else None
    if moment is None:
        return None
    sent_at = server_time(headers)
    now = sent_at.timestamp() if sent_at else time.time()
    return max(0.0, moment.timestamp() - now)


def _finite(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
