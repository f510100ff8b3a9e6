"""Work on an instance as flows, so that one function serves sync and async callers."""

from __future__ import annotations

from concurrent.futures import TimeoutError as NotDoneError
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from runcrate_core.protocol.steps import InvokeCallback, RunInThread

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from runcrate_core.protocol.steps import Flow

T = TypeVar("T")

# Interval at which a flow checks for completion and cancellation (seconds).
TICK_S: Final = 0.25


def finish(future: Future[T], on_tick: Callable[[None], Any] | None = None) -> Flow[T]:
    """Wait for work that `InstanceShell.start` has started; cancel it when the flow is cancelled.

    Args:
        future: The work.
        on_tick: Called several times a second.

    Raises:
        Exception: As the work raised it.
    """
    try:
        while not (yield from RunInThread(partial(_is_done, future))):
            if on_tick is not None:
                yield InvokeCallback(on_tick, None)
        return future.result()
    except BaseException:
        future.cancel()
        raise


def _is_done(future: Future[Any]) -> bool:
    try:
        future.exception(TICK_S)
    except NotDoneError:
        return future.done()
    return True
