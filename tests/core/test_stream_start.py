"""Opening a stream: what happens before its first content, without a socket."""

from __future__ import annotations

from typing import Any

import pytest

import runcrate_core as rc
from runcrate_core.protocol.attempts import CallContext
from runcrate_core.protocol.request import Request, RetrySafety, Surface
from runcrate_core.protocol.response import Failure, TransportFailure
from runcrate_core.protocol.retry import RetryPolicy
from runcrate_core.protocol.steps import CloseStream, OpenStream, ReadBytes, StreamedResponse
from runcrate_core.protocol.stream_start import open_stream

REQUEST = Request(
    Surface.INFERENCE, "POST", "/chat/completions", "/chat/completions", RetrySafety.SAFE
)


class Times:
    """A clock that goes on by so much at each look."""

    def __init__(self, step: float) -> None:
        self._now, self._step = 0.0, step

    def __call__(self) -> float:
        self._now += self._step
        return self._now


def opening(received: list[Any], *, step: float = 0.0, content_type: str = "") -> tuple[Any, Any]:
    """Open a stream of which this is received; returns the result or error, and what was done."""
    context = CallContext(RetryPolicy(max_retries=0, clock=Times(step)))
    flow = open_stream(REQUEST, context, idle_s=10)
    left, steps = list(received), []
    reply: Any = None
    try:
        while True:
            step_asked = flow.send(reply)
            steps.append(type(step_asked))
            if isinstance(step_asked, OpenStream):
                reply = StreamedResponse(200, {"content-type": content_type}, None)  # type: ignore[arg-type]
            else:
                reply = left.pop(0) if isinstance(step_asked, ReadBytes) else None
    except StopIteration as end:
        return end.value, steps
    except rc.RuncrateError as error:
        return error, steps


def test_a_body_without_any_event_is_no_stream():
    error, steps = opening([b": hello\n\n", None])
    assert isinstance(error, rc.APIConnectionError)
    assert "ended before its first content" in str(error)
    assert steps == [OpenStream, ReadBytes, ReadBytes, CloseStream]


def test_signs_of_life_alone_are_a_stall():
    error, steps = opening([b": ping\n\n"] * 9, step=6.0)
    assert isinstance(error, rc.APITimeoutError)
    assert steps[-1] is CloseStream


def test_a_connection_that_breaks_before_the_first_content_is_given_back():
    error, steps = opening([TransportFailure(Failure.BROKEN, "gone")])
    assert isinstance(error, rc.APIConnectionError)
    assert steps == [OpenStream, ReadBytes, CloseStream]


def test_what_is_no_json_is_reported_by_the_stream_itself():
    opened, steps = opening([b"data: no json\n\n"])
    assert opened.reader.fault.kind == "invalid_json"
    assert steps == [OpenStream, ReadBytes]


def test_an_opening_that_is_given_up_asks_for_nothing_more():
    flow = open_stream(REQUEST, CallContext(RetryPolicy(max_retries=0)), idle_s=10)
    assert isinstance(next(flow), OpenStream)
    assert isinstance(flow.send(StreamedResponse(200, {}, None)), ReadBytes)  # type: ignore[arg-type]
    flow.close()
    with pytest.raises(StopIteration):
        next(flow)
