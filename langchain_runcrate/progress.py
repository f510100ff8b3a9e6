"""Emit the progress of a long tool call to LangChain and LangGraph, if somebody listens.

There are three ways out of a tool: LangChain's custom events (`astream_events`, callbacks), the
stream writer of a LangGraph graph (`stream_mode="custom"`), and the output deltas of its tool
calls (`stream_mode="tools"`).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.tools import InjectedToolArg
from pydantic import PlainSerializer, SkipValidation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROGRESS_EVENT: Final = "runcrate_progress"
"""Name of the custom events."""

InjectedRuntime = Annotated[
    Any,
    SkipValidation,
    InjectedToolArg(),
    # Arguments are dumped when a call is checked, and the runtime holds the state of the graph.
    PlainSerializer(lambda _: None, return_type=None),
]
"""Type of an argument `runtime`: LangGraph's `ToolRuntime`, which models do not see."""


@dataclass(frozen=True)
class Progress:
    """The listeners of one tool call.

    Attributes:
        tool: Name of the tool.
        runtime: The `ToolRuntime` of the call, where there is one.
    """

    tool: str
    runtime: Any = None

    def report(self, data: Mapping[str, Any]) -> None:
        """Report progress to all listeners, from sync code.

        Args:
            data: JSON values, such as `id` and `status`; `tool` is added.
        """
        event = self._written(data)
        try:
            dispatch_custom_event(PROGRESS_EVENT, event)
        except RuntimeError:
            return  # called as a plain function: there is no run that an event could belong to

    async def areport(self, data: Mapping[str, Any]) -> None:
        """Report progress to all listeners, from asynchronous code; see `report`."""
        event = self._written(data)
        try:
            await adispatch_custom_event(PROGRESS_EVENT, event)
        except RuntimeError:
            return

    def _written(self, data: Mapping[str, Any]) -> dict[str, Any]:
        event = {"tool": self.tool, **data}
        writer = getattr(self.runtime, "stream_writer", None) or _writer_of_graph()
        if writer is not None:
            writer({PROGRESS_EVENT: event})
        emit = getattr(self.runtime, "emit_output_delta", None)
        if emit is not None:
            emit(event)
        return event


def _writer_of_graph() -> Callable[[Any], None] | None:
    """Return the writer of the graph that this runs in; without LangGraph loaded there is none."""
    langgraph_config = sys.modules.get("langgraph.config")
    if langgraph_config is None:
        return None
    try:
        writer: Callable[[Any], None] = langgraph_config.get_stream_writer()
    except (KeyError, RuntimeError):
        return None
    return writer
