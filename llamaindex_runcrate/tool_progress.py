"""Tool progress: events in the workflow's event stream, if there is one."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from llama_index.core.workflow import Context, Event

NO_CONTEXT: Final = {"ctx": None}
"""The argument of a tool with a context where there is none; an agent passes its own."""


class ToolProgressEvent(Event):
    """The progress of something that a tool waits for, in the workflow's event stream.

    Attributes:
        tool: Name of the tool.
        id: Identifier of the video, instance or job that it waits for.
        status: Its status.
        fraction: Progress from 0 to 1; `None` where the API does not report it.
    """

    tool: str
    id: str
    status: str
    fraction: float | None = None


def progress_callback(ctx: Context | None) -> Callable[[dict[str, Any]], None] | None:
    """Return a callback that emits `ToolProgressEvent`s to the workflow's event stream.

    It never raises, as the work that it reports may be paid for. Nothing is emitted if the context
    belongs to no running step, or from a thread other than the workflow's.

    Args:
        ctx: The context of a step; without one, nothing is returned.
    """
    if ctx is None:
        return None

    def emit(state: dict[str, Any]) -> None:
        with suppress(Exception):
            asyncio.get_running_loop()  # checked here, or LlamaIndex would leave a coroutine behind
            ctx.write_event_to_stream(ToolProgressEvent(**state))

    return emit
