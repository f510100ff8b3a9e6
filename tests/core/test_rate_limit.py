"""The rate limiter: alone, and under a thousand calls at once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

import runcrate_core as rc
from runcrate_core.protocol.rate_limiter import WINDOW_S, RateLimit, RateLimiter


def headers(limit: int, remaining: int, reset: float | str) -> dict[str, str]:
    state = {"limit": limit, "remaining": remaining, "reset": reset}
    return {f"x-ratelimit-{name}": str(value) for name, value in state.items()}


def test_headers_are_read_when_there_are_any():
    assert RateLimit.read({}) is None
    assert RateLimit.read(headers(600, 7, 30)) == RateLimit(600, 7, 30.0)
    sent = {"date": "Fri, 27 Nov 2026 02:30:00 GMT"}
    for moment in (1795746640, 1795746640000):
        assert RateLimit.read(headers(600, 7, moment) | sent) == RateLimit(600, 7, 40.0)
    assert RateLimit.read(headers(600, 7, "soon")) == RateLimit(600, 7, None)
    assert RateLimit.read({"x-ratelimit-limit": "many"}) == RateLimit(None, None, None)


def wait_of(limiter: RateLimiter, now: float = 0.0, draw: float = 0.0) -> float:
    return limiter.acquire(now, lambda: draw)


@pytest.mark.parametrize(("answered", "go_out"), [(True, 500), (False, 1)])
def test_before_the_first_response_only_so_many_go_out(answered, go_out):
    limiter = RateLimiter()
    assert [wait_of(limiter) for _ in range(50)] == [0.0] * 50
    assert 0 < wait_of(limiter) < 0.1
    limiter.release(None, responded=answered, now=0.0)
    assert [wait_of(limiter) for _ in range(go_out)] == [0.0] * go_out
    assert (wait_of(limiter) > 0) is not answered


# Calls under way, the state that the first response reports, and when further calls wait how long.
SPENT = [(1.0, 0.0), (1.0, 29.0), *[(30.0, 0.0)] * 10, (30.0, WINDOW_S)]
ODD_STATES = [RateLimit(10, 0, None), RateLimit(10, None, 3.0), RateLimit(10, 0, 9999.0)]


@pytest.mark.parametrize(
    ("under_way", "state", "waits"),
    [
        (1, RateLimit(10, 1, 30.0), SPENT),
        # Calls under way count before the server counts them.
        (3, RateLimit(10, 4, 30.0), [(0.0, 0.0), (0.0, 0.0), (0.0, 30.0)]),
        # What makes no sense holds nothing back.
        *((1, state, [(0.0, 0.0)]) for state in ODD_STATES),
    ],
)
def test_a_spent_window_is_waited_for(under_way, state, waits):
    limiter = RateLimiter()
    for _ in range(under_way):
        wait_of(limiter)
    limiter.release(state, responded=True, now=0.0)
    assert [(now, wait_of(limiter, now)) for now, _ in waits] == waits


def test_a_new_window_replaces_the_old_one():
    limiter = RateLimiter()
    wait_of(limiter)
    limiter.release(RateLimit(10, 0, 5.0), responded=True, now=0.0)
    assert (wait_of(limiter), wait_of(limiter, draw=1.0)) == (5.0, 5.25)
    assert wait_of(limiter, 5.0) == 0.0
    limiter.release(RateLimit(10, 0, 20.0), responded=True, now=5.0)  # it ends before it was to
    assert wait_of(limiter, 6.0) == 19.0


def client_of(handle: Any) -> rc.AsyncRuncrate:
    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    return rc.AsyncRuncrate("rc_live_test", http_client=http)


async def test_a_thousand_calls_against_a_limit_of_six_hundred_all_succeed():
    statuses: list[int] = []
    window_end, left = 0.0, 0

    async def handle(_):
        nonlocal window_end, left
        await asyncio.sleep(0.005)
        now = time.monotonic()
        if now >= window_end:
            window_end, left = now + 1.5, 600
        statuses.append(200 if left else 429)
        left = max(0, left - 1)
        state = headers(600, left, round(window_end - now, 3))
        return httpx.Response(statuses[-1], json={"data": []}, headers=state)

    client = client_of(handle)
    results = await asyncio.gather(*(client.models.list() for _ in range(1000)))
    assert results == [[]] * 1000
    assert statuses.count(200) == 1000
    assert statuses.count(429) <= 100  # 400 without the limiter; some where the computer is busy


async def test_the_gate_can_be_switched_off_and_waiting_can_be_cancelled():
    spent = headers(10, 0, 30)
    client = client_of(lambda _: httpx.Response(200, json={"data": []}, headers=spent))
    await client.models.list()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.models.list()
    await client.with_options(wait_for_rate_limit=False).models.list()
