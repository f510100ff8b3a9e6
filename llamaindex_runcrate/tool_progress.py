"""Telling who reads a workflow's events how far a tool is, and nobody where nobody reads them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from llama_index.core.workflow import Context, Event

NO_CONTEXT: Final = {"ctx": None}
"""What a tool with a context is called with where there is none; an agent puts its own there."""


class ToolProgressEvent(Event):
    """In the stream of a workflow's events: where something stands that a tool waits for.

    Attributes:
        tool: Name of the tool.
        id: What it waits for.
        status: Where that stands.
        fraction: How much of it is done, from 0 to 1; `None` where the API does not tell.
    """

    tool: str
    id: str
    status: str
    fraction: float | None = None


def telling(ctx: Context | None) -> Callable[[dict[str, Any]], None] | None:
    """Return what puts fields of a `ToolProgressEvent` into the stream of a workflow's events.

    It never fails: what it is told of may be paid for. Nobody is told where the context is of no
    running step, nor from a thread other than that of the workflow, which could not be reached.

    Args:
        ctx: The context of a step; without one, nothing is returned.
    """
    if ctx is None:
        return None

    def tell(state: dict[str, Any]) -> None:
        with suppress(Exception):
            asyncio.get_running_loop()  # asked here, or LlamaIndex would leave a coroutine behind
            ctx.write_event_to_stream(ToolProgressEvent(**state))

    return tell
