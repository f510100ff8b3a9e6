"""Waiting for something on the server: row 58 of the fault table, without server or clock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

import runcrate_core as rc
from runcrate_core.protocol.polling import CREATION_LAG_S, Progress, poll
from runcrate_core.protocol.request import Request, RetrySafety, Surface
from runcrate_core.protocol.response import Response
from runcrate_core.protocol.steps import Call, InvokeCallback, Now, Sleep

LOOK: Call[str] = Call(
    Request(Surface.INFERENCE, "GET", "/videos/1", "/videos/{id}", RetrySafety.SAFE),
    lambda response: response.body.decode(),
)


def watch(states: Iterable[Any], **options: Any) -> tuple[Any, list[str], float]:
    """Return the outcome, the changes that were reported, and the seconds that passed."""
    reported: list[str] = []
    now, left = 0.0, iter(states)
    flow = poll(
        lambda: LOOK,
        is_done=lambda state: state == "completed",
        progress=Progress(key=lambda state: state, on_change=reported.append),
        timeout=options.get("timeout", 60.0),
        interval=options.get("interval", 5.0),
        what="The video `1` is not done",
        next_step="Ask again later.",
    )
    try:
        step = next(flow)
        while True:
            match step:
                case Now():
                    step = flow.send(now)
                case Sleep(seconds):
                    now += seconds
                    step = flow.send(None)
                case InvokeCallback(callback, value):
                    callback(value)
                    step = flow.send(None)
                case Call():
                    state = next(left)
                    failed = isinstance(state, Exception)
                    step = flow.throw(state) if failed else flow.send(state)
                case _:
                    raise AssertionError(step)
    except StopIteration as end:
        return end.value, reported, now
    except rc.RuncrateError as error:
        return error, reported, now


def test_each_change_is_reported_once() -> None:
    states = ["queued", "queued", "processing", "processing", "completed"]
    assert watch(states) == ("completed", ["queued", "processing", "completed"], 20.0)


def test_58_an_unknown_status_is_not_an_end() -> None:
    outcome, reported, _ = watch(["levitating", "completed"])
    assert outcome == "completed"
    assert reported == ["levitating", "completed"]


def test_58_a_deadline_ends_the_waiting_with_the_last_state() -> None:
    outcome, _, now = watch(["queued"] * 20, timeout=12.0)
    assert isinstance(outcome, rc.WaitTimeoutError)
    assert now == 12.0
    assert "last state: `queued`" in str(outcome)
    assert outcome.details == {"last": "queued"}
    assert str(outcome).endswith("Ask again later.")


def test_58_what_was_just_made_may_not_be_visible_yet() -> None:
    missing = rc.NotFoundError("not yet", status_code=404)
    assert watch([missing, missing, "completed"])[0] == "completed"


def test_58_what_stays_missing_is_missing() -> None:
    missing = rc.NotFoundError("gone", status_code=404)
    outcome, _, now = watch([missing] * 10)
    assert outcome is missing
    assert now > CREATION_LAG_S


def test_58_what_was_seen_and_is_gone_is_gone() -> None:
    missing = rc.NotFoundError("gone", status_code=404)
    assert watch(["queued", missing])[0] is missing


def test_no_deadline_and_no_listener() -> None:
    flow = poll(
        lambda: LOOK,
        is_done=lambda _: True,
        progress=Progress(key=lambda state: state),
        timeout=None,
        interval=1.0,
        what="",
        next_step="",
    )
    assert next(flow) == Now()
    flow.send(0.0)
    with pytest.raises(StopIteration) as end:
        flow.send("done")
    assert end.value.value == "done"


@pytest.mark.parametrize("options", [{"interval": 0}, {"interval": -1}, {"timeout": -1}])
def test_senseless_times_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="seconds"):
        watch([], **options)


def test_a_parser_reads_the_response() -> None:
    assert LOOK.parse(Response(200, {}, b"x")) == "x"
