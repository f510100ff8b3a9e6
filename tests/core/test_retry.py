"""Retries: decided without server, clock or event loop."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

import runcrate_core as rc
from runcrate_core.protocol import retry
from runcrate_core.protocol.attempts import CallContext, attempts, send_once
from runcrate_core.protocol.request import ReadTimeout, Request, RetrySafety, Surface
from runcrate_core.protocol.response import Failure, Response, TransportFailure
from runcrate_core.protocol.retry import RetryBudget, RetryPolicy, is_retryable, retry_hint
from runcrate_core.protocol.steps import CloseStream, InvokeCallback, Send, Sleep, StreamedResponse


def request(method: str, path: str, *options: Any) -> Request:
    return Request(Surface.INFRASTRUCTURE, method, path, path, *options)


SAFE = request("GET", "/instances", RetrySafety.SAFE)
KEYED = request("POST", "/jobs", RetrySafety.KEYED)
NEVER = request("POST", "/instances", RetrySafety.NEVER, ReadTimeout.LAUNCH)
OK = Response(200, {}, b"{}")
DATE = {"date": "Sat, 21 Nov 2026 10:00:00 GMT"}


def drive(
    request: Request, *replies: Any, draw: float = 0.5, **policy: Any
) -> tuple[Any, list[float], int]:
    """Answer the flow's requests with replies; return its result, its sleeps and what it sent."""
    sleeps: list[float] = []
    sent, left = 0, iter(replies)
    # Only sleeping moves the clock.
    timed = RetryPolicy(random=lambda: draw, clock=lambda: sum(sleeps), **policy)
    flow = attempts(request, CallContext(policy=timed), send_once)
    try:
        step = next(flow)
        while True:
            match step:
                case Send():
                    sent += 1
                    step = flow.send(next(left))
                case Sleep(seconds):
                    sleeps.append(seconds)
                    step = flow.send(None)
                case _:
                    raise AssertionError(step)
    except StopIteration as end:
        return end.value, sleeps, sent
    except rc.RuncrateError as error:
        return error, sleeps, sent


def test_01_own_waits_are_full_jitter_below_a_doubling_ceiling():
    _, sleeps, sent = drive(SAFE, *[Response(503)] * 3, OK, draw=1.0)
    assert (sleeps, sent) == ([0.5, 1.0, 2.0], 4)
    _, sleeps, _ = drive(SAFE, *[Response(503)] * 3, OK, draw=0.0)
    assert sleeps == [0.0, 0.0, 0.0]
    assert retry.wait_before(20, None, lambda: 1.0) == 8.0


IN_PROGRESS = b'{"error":{"code":"conflict","details":{"reason":"idempotency_in_progress"}}}'


@pytest.mark.parametrize("draw", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    ("wanted", "refused", "hint_s"),
    [
        (SAFE, Response(429, {"retry-after": "2"}), 2.0),
        # A complete window: the server's clock is rounded down, the end of the window up.
        (SAFE, Response(429, {**DATE, "x-ratelimit-reset": "1795255261"}), 61.0),
        (KEYED, Response(409, {}, IN_PROGRESS), 3.0),
    ],
    ids=["retry-after", "reset", "key in progress"],
)
def test_02_a_hint_is_a_floor_with_a_small_spread(wanted, refused, hint_s, draw):
    _, [slept], sent = drive(wanted, refused, OK, draw=draw)
    assert hint_s <= slept <= hint_s + 0.5
    assert sent == 2


@pytest.mark.parametrize("date", [{}, {"date": "yesterday"}])
def test_03_without_a_usable_date_header_the_own_clock_counts(date, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_795_255_200.0)
    assert retry_hint({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT"} | date, 503) == 30.0
    assert retry_hint({"x-ratelimit-reset": "1795255230"} | date, 429) == 30.0


DATE_FORMS = {
    "IMF-fixdate": "Sat, 21 Nov 2026 10:00:00 GMT",
    "RFC 850": "Saturday, 21-Nov-26 10:00:00 GMT",
    "asctime": "Sat Nov 21 10:00:00 2026",
    "-0000": "Sat, 21 Nov 2026 10:00:00 -0000",
}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
@pytest.mark.parametrize("date", DATE_FORMS.values(), ids=DATE_FORMS)
def test_03_a_date_of_any_form_is_utc_in_any_time_zone(monkeypatch, date, zone):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        headers = {"date": date, "x-ratelimit-reset": "1795255203"}
        assert retry_hint(headers, 429) == 3.0
        later = date.replace("10:00:00", "10:00:07")
        assert retry_hint({"date": date, "retry-after": later}, 503) == 7.0
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({**DATE, "x-ratelimit-reset": "1795255203"}, 3.0),
        ({"x-ratelimit-reset": "1.5"}, 1.5),
        ({"x-ratelimit-reset": "6m0s"}, 360.0),
        ({"x-ratelimit-reset": "250ms"}, 0.25),
        ({"x-ratelimit-reset": "default;r=0;t=7"}, 7.0),
        ({"x-ratelimit-reset": "garbage"}, None),
        ({"x-ratelimit-reset": "nan"}, None),
        ({"x-ratelimit-reset": "-3"}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        *(({"retry-after": hint}, None) for hint in ("nan", "inf", "soon", "")),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "Mon, 01 Jan 1900 00:00:00 GMT"}, 0.0),
        ({"retry-after": "4", "x-ratelimit-reset": "9"}, 4.0),
        ({}, None),
    ],
)
def test_06_hints_are_read_in_order(headers, seconds):
    assert retry_hint(headers, 429) == seconds
    if "x-ratelimit-reset" in headers and "retry-after" not in headers:
        assert retry_hint(headers, 503) is None


def test_08_nothing_is_waited_for_beyond_the_total():
    error, sleeps, sent = drive(SAFE, Response(503, {"retry-after": "10"}), total_s=5.0)
    assert isinstance(error, rc.InternalServerError)
    assert (sleeps, sent) == ([], 1)
    assert "time for attempts is over" in str(error)
    # A launch may take longer.
    assert RetryPolicy().total_for(NEVER) > RetryPolicy().total_for(SAFE)


NEVER_SENT = (Failure.CONNECT, Failure.CONNECT_TIMEOUT, Failure.POOL_TIMEOUT)
LOST = (Failure.READ_TIMEOUT, Failure.WRITE_TIMEOUT, Failure.BROKEN, Failure.UNREADABLE)
# Statuses, with their codes, and failures after which a request is repeated that is SAFE, KEYED
# or NEVER.
REPEATED: list[tuple[tuple[bool, bool, bool], list[Any]]] = [
    ((True, True, True), [429, 503, *NEVER_SENT]),
    ((True, True, False), [500, 502, 504, 408, *LOST]),
    ((False, True, False), [(409, "idempotency_in_progress")]),
    ((False, False, False), [501, 505, 407, 409, 404, 302, Failure.PROXY_AUTH]),
    ((False, False, False), [(502, "launch_refused"), (503, "launch_refused")]),
]


@pytest.mark.parametrize(
    ("outcome", "repeated"), [(one, repeated) for repeated, group in REPEATED for one in group]
)
def test_which_request_may_be_repeated(outcome, repeated):
    status, code = outcome if isinstance(outcome, tuple) else (outcome, "")
    reply = TransportFailure(status) if isinstance(status, Failure) else Response(status)
    kinds = (RetrySafety.SAFE, RetrySafety.KEYED, RetrySafety.NEVER)
    assert tuple(is_retryable(kind, reply, code) for kind in kinds) == repeated


@pytest.mark.parametrize(
    ("before", "has_worked"),
    [
        ([TransportFailure(Failure.BROKEN)], True),
        ([Response(502)], True),
        *(([first], False) for first in (TransportFailure(Failure.CONNECT), Response(429))),
        ([Response(503)], False),
        ([], False),
    ],
)
def test_24_a_delete_that_finds_nothing_has_worked_if_it_may_have_been_acted_on(before, has_worked):
    delete = request("DELETE", "/x", RetrySafety.SAFE)
    deleted, _, _ = drive(delete, *before, Response(404))
    assert deleted.ok if has_worked else isinstance(deleted, rc.NotFoundError)


def test_an_opened_body_is_closed_when_watching_it_is_cancelled():
    opened = StreamedResponse(200, {}, object())

    def exchange(_):
        yield Send(SAFE)
        return opened

    flow = attempts(SAFE, CallContext(on_request=lambda _: None), exchange)
    assert isinstance(next(flow), Send)
    assert isinstance(flow.send(None), InvokeCallback)
    assert flow.throw(asyncio.CancelledError()) == CloseStream(opened)
    with pytest.raises(asyncio.CancelledError):
        flow.send(None)


@pytest.mark.parametrize(("calls", "paid"), [(0, 20), (200, 140)])
def test_the_budget_pays_for_retries_and_is_refilled_by_success(calls, paid):
    """It grows with the calls under way, and not for ever."""
    budget = RetryBudget()
    for _ in range(calls):
        budget.begin_call()
    assert [budget.take() for _ in range(paid + 1)] == [True] * paid + [False]
    for _ in range(calls):
        budget.end_call()
    assert not budget.take()
    for _ in range(5):
        budget.refund(1)  # the first of them also ends the debt of the outage
    assert budget.take()
    assert not budget.take()
    budget.refund(2)
    assert budget.take()
