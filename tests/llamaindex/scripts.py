"""Chat scripts that several tests of `llamaindex_runcrate` share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from runcrate_emulator import ChatRequest, Reply

Script = Callable[[ChatRequest], Reply | None]


def text_of(request: ChatRequest) -> str:
    """Return all texts of a request."""
    return "\n".join(message.text for message in request.messages)


def by_prompt(replies: Mapping[str, Reply | Script]) -> Script:
    """Reply with what stands under the first text that the request contains."""

    def script(request: ChatRequest) -> Reply | None:
        text = text_of(request)
        for marker, reply in replies.items():
            if marker in text:
                return reply if isinstance(reply, Reply) else reply(request)
        return None

    return script


def as_object(value: dict[str, Any]) -> Script:
    """Reply with an object, in the form that the request asks for: a tool call, or JSON."""

    def script(request: ChatRequest) -> Reply:
        if request.tools:
            return Reply.tool_calls((request.tools[0].name, value))
        return Reply.json(value)

    return script


def with_tool(name: str, arguments: dict[str, Any], answer: str) -> Script:
    """Call a tool, then answer: as tool calls, or in the text of a ReAct agent."""

    def script(request: ChatRequest) -> Reply:
        done = bool(request.tool_results) or request.prompt.startswith("Observation:")
        if "Action Input" not in text_of(request):
            return Reply.text(answer) if done else Reply.tool_calls((name, arguments))
        if done:
            return Reply.text(
                f"Thought: I can answer without using any more tools.\nAnswer: {answer}"
            )
        action = f"Action: {name}\nAction Input: {json.dumps(arguments)}"
        return Reply.text(f"Thought: I need to use a tool.\n{action}")

    return script
