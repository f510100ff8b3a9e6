"""Types of streamed chat responses, and readers of fields that providers put in different places.

Everything here is pure and tolerant: a value of an unexpected type is read as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from runcrate_core.protocol.json_object import JsonObject

# Where models put the text of their reasoning. Runcrate documents the first (official LangChain
# wrapper); the others are what vLLM, Groq, Cerebras and OpenRouter send for the same models.
REASONING_FIELDS: Final = ("reasoning_content", "reasoning", "thinking")

# Where providers put the details of a usage: members of groups, and of the usage itself (DeepSeek,
# Moonshot, and gateways to Anthropic).
_PROMPT: Final = ("prompt_tokens_details", "input_tokens_details")
_COMPLETION: Final = ("completion_tokens_details", "output_tokens_details")
_DETAILS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]] = {
    "cached": (
        _PROMPT,
        ("cached_tokens",),
        ("prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"),
    ),
    "cache_creation": (
        _PROMPT,
        ("cache_write_tokens", "cache_creation_tokens"),
        ("cache_creation_input_tokens",),
    ),
    "input_audio": (_PROMPT, ("audio_tokens",), ()),
    "output_audio": (_COMPLETION, ("audio_tokens",), ()),
    "reasoning": (_COMPLETION, ("reasoning_tokens",), ("reasoning_tokens",)),
}

# Where providers put the price of a response in the usage, in US dollars.
_COST_FIELDS: Final = ("cost", "total_cost", "estimated_cost")


class FunctionDelta(JsonObject):
    """A piece of the function of a tool call; `arguments` is a piece of JSON text."""

    __slots__ = ()

    name: str | None
    arguments: str | None


class ToolCallDelta(JsonObject):
    """A piece of a tool call.

    In chunks of this client `index` is always set and unlike that of other calls, `id` and the
    function's name come in one chunk only, and arguments are text.
    """

    __slots__ = ()

    index: int = 0
    id: str | None
    type: str | None
    function: FunctionDelta


class ChoiceDelta(JsonObject):
    """The part that a chunk adds to a completion."""

    __slots__ = ()

    role: str | None
    content: str | None
    refusal: str | None
    reasoning_content: str | None
    reasoning: str | None
    reasoning_details: list[JsonObject] | None
    tool_calls: list[ToolCallDelta] | None
    function_call: FunctionDelta | None
    annotations: list[JsonObject] | None


class ChunkChoice(JsonObject):
    """One response's part of a chunk. `finish_reason` is set in its last chunk."""

    __slots__ = ()

    index: int = 0
    delta: ChoiceDelta
    finish_reason: str | None
    logprobs: JsonObject | None


class ChunkUsage(JsonObject):
    """Tokens of the complete response, in one of the last chunks."""

    __slots__ = ()

    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    prompt_tokens_details: JsonObject | None
    completion_tokens_details: JsonObject | None


class ChatCompletionChunk(JsonObject):
    """One event of a streamed chat response, in OpenAI's shape, with all fields that were sent.

    `choices` is empty in some chunks, such as the one that carries the usage.
    """

    __slots__ = ()

    id: str = ""
    object: str = "chat.completion.chunk"
    created: int | None
    model: str = ""
    choices: list[ChunkChoice]
    usage: ChunkUsage | None
    system_fingerprint: str | None
    service_tier: str | None


def extract_reasoning(message: Mapping[str, Any]) -> str | None:
    """Return the text of the model's reasoning in a message or delta; None when there is none.

    Reads `reasoning_content`, `reasoning`, `thinking` and, only without these (they repeat it),
    the texts and summaries in `reasoning_details`.
    """
    for name in REASONING_FIELDS:
        value = message.get(name)
        if value and isinstance(value, str):
            return value
    details = message.get("reasoning_details")
    if not isinstance(details, list):
        return None
    texts = [
        detail.get("text") or detail.get("summary")
        for detail in details
        if isinstance(detail, dict)
    ]
    return "".join(text for text in texts if isinstance(text, str)) or None


def extract_usage(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the token usage in a completion or chunk, without its null members.

    Checks the top level, `x_groq` (Groq) and in the first choice (Moonshot).
    """
    choices = payload.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    for source in (payload, payload.get("x_groq"), first):
        usage = source.get("usage") if isinstance(source, dict) else None
        if isinstance(usage, dict) and (known := _without_null(usage)):
            return known
    return None


def token_count(usage: Any, *names: str) -> int | None:
    """Return the first member of a usage under one of these names that is a whole number."""
    for name in names if isinstance(usage, dict) else ():
        value = usage.get(name)
        if type(value) is int:  # of JSON: a boolean is not a number
            return value
        if type(value) is float and value.is_integer():
            return int(value)
    return None


def usage_details(usage: Mapping[str, Any]) -> dict[str, int]:
    """Return the details of a usage that were reported, wherever the provider put them.

    Returns:
        Tokens by what they are: `cached`, `cache_creation`, `input_audio`, `output_audio`,
        `reasoning`.
    """
    details: dict[str, int] = {}
    for kind, (groups, members, beside) in _DETAILS.items():
        for group in groups:
            if group in usage and (count := token_count(usage[group], *members)) is not None:
                details[kind] = count
                break
        else:
            if beside and (count := token_count(usage, *beside)) is not None:
                details[kind] = count
    return details


def extract_cost(payload: Mapping[str, Any]) -> Decimal | None:
    """Return the price of a completion or chunk in US dollars, if the provider reported it.

    No Runcrate source documents such a field; OpenRouter sends `usage.cost`, DeepInfra
    `usage.estimated_cost`.
    """
    usage = extract_usage(payload) or {}
    for name in _COST_FIELDS:
        value = usage.get(name)
        if isinstance(value, dict):
            value = value.get("total_cost")
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            try:
                cost = Decimal(str(value))
            except InvalidOperation:
                continue
            if cost.is_finite() and cost >= 0:
                return cost
    return None


def error_of(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the error that an event of a stream carries; None for a chunk.

    Known are `{"error": {...}}` (Groq, OpenRouter next to `choices`, vLLM), `{"error": "text"}`,
    `{"object": "error", ...}` (older vLLM), an `error` in a choice or as its finish reason
    (OpenRouter), and the bare `{"message": ...}` or `{"detail": ...}` of gateways.

    Returns:
        An object with a `message` where the server gave one, and whatever else it sent.
    """
    if error := event.get("error"):
        return _error_object(error, event)
    choices, detail = event.get("choices"), event.get("detail")
    if choices is None and isinstance(detail, dict) and not event.get("message"):
        return error_of(detail) or _error_object(detail, event)  # as FastAPI wraps errors
    if choices is None:
        message = event.get("message") or event.get("detail")
        if message or "error" in (event.get("object"), event.get("type")):
            return _error_object(event, event)
        return None
    for choice in choices if isinstance(choices, list) else ():
        if not isinstance(choice, dict):
            continue
        if error := choice.get("error"):
            return _error_object(error, choice)
        if choice.get("finish_reason") == "error":
            return {"message": "the model's provider ended the response with an error"}
    return None


def _error_object(error: Any, context: Mapping[str, Any]) -> dict[str, Any]:
    """Return an error as an object with a message, whatever form it was sent in."""
    if isinstance(error, dict):
        result = dict(error)
        if not result.get("message") and result.get("detail"):
            result["message"] = result.pop("detail")
        return result
    context_fields = {name: context[name] for name in ("code", "type") if context.get(name)}
    return {"message": error if isinstance(error, str) else repr(error), **context_fields}


def _without_null(value: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_null(item) if isinstance(item, dict) else item
        for name, item in value.items()
        if item is not None
    }
