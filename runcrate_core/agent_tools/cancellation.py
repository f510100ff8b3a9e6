"""Breaking off what only looks or waits, when the session that it belongs to is left.

Frameworks run blocking tools in threads, and wait for those threads when a program is interrupted:
a tool that waits for a machine would hold up the end of the session for minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from runcrate_core.errors import RuncrateError
from runcrate_core.protocol.steps import Sleep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runcrate_core.protocol.steps import Flow, Step
    from runcrate_core.spending.ledger import SpendLedger

T = TypeVar("T")

# The longest that nobody looks whether to go on, in seconds.
NAP_S: Final = 0.25


def cancel_on_session_exit(flow: Flow[T], ledger: SpendLedger) -> Flow[T]:
    """Carry a flow out as long as the ledger's phase does not change.

    Args:
        flow: A flow that changes nothing.
        ledger: Its phase changes when a session is being left.

    Raises:
        RuncrateError: The phase changed.
    """
    phase = ledger.phase
    try:
        step = next(flow)
        while True:
            reply: Any = None
            try:
                for part in _parts(step):
                    _require(ledger, phase)
                    reply = yield part
            except BaseException as error:  # noqa: BLE001 - the flow sees every failure of its step
                step = flow.throw(error)
            else:
                step = flow.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result


def _require(ledger: SpendLedger, phase: object) -> None:
    if ledger.phase is not phase:
        raise RuncrateError(
            "The session is being left, so this was broken off; it changed nothing."
        )


def _parts(step: Step) -> Iterator[Step]:
    """Cut a sleep into short ones."""
    if not isinstance(step, Sleep):
        yield step
        return
    left = step.seconds
    while left > NAP_S:
        yield Sleep(NAP_S)
        left -= NAP_S
    yield Sleep(left)
