"""Chat completion types: complete responses, and streams after their last chunk."""

from __future__ import annotations

from typing import Any

from runcrate_core.api.envelope import ApiModel, ApiPart
from runcrate_core.api.known_values import AssistantRole, FinishReason, OptionalText, ToolCallType


class FunctionCall(ApiPart):
    """The function of a tool call; `arguments` is JSON text that a model wrote.

    Some servers send the arguments as an object; they are kept as they came.
    """

    name: str = ""
    arguments: str | dict[str, Any] | None = None


class ToolCall(ApiPart):
    """A call of an offered tool."""

    id: OptionalText = None
    type: ToolCallType = "function"
    function: FunctionCall


class ChatMessage(ApiPart):
    """The response of a model; reasoning models add `reasoning_content` or `reasoning`."""

    role: AssistantRole = "assistant"
    content: str | list[Any] | None = None
    refusal: OptionalText = None
    reasoning_content: OptionalText = None
    tool_calls: list[ToolCall] | None = None


class ChatChoice(ApiPart):
    """One response. `finish_reason`: `stop`, `length`, `tool_calls`, `content_filter` or new."""

    index: int = 0
    message: ChatMessage
    finish_reason: FinishReason = None
    logprobs: Any = None


class ChatUsage(ApiPart):
    """Tokens of a completion."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: dict[str, Any] | None = None
    completion_tokens_details: dict[str, Any] | None = None


class ChatCompletion(ApiModel):
    """A complete chat completion, in OpenAI's shape; fields that a provider adds are kept.

    Attributes:
        choices: The responses, nearly always one.
        usage: Tokens, if the API reported them.
    """

    id: str = ""
    object: str = "chat.completion"
    created: int | float | None = None
    model: str = ""
    choices: list[ChatChoice]
    usage: ChatUsage | None = None
