"""Responses from the service's form to LlamaIndex's, complete and streamed.

The last chunk of a stream is made from the accumulated stream by the same function as a complete
response: a result does not depend on the way in which it was requested.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    ImageBlock,
    LogProb,
    MessageRole,
    TextBlock,
    ThinkingBlock,
)

from llamaindex_runcrate.messages import (
    CONTENT_FIELD,
    DEFAULT_REASONING_FIELD,
    REASONING_DETAILS,
    REASONING_FIELD,
)
from llamaindex_runcrate.react_steps import without_cut_step
from llamaindex_runcrate.tool_calls import (
    CALLS_KEY,
    NO_NAMES,
    StreamedCalls,
    call_blocks,
    legacy_calls,
)
from runcrate_core import ResponseFormatError
from runcrate_core.toolkit import (
    ToolNames,
    construct,
    ended_at_limit,
    extract_cost,
    extract_reasoning,
    extract_usage,
    parse_tool_calls,
    token_count,
    usage_details,
    without_reasoning,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llama_index.core.base.llms.types import ToolCallBlock

    from runcrate_core import ChatCompletion, ResponseInfo

# Members of a response that contain its finish reason.
FINISH_REASON: Final = "finish_reason"
# Members of `message.additional_kwargs` that are taken over from a response as they are.
_KEPT: Final = ("annotations", "refusal")
_FIELDS_OF_REASONING: Final = (DEFAULT_REASONING_FIELD, "reasoning", "thinking")
# Details of the usage by the name under which they appear in `additional_kwargs`.
_DETAILS: Final = {"cached_tokens": "cached", "reasoning_tokens": "reasoning"}


class ResponseContext(NamedTuple):
    """The parts of a request that decide how its response is read.

    Attributes:
        single_tool_call: Only the first of several tool calls is wanted.
        reasoning_as_answer: Reasoning counts as the response where there is no other.
        max_tokens: The token limit of the response; None where none was sent.
        tools: The tools that were sent, in the service's form.
        tool_names: The tools' names on the wire.
        forced: The request demands a tool call.
        steps_in_text: The text may hold the tool calls of a `ReActAgent`.
    """

    single_tool_call: bool = False
    reasoning_as_answer: bool = True
    max_tokens: int | None = None
    tools: Sequence[Mapping[str, Any]] = ()
    tool_names: ToolNames = NO_NAMES
    forced: bool = False
    steps_in_text: bool = False


def response_of(completion: ChatCompletion, context: ResponseContext) -> ChatResponse:
    """Return a complete response in LlamaIndex's form.

    * `message.blocks`: reasoning, text, media, tool calls, in this order; the calls are in
      `message.additional_kwargs["tool_calls"]` as well, where LlamaIndex's programs look.
    * `raw`: the response as a dict; its `usage` has no null members, or is not there at all.
    * `additional_kwargs`: `finish_reason`, `prompt_tokens`, `completion_tokens`, `total_tokens`,
      and as far as they were reported `cached_tokens`, `reasoning_tokens`, `cost_usd`,
      `request_id`. A response cut at the token limit has the finish reason `length`, also where
      the server reports `tool_calls` for it.

    Raises:
        ResponseFormatError: It holds no response.
    """
    raw = completion.to_dict()
    choice = _first_choice(raw, completion.response)
    message = choice.get("message") or {}
    usage = extract_usage(raw)
    raw.pop("usage", None)
    if usage:
        raw["usage"] = usage
    finish_reason = _finish_reason(choice, usage or {}, context)
    return construct(
        ChatResponse,
        {
            "message": _message_of(message, finish_reason, usage or {}, context),
            "raw": raw,
            "delta": None,
            "logprobs": _logprobs_of(choice.get("logprobs")),
            "additional_kwargs": (
                ({FINISH_REASON: finish_reason} if finish_reason else {})
                | _accounts(raw, usage, completion.response)
            ),
        },
    )


def was_cut(response: ChatResponse) -> bool:
    """Return True if a response ended at the token limit."""
    return response.additional_kwargs.get(FINISH_REASON) == "length"


def is_last(response: ChatResponse) -> bool:
    """Return True for the last chunk of a stream: it is a complete response, and no delta."""
    return any("message" in choice for choice in (response.raw or {})["choices"])


class ChunkReader:
    """Makes LlamaIndex's chunks of the service's.

    Each holds everything so far, as LlamaIndex's consumers expect, and nothing in it changes
    afterwards.
    """

    __slots__ = ("_calls", "_context", "_media", "_text", "_thinking", "_thought")

    def __init__(self, context: ResponseContext) -> None:
        self._context = context
        self._text = ""
        self._thought = ""
        self._thinking: ThinkingBlock | None = None
        self._media: list[Any] = []
        self._calls = StreamedCalls(single=context.single_tool_call, names=context.tool_names)

    def read(self, chunk: Mapping[str, Any]) -> ChatResponse | None:
        """Return a chunk's addition to the response; None if it has none (a role, the usage)."""
        choices = chunk.get("choices")
        choice = choices[0] if choices and isinstance(choices, list) else None
        if not isinstance(choice, dict) or (type(i := choice.get("index")) is int and i):
            return None  # of several responses LlamaIndex knows the first
        delta = choice.get("delta")
        if not delta or not isinstance(delta, dict):
            return None
        additional: dict[str, Any] = {}
        text = delta.get("content")
        if text and type(text) is str and len(delta) == 1:
            self._text += text  # all that most chunks hold
        else:
            text = self._read_delta(delta, additional)
            if text is None:
                return None
        calls = self._calls
        return construct(
            ChatResponse,
            {
                "message": _message(
                    self._thinking, self._text, calls.blocks, calls.wire, self._media
                ),
                "raw": chunk,
                "delta": text,
                "logprobs": _logprobs_of(choice.get("logprobs")),
                "additional_kwargs": additional,
            },
        )

    def _read_delta(self, delta: Mapping[str, Any], additional: dict[str, Any]) -> str | None:
        """Read a delta of any kind, and return its text; None where it adds nothing."""
        text: Any = delta.get("content")
        thought: str | None = None
        media: list[Any] = []
        if text is None and "images" not in delta:
            text = ""
        elif type(text) is not str or "images" in delta:
            parts = _read_parts(delta)
            text, thought, media = parts.text, parts.thought, parts.media
        deltas = delta.get("tool_calls")
        if not isinstance(deltas, list):
            deltas = None
        if not deltas or len(delta) > 1:  # more arguments of a call mostly come alone
            thought = extract_reasoning(delta) or thought
        if not (text or thought or deltas or media):
            return None
        piece: str = text
        self._text += piece
        if media:
            self._media = self._media + media
        if thought:
            self._think(thought, delta)
            additional["thinking_delta"] = thought
        if deltas:
            self._calls.add(deltas)
        return piece

    def last(self, completion: ChatCompletion) -> ChatResponse:
        """Return the last chunk: the complete response. Its delta is the text that no chunk had.

        Raises:
            ResponseFormatError: The stream held no response.
        """
        response = response_of(completion, self._context)
        text = response.message.content or ""
        # Something is left over only where reasoning was taken for the response.
        response.delta = text.removeprefix(self._text) if text.startswith(self._text) else ""
        return response

    def _think(self, thought: str, delta: Mapping[str, Any]) -> None:
        self._thought += thought
        before = self._thinking
        origin = before.additional_information if before else _origin_of(delta)
        self._thinking = _thinking_block(self._thought, origin, None)


def completion_of(response: ChatResponse) -> CompletionResponse:
    """Return a chat response as the response to a prompt; the chat response is not changed."""
    return construct(
        CompletionResponse,
        {
            "text": response.message.content or "",
            "additional_kwargs": response.message.additional_kwargs | response.additional_kwargs,
            "raw": response.raw,
            "logprobs": response.logprobs,
            "delta": response.delta,
        },
    )


def _first_choice(raw: Mapping[str, Any], info: ResponseInfo | None) -> dict[str, Any]:
    choices = raw.get("choices")
    if not choices:
        raise ResponseFormatError(
            "The response has no choice: the model returned nothing. The request may be sent "
            "again.",
            status_code=info.status if info else None,
            request_id=info.request_id if info else None,
        )
    first: dict[str, Any] = min(choices, key=lambda choice: choice.get("index") or 0)
    return first


def _finish_reason(
    choice: Mapping[str, Any], usage: Mapping[str, Any], context: ResponseContext
) -> str | None:
    reason = choice.get("finish_reason")
    tokens = token_count(usage, "completion_tokens", "output_tokens")
    reached = context.max_tokens is not None and (tokens or 0) >= context.max_tokens
    # vLLM reports `tool_calls` for calls that it cut at the limit.
    if ended_at_limit(reason) or (reason == "tool_calls" and reached):
        return "length"
    return reason if isinstance(reason, str) else None


def _message_of(
    message: Mapping[str, Any],
    finish_reason: str | None,
    usage: Mapping[str, Any],
    context: ResponseContext,
) -> ChatMessage:
    calls = parse_tool_calls(
        message.get("tool_calls") or (),
        finish_reason=finish_reason,
        tools=context.tools,
        forced=context.forced,
    )
    if context.single_tool_call:
        calls = calls[:1]
    parts = _read_parts(message)
    text, media = parts.text, parts.media
    thought = extract_reasoning(message) or parts.thought
    thinking = None
    if thought or message.get(REASONING_DETAILS):
        tokens = usage_details(usage).get("reasoning")
        thinking = _thinking_block(thought, _origin_of(message), tokens)
    if (
        thought
        and finish_reason == "stop"
        and not (text.strip() or media or calls)
        and context.reasoning_as_answer
    ):
        text = thought
    if context.steps_in_text:
        # The agent would run a call that is only part of the reasoning.
        text = without_reasoning(text)
        text = without_cut_step(text) if finish_reason == "length" else text
    blocks = call_blocks(calls, context.tool_names)
    result = _message(thinking, text, blocks, legacy_calls(calls), media)
    result.additional_kwargs.update({name: message[name] for name in _KEPT if message.get(name)})
    return result


def _message(
    thinking: ThinkingBlock | None,
    text: str,
    calls: list[ToolCallBlock],
    wire: list[dict[str, Any]],
    media: list[Any] | None = None,
) -> ChatMessage:
    """Return an assistant's message. Text that is empty stands only where nothing else does."""
    blocks: list[Any] = []
    if thinking is not None:
        blocks.append(thinking)
    if text or not (calls or media):
        blocks.append(construct(TextBlock, {"block_type": "text", "text": text}))
    if media:
        blocks += media
    blocks += calls
    return construct(
        ChatMessage,
        {
            "role": MessageRole.ASSISTANT,
            "additional_kwargs": {CALLS_KEY: wire} if wire else {},
            "blocks": blocks,
        },
    )


def _thinking_block(text: str | None, origin: dict[str, Any], tokens: int | None) -> ThinkingBlock:
    return construct(
        ThinkingBlock,
        {
            "block_type": "thinking",
            "content": text,
            "num_tokens": tokens,
            "additional_information": origin,
        },
    )


def _origin_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the field in which reasoning arrived, to send it back in the same."""
    origin: dict[str, Any] = {}
    for name in _FIELDS_OF_REASONING:
        if message.get(name):
            origin[REASONING_FIELD] = name
            break
    else:
        if isinstance(message.get("content"), list):
            origin[REASONING_FIELD] = CONTENT_FIELD
    if details := message.get(REASONING_DETAILS):
        origin[REASONING_DETAILS] = details
    return origin


class _Parts(NamedTuple):
    """The content of a message or delta. Parts of other kinds are in `raw` only."""

    text: str
    thought: str | None
    media: list[Any]


def _read_parts(message: Mapping[str, Any]) -> _Parts:
    content = message.get("content")
    if type(content) is str and "images" not in message and "audio" not in message:
        return _Parts(content, None, [])
    parts = list(content) if isinstance(content, list) else []
    texts = [content] if isinstance(content, str) else []
    reasoning: list[str] = []
    media: list[Any] = []
    images = message.get("images")  # where OpenRouter puts what image models draw
    for part in [*parts, *(images if isinstance(images, list) else ())]:
        match part:
            case str():
                texts.append(part)
            case {"type": "text" | "output_text", "text": str(text)}:
                texts.append(text)
            case {"type": "thinking", "thinking": thinking}:
                reasoning.append(_text_of_parts(thinking))
            case {"type": "reasoning", "text": str(text)}:
                reasoning.append(text)
            case {"type": "image_url", "image_url": {"url": str(url)}} | {
                "type": "image_url",
                "image_url": str(url),
            }:
                with suppress(ValueError):  # it is no URL
                    media.append(ImageBlock(url=url))
    match message.get("audio"):
        case {"data": str(data)}:
            media.append(AudioBlock(audio=data.encode()))
    return _Parts("".join(texts), "".join(reasoning) or None, media)


def _text_of_parts(thinking: Any) -> str:
    """Return the text of a thinking part: text itself, or a list of text parts (Mistral)."""
    if isinstance(thinking, str):
        return thinking
    texts = [
        part.get("text") if isinstance(part, dict) else part
        for part in (thinking if isinstance(thinking, list) else ())
    ]
    return "".join(text for text in texts if isinstance(text, str))


def _accounts(
    raw: Mapping[str, Any], usage: Mapping[str, Any] | None, info: ResponseInfo | None
) -> dict[str, Any]:
    accounts: dict[str, Any] = {}
    if usage:
        prompt = token_count(usage, "prompt_tokens", "input_tokens") or 0
        completion = token_count(usage, "completion_tokens", "output_tokens") or 0
        accounts["prompt_tokens"] = prompt
        accounts["completion_tokens"] = completion
        accounts["total_tokens"] = token_count(usage, "total_tokens") or prompt + completion
        details = usage_details(usage)
        accounts |= {name: details[it] for name, it in _DETAILS.items() if it in details}
    if (cost := extract_cost(raw)) is not None:
        accounts["cost_usd"] = float(cost)
    if info is not None and info.request_id:
        accounts["request_id"] = info.request_id
    return accounts


def _logprobs_of(logprobs: Any) -> list[list[LogProb]] | None:
    """Return the alternatives that were reported for each token, or the token alone.

    None where they are of another form.
    """
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(tokens, list) or not tokens:
        return None
    try:
        return [
            [
                LogProb(
                    token=str(item.get("token", "")),
                    logprob=float(item.get("logprob") or 0.0),
                    bytes=item.get("bytes") or [],
                )
                for item in (token.get("top_logprobs") or [token])
            ]
            for token in tokens
            if isinstance(token, dict)
        ]
    except (AttributeError, TypeError, ValueError):
        return None
