"""Settings of a chat model, and the request that they make."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from llama_index.core.bridge.pydantic import Field

from llamaindex_runcrate.capabilities import Capabilities, capabilities_of
from llamaindex_runcrate.clients import CONNECTION, Connected
from llamaindex_runcrate.messages import Rules, SendReasoning, wire_messages
from llamaindex_runcrate.react_steps import asks_for_steps
from llamaindex_runcrate.responses import ResponseContext
from llamaindex_runcrate.schemas import (
    names_of,
    own_names_of,
    wire_tool_choice,
    wire_tools,
)
from llamaindex_runcrate.tool_calls import NO_NAMES
from runcrate_core import ModelInfo
from runcrate_core.toolkit import ToolNames, is_large

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_index.core.base.llms.types import ChatMessage

# Settings that are sent as they are, when they are set.
_SENT: Final = (
    "temperature",
    "top_p",
    "max_tokens",
    "stop",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "reasoning_effort",
    "logprobs",
    "top_logprobs",
    "timeout",
)
# Without tools they have no meaning, and strict servers refuse them.
_OF_TOOLS: Final = ("tools", "tool_choice", "parallel_tool_calls")


# The argument of a call that carries the tools' own names, where some are sent in another form; it
# stays in this process.
TOOL_NAMES: Final = "tool_names"


class ChatRequest(NamedTuple):
    """A request, ready for the client.

    Attributes:
        arguments: Arguments of `chat.completions.create` or `stream`.
        context: How the response is to be read.
    """

    arguments: dict[str, Any]
    context: ResponseContext


class ChatSettings(Connected):
    """Settings of a chat model. Only set values are sent, and arguments of a call win."""

    model: str = Field(description="Identifier of the model; any is accepted.")
    temperature: float | None = Field(
        default=None, ge=0, le=2, description="Sampling temperature, from 0 to 2."
    )
    top_p: float | None = Field(
        default=None, ge=0, le=1, description="Nucleus sampling: share of the likeliest tokens."
    )
    max_tokens: int | None = Field(
        default=None, ge=1, description="Maximum number of tokens of a response."
    )
    stop: str | list[str] | None = Field(
        default=None, description="Text, or texts, at which a response ends."
    )
    seed: int | None = Field(
        default=None, description="Seed for reproducible output, if the model supports it."
    )
    frequency_penalty: float | None = Field(
        default=None, ge=-2, le=2, description="Penalty for frequent tokens, from -2 to 2."
    )
    presence_penalty: float | None = Field(
        default=None, ge=-2, le=2, description="Penalty for repeated tokens, from -2 to 2."
    )
    reasoning_effort: str | None = Field(
        default=None, description="`low`, `medium` or `high`, where the model supports it."
    )
    logprobs: bool | None = Field(
        default=None, description="Return the log probabilities of tokens."
    )
    top_logprobs: int | None = Field(
        default=None, ge=0, description="Number of alternatives to return per token."
    )
    additional_kwargs: dict[str, Any] = Field(
        default_factory=dict, description="Further fields of every request."
    )
    extra_body: dict[str, Any] | None = Field(
        default=None, description="Fields to put over the request as they are."
    )
    include_usage: bool = Field(default=True, description="Request the token usage of streams.")
    context_window: int | None = Field(
        default=None, ge=1, description="Overrides the catalogue's value for the model."
    )
    is_function_calling_model: bool | None = Field(
        default=None, description="Overrides the catalogue's value for the model."
    )
    facts: ModelInfo | None = Field(
        default=None,
        exclude=True,
        repr=False,
        description="Model metadata from the service: `parse_model_info(listed_model.to_dict())`.",
    )
    strict: bool | None = Field(
        default=None, description="Mark schemas of tools and structured output as strict."
    )
    structured_output: Literal["auto", "json_schema", "tool", "prompt"] = Field(
        default="auto",
        description="Method of structured prediction; `auto` falls back on the next one.",
    )
    send_reasoning: SendReasoning = Field(
        default="auto",
        description="Reasoning that is sent back to the model: `auto`: that since the last message "
        "of the user, as reasoning models need them between tool calls.",
    )
    reasoning_as_answer: bool = Field(
        default=True,
        description="Use the reasoning as the response when a model finished without any "
        "other; some servers put the complete response there.",
    )
    system_first: bool = Field(
        default=True,
        description="Send system messages at the start only: later ones, as agents add them, "
        "are sent as the user's, since many models refuse any other place.",
    )
    stream_tool_calls: bool = Field(
        default=True,
        description="Stream responses to requests with tools; otherwise they come as one "
        "chunk, for servers that stream tool calls wrongly.",
    )

    async def _arequest(
        self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]
    ) -> ChatRequest:
        """Do what `_request` does; large images and texts are converted off the event loop."""
        if is_large(
            [[block.__dict__ for block in getattr(message, "blocks", ())] for message in messages]
        ):
            return await asyncio.to_thread(self._request, messages, kwargs)
        return self._request(messages, kwargs)

    def _request(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> ChatRequest:
        """Return the arguments of the client's call, and how its response is to be read.

        Raises:
            ValueError: A setting of the connection, such as the key, is among the arguments, which
                would be sent as fields and are shown in LlamaIndex's events.
        """
        if not CONNECTION.isdisjoint(kwargs):
            [name, *_] = CONNECTION & kwargs.keys()
            raise ValueError(
                f"A call takes no `{name}`: give it to `RuncrateLLM({name}=...)`. Nothing was sent."
            )
        values = self.__dict__  # where pydantic keeps the fields
        request = {name: values[name] for name in _SENT if values[name] is not None}
        request.update({"model": self.model}, **self.additional_kwargs)
        request.update(kwargs)
        request.pop("use_chat_completions", None)  # an option of LlamaIndex's OpenAI classes
        own_names = request.pop(TOOL_NAMES, None)
        if not request.get("stop"):
            request.pop("stop", None)
        if (max_tokens := request.pop("max_completion_tokens", None)) is not None:
            request["max_tokens"] = max_tokens  # the service's name for it
        if not request.get("tools"):
            for name in _OF_TOOLS:
                request.pop(name, None)
        tools = request.get("tools") or ()
        if not all(isinstance(tool, dict) for tool in tools):
            own_names = own_names_of(tools)
            tools = request["tools"] = wire_tools(
                tools, names=ToolNames(own_names), strict=self.strict
            )
            choice = wire_tool_choice(request.get("tool_choice"), names=ToolNames(own_names))
            request["tool_choice"] = choice
        names = ToolNames(own_names or names_of(tools)) if tools else NO_NAMES
        if not self.include_usage:
            request.setdefault("stream_options", None)
        if self.extra_body:
            request["extra_body"] = self.extra_body | (request.get("extra_body") or {})
        model = request["model"]

        def reads(modality: str) -> bool:  # asked of media in tools' results alone
            return self._capabilities(model).reads(modality)

        rules = Rules(reads, self.send_reasoning, self.system_first, names)
        request["messages"] = wire_messages(messages, rules)
        max_tokens = request.get("max_tokens")
        context = ResponseContext(
            single_tool_call=request.get("parallel_tool_calls") is False,
            reasoning_as_answer=self.reasoning_as_answer,
            max_tokens=max_tokens if isinstance(max_tokens, int) else None,
            tools=tools,
            tool_names=names,
            forced=request.get("tool_choice") not in (None, "auto", "none"),
            steps_in_text=asks_for_steps(request["messages"]),
        )
        return ChatRequest(request, context)

    def _capabilities(self, model: str) -> Capabilities:
        if model != self.model:
            return capabilities_of(model)
        return capabilities_of(
            model,
            facts=self.facts,
            max_tokens=self.max_tokens,
            context_window=self.context_window,
            tools=self.is_function_calling_model,
        )
