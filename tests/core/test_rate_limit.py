"""The rate limiter: alone, and under a thousand calls at once."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

import runcrate_core as rc
from runcrate_core.protocol.rate_limiter import (
    UNKNOWN_LIMIT_IN_FLIGHT,
    WINDOW_S,
    RateLimit,
    RateLimiter,
)


def headers(limit: int, remaining: int, reset: float | str) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset),
    }


def test_headers_are_read_when_there_are_any():
    assert RateLimit.read({}) is None
    assert RateLimit.read(headers(600, 7, 30)) == RateLimit(600, 7, 30.0)
    sent = {"date": "Fri, 27 Nov 2026 02:30:00 GMT"}
    for moment in (1795746640, 1795746640000):
        assert RateLimit.read(headers(600, 7, moment) | sent) == RateLimit(600, 7, 40.0)
    assert RateLimit.read(headers(600, 7, "soon")) == RateLimit(600, 7, None)
    assert RateLimit.read({"x-ratelimit-limit": "many"}) == RateLimit(None, None, None)


@pytest.mark.parametrize(("answered", "go_out"), [(True, 500), (False, 1)])
def test_before_the_first_response_only_so_many_go_out(answered, go_out):
    limiter = RateLimiter()
    assert [limiter.acquire(0.0, lambda: 0.0) for _ in range(UNKNOWN_LIMIT_IN_FLIGHT)] == [0.0] * 50
    assert 0 < limiter.acquire(0.0, lambda: 0.0) < 0.1
    limiter.release(None, answered=answered, now=0.0)
    assert [limiter.acquire(0.0, lambda: 0.0) for _ in range(go_out)] == [0.0] * go_out
    assert (limiter.acquire(0.0, lambda: 0.0) > 0) is not answered


def test_a_spent_window_is_waited_for():
    limiter = RateLimiter()
    limiter.acquire(0.0, lambda: 0.0)
    limiter.release(RateLimit(10, 1, 30.0), answered=True, now=0.0)
    assert limiter.acquire(1.0, lambda: 0.0) == 0.0
    assert limiter.acquire(1.0, lambda: 0.0) == 29.0
    assert limiter.acquire(1.0, lambda: 1.0) == 29.25
    assert [limiter.acquire(30.0, lambda: 0.0) for _ in range(10)] == [0.0] * 10
    assert limiter.acquire(30.0, lambda: 0.0) == WINDOW_S


def test_calls_under_way_are_counted_before_the_server_counts_them():
    limiter = RateLimiter()
    for _ in range(3):
        limiter.acquire(0.0, lambda: 0.0)
    limiter.release(RateLimit(10, 4, 30.0), answered=True, now=0.0)
    assert [limiter.acquire(0.0, lambda: 0.0) for _ in range(2)] == [0.0, 0.0]
    assert limiter.acquire(0.0, lambda: 0.0) == 30.0


def test_a_new_window_replaces_the_old_one():
    limiter = RateLimiter()
    limiter.acquire(0.0, lambda: 0.0)
    limiter.release(RateLimit(10, 0, 5.0), answered=True, now=0.0)
    assert limiter.acquire(5.0, lambda: 0.0) == 0.0
    limiter.release(RateLimit(10, 9, 60.0), answered=True, now=5.0)
    assert limiter.acquire(6.0, lambda: 0.0) == 0.0


@pytest.mark.parametrize(
    "state", [RateLimit(10, 0, None), RateLimit(10, None, 3.0), RateLimit(10, 0, 9999.0)]
)
def test_headers_that_make_no_sense_hold_nothing_back(state):
    limiter = RateLimiter()
    limiter.acquire(0.0, lambda: 0.0)
    limiter.release(state, answered=True, now=0.0)
    assert limiter.acquire(0.0, lambda: 0.0) == 0.0


class LimitedApi:
    """A stand-in for the service with a limit in a short window, and real timestamps."""

    def __init__(self, limit: int, window_s: float) -> None:
        self.limit = limit
        self.window_s = window_s
        self.refused = 0
        self.served = 0
        self._lock = threading.Lock()
        self._window: float | None = None
        self._left = limit

    def response(self) -> tuple[int, dict[str, str]]:
        with self._lock:
            now = time.monotonic()
            if self._window is None or now >= self._window:
                self._window, self._left = now + self.window_s, self.limit
            allowed = self._left > 0
            self._left -= allowed
            self.served += allowed
            self.refused += not allowed
            return 200 if allowed else 429, headers(
                self.limit, self._left, round(self._window - now, 3)
            )


def test_a_thousand_calls_against_a_limit_of_six_hundred_all_succeed():
    import httpx

    api = LimitedApi(600, window_s=1.5)

    async def handle(_):
        await asyncio.sleep(0.005)
        status, answered = api.response()
        return httpx.Response(status, json={"data": []}, headers=answered)

    async def main():
        transport = httpx.MockTransport(handle)
        async with (
            httpx.AsyncClient(transport=transport) as http,
            rc.AsyncRuncrate("rc_live_test", http_client=http) as client,
        ):
            return await asyncio.gather(*(client.models.list() for _ in range(1000)))

    results = asyncio.run(main())
    assert results == [[]] * 1000
    assert api.served == 1000
    assert api.refused <= 100  # 400 without the limiter; some where the computer is busy


def test_the_gate_can_be_switched_off_and_waiting_can_be_cancelled():
    import httpx

    answered = headers(10, 0, 30)

    async def main():
        transport = httpx.MockTransport(
            lambda _: httpx.Response(200, json={"data": []}, headers=answered)
        )
        async with httpx.AsyncClient(transport=transport) as http:
            client = rc.AsyncRuncrate("rc_live_test", http_client=http)
            await client.models.list()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.models.list()
            await client.with_options(wait_for_rate_limit=False).models.list()

    asyncio.run(main())
