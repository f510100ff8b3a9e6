"""Responses of models as LangChain's messages and results, complete and streamed.

`chat_result` reads a complete response. The client folds a streamed one into the form of a complete
one, so at its end the same functions say what model, usage, cost and reason it had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from langchain_runcrate.errors import RuncrateResponseError
from langchain_runcrate.prices import cost_metadata
from langchain_runcrate.reasoning import (
    PROVIDER,
    REASONING_BLOCKS,
    REASONING_KEY,
    block_reasoning,
)
from langchain_runcrate.tool_calls import read_calls
from langchain_runcrate.tools_binding import NO_NAMES
from langchain_runcrate.usage import usage_metadata
from runcrate_core.toolkit import ToolNames, construct, extract_reasoning, extract_usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages.ai import UsageMetadata

    from langchain_runcrate.prices import TokenPrices
    from runcrate_core import ResponseInfo

# Members of a message that become fields of `AIMessage`; all others are kept under their names.
_READ_MEMBERS: Final = frozenset(
    {"content", "name", "reasoning", "reasoning_content", "role", "thinking", "tool_calls"}
)
_READ_CHOICE_MEMBERS: Final = frozenset({"delta", "finish_reason", "index", "message", "usage"})
_READ_PAYLOAD_MEMBERS: Final = frozenset(
    {"choices", "created", "logprobs", "model", "object", "usage"}
)


class ResponseContext(NamedTuple):
    """The context in which a response is read.

    Attributes:
        model: The model that was asked for.
        prices: Prices to use where the server does not report the cost.
        include_headers: Whether the headers of the response go into its metadata.
        tools: The tools of the request, in the API's form.
        names: The names of these tools, as the program knows them.
        forced: Whether the request demands a tool call.
    """

    model: str
    prices: TokenPrices | None = None
    include_headers: bool = False
    tools: Sequence[Mapping[str, Any]] = ()
    names: ToolNames = NO_NAMES
    forced: bool = False


def chat_result(
    payload: Mapping[str, Any], response: ResponseInfo | None, reading: ResponseContext
) -> ChatResult:
    """Return a complete response as LangChain's result.

    With several choices, usage and cost are in the first: they are the total of all.

    Raises:
        RuncrateResponseError: There is no choice in it.
    """
    if not payload["choices"]:
        raise RuncrateResponseError(
            f"The model `{payload.get('model') or reading.model}` returned no choices at all, "
            "so there is no message. Ask again; if that does not help, report it to the provider.",
            request_id=None if response is None else response.request_id,
        )
    usage = extract_usage(payload)
    tokens = usage_metadata(usage) if usage else None
    head = response_metadata_of(payload, response, reading)
    generations = []
    for number, choice in enumerate(payload["choices"]):
        metadata = head | choice_metadata(choice)
        if number == 0:
            metadata |= spent_metadata(usage, tokens, reading)
        message = assistant_message(
            choice["message"],
            finish_reason=choice.get("finish_reason"),
            context=reading,
            response_metadata=metadata,
            usage_metadata=tokens if number == 0 else None,
        )
        info = {"finish_reason": choice.get("finish_reason")}
        generations.append(_generation(message, info))
    llm_output = {"model_name": head["model_name"], **({"token_usage": usage} if usage else {})}
    return construct(ChatResult, {"generations": generations, "llm_output": llm_output})


def assistant_message(
    message: Mapping[str, Any],
    *,
    finish_reason: str | None = None,
    context: ResponseContext | None = None,
    response_metadata: dict[str, Any] | None = None,
    usage_metadata: UsageMetadata | None = None,
) -> AIMessage:
    """Return the message of a model.

    Args:
        message: The message, as in a response.
        finish_reason: Why the message ended.
        context: What is known of the call.
        response_metadata: Further metadata of the response.
        usage_metadata: Tokens of the response.
    """
    calls, invalid, extras = read_calls(
        message.get("tool_calls") or (),
        finish_reason=finish_reason,
        tools=context.tools if context else (),
        forced=context is not None and context.forced,
        names=context.names if context else None,
    )
    text, reasoning = read_content(message.get("content"))
    fields: dict[str, Any] = {
        "content": text,
        "additional_kwargs": additional_members(message, reasoning) | extras,
        "response_metadata": response_metadata or {},
        "name": name if isinstance(name := message.get("name"), str) else None,
        "tool_calls": calls,
        "invalid_tool_calls": invalid,
        "usage_metadata": usage_metadata,
    }
    if type(text) is not str or fields["name"] is not None:
        return AIMessage(**fields)
    return construct(AIMessage, {**_MESSAGE_FIELDS, **fields}, set(fields), {})


# The other fields of messages and generations, whose values are those of their classes. Text and
# what is made here needs no validation, which takes longer than all the rest of reading a response.
_MESSAGE_FIELDS: Final = dict(AIMessage(content="").__dict__)
_GENERATION_FIELDS: Final = dict(ChatGeneration(message=AIMessage(content="")).__dict__)


def _generation(message: AIMessage, info: dict[str, Any]) -> ChatGeneration:
    if type(message.content) is not str:
        return ChatGeneration(message=message, generation_info=info)
    given = {"message": message, "generation_info": info}
    fields = {**_GENERATION_FIELDS, "text": message.content, **given}
    return construct(ChatGeneration, fields, set(given))


def read_content(content: Any) -> tuple[str | list[Any], str]:
    """Return the content of a response or of a piece of it, and the reasoning in it.

    Nearly always it is text. Mistral's models send parts, of which text and reasoning are joined;
    parts of other kinds stay as they are.
    """
    if not isinstance(content, list):
        return content if isinstance(content, str) else "", ""
    parts = [_as_part(part) for part in content if isinstance(part, dict | str)]
    reasoning = "".join(block_reasoning(part) for part in parts)
    spoken = [part for part in parts if part.get("type") not in REASONING_BLOCKS]
    if all(part.get("type") == "text" for part in spoken):
        return "".join(str(part.get("text") or "") for part in spoken), reasoning
    return spoken, reasoning


def _as_part(part: dict[str, Any] | str) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {**part, "type": "text"} if part.get("type") == "output_text" else part


def additional_members(message: Mapping[str, Any], reasoning: str = "") -> dict[str, Any]:
    """Return the `additional_kwargs` of a response: its reasoning, and members without a field.

    Args:
        message: The message, as in a response.
        reasoning: Reasoning in its content.
    """
    kept = _others(message, _READ_MEMBERS)
    if text := extract_reasoning(message) or reasoning:
        kept[REASONING_KEY] = text
    return kept


def response_metadata_of(
    payload: Mapping[str, Any], response: ResponseInfo | None, reading: ResponseContext
) -> dict[str, Any]:
    """Return the `response_metadata` that all choices of a response have in common.

    What the provider adds (`provider`, `citations`, `time_info`, ...) is kept under its name.
    """
    metadata = _others(payload, _READ_PAYLOAD_MEMBERS)
    metadata["model_name"] = payload.get("model") or reading.model
    metadata["model_provider"] = PROVIDER
    if response is None:
        return metadata
    if response.request_id is not None:
        metadata["request_id"] = response.request_id
    if (limit := response.rate_limit) is not None:
        metadata["rate_limit"] = {
            "limit": limit.limit,
            "remaining": limit.remaining,
            "reset_in_s": limit.reset_in_s,
        }
    if reading.include_headers:
        metadata["headers"] = dict(response.headers)
    return metadata


def choice_metadata(choice: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `response_metadata` of one choice: why it ended, log probabilities."""
    metadata = _others(choice, _READ_CHOICE_MEMBERS)
    metadata["finish_reason"] = choice.get("finish_reason")
    return metadata


def spent_metadata(
    usage: dict[str, Any] | None, tokens: UsageMetadata | None, reading: ResponseContext
) -> dict[str, Any]:
    """Return usage and cost of a response, as the API reported them.

    Args:
        usage: The usage as the API reported it.
        tokens: The usage in LangChain's form.
        reading: What is known of the call.
    """
    if usage is None or tokens is None:
        return {}
    return {"token_usage": usage, **cost_metadata(usage, tokens, reading.prices)}


def _others(members: Mapping[str, Any], read: frozenset[str]) -> dict[str, Any]:
    return {
        name: value
        for name, value in members.items()
        if name not in read and value not in (None, "", [], {})
    }
