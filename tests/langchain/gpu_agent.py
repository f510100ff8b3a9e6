"""A scripted chat model, so that an agent does what a test wants it to."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

# Each turn: what the model calls, from the conversation so far.
Turn = Callable[[list[BaseMessage]], list[tuple[str, dict[str, Any]]]]


class ScriptedModel(BaseChatModel):
    """Calls the tools of its script, turn by turn, and then says that it is done."""

    turns: list[Turn] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        return self

    def _generate(self, messages, stop=None, run_manager=None, **_):
        number = sum(isinstance(message, AIMessage) for message in messages)
        calls = self.turns[number](messages) if number < len(self.turns) else []
        message = AIMessage(
            "" if calls else "Done.",
            tool_calls=[
                {"name": f"runcrate_{name}", "args": arguments, "id": f"call-{number}-{index}"}
                for index, (name, arguments) in enumerate(calls)
            ],
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


def last(messages: list[BaseMessage], tool: str) -> Any:
    """Return what a tool last gave."""
    found = [
        message
        for message in messages
        if isinstance(message, ToolMessage) and message.name == f"runcrate_{tool}"
    ]
    return json.loads(str(found[-1].content))
