"""Cancel read-only and waiting tools when their session exits.

Frameworks run sync tools in threads, and wait for those threads when a program is interrupted:
a tool that waits for an instance would hold up the end of the session for minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from runcrate_core.errors import RuncrateError
from runcrate_core.protocol.steps import Sleep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runcrate_core.protocol.steps import Flow, Step
    from runcrate_core.spending.guard import SpendGuard

T = TypeVar("T")

# Sleeps are cut into parts of this length, after each of which the session is checked (seconds).
NAP_S: Final = 0.25


def cancel_on_session_exit(flow: Flow[T], guard: SpendGuard) -> Flow[T]:
    """Run a flow until its session is closed.

    Args:
        flow: A flow that changes nothing.
        guard: Its phase changes when a session is left.

    Raises:
        RuncrateError: The session is being left.
    """
    phase = guard.phase
    try:
        step = next(flow)
        while True:
            reply: Any = None
            try:
                for part in _parts(step):
                    _require_same(guard, phase)
                    reply = yield part
            except BaseException as error:  # noqa: BLE001 - the flow sees every failure of its step
                step = flow.throw(error)
            else:
                step = flow.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result


def _require_same(guard: SpendGuard, phase: object) -> None:
    if guard.phase is not phase:
        raise RuncrateError("Cancelled because the session is closing. Nothing was changed.")


def _parts(step: Step) -> Iterator[Step]:
    """Split a sleep into short ones."""
    if not isinstance(step, Sleep):
        yield step
        return
    left = step.seconds
    while left > NAP_S:
        yield Sleep(NAP_S)
        left -= NAP_S
    yield Sleep(left)
