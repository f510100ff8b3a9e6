"""Answers from the service's form to LlamaIndex's, whole and streamed.

The last chunk of a stream is made by the same function as a whole answer, of the folded stream:
what an answer is does not depend on how it was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

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
    DEFAULT_REASONING_FIELD,
    REASONING_DETAILS,
    REASONING_FIELD,
)
from llamaindex_runcrate.tool_calls import (
    CALLS_KEY,
    StreamedCalls,
    call_blocks,
    identified_calls,
)
from runcrate_core import ResponseFormatError
from runcrate_core.toolkit import construct, extract_cost, extract_reasoning, extract_usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llama_index.core.base.llms.types import ToolCallBlock

    from runcrate_core import ChatCompletion, ResponseInfo

# Members of `message.additional_kwargs` that are taken over from an answer as they are.
_KEPT: Final = ("annotations", "refusal")
_FIELDS_OF_REASONING: Final = (DEFAULT_REASONING_FIELD, "reasoning", "thinking")
# Details of the usage by the name under which they appear in `additional_kwargs`.
_DETAILS: Final = {
    "cached_tokens": ("prompt_tokens_details", "cached_tokens"),
    "reasoning_tokens": ("completion_tokens_details", "reasoning_tokens"),
}


@dataclass(frozen=True, slots=True)
class ResponseContext:
    """How answers are read.

    Attributes:
        single_tool_call: Whether only the first of several tool calls is wanted.
        reasoning_as_answer: Whether thoughts count as the answer where there is no other.
    """

    single_tool_call: bool = False
    reasoning_as_answer: bool = True


def response_of(completion: ChatCompletion, reading: ResponseContext) -> ChatResponse:
    """Return a whole answer in LlamaIndex's form.

    * `message.blocks`: thoughts, text, media, tool calls, in this order; the calls stand in
      `message.additional_kwargs["tool_calls"]` as well, where LlamaIndex's programs look.
    * `raw`: the answer as a dict; its `usage` has no null members, or is not there at all.
    * `additional_kwargs`: `prompt_tokens`, `completion_tokens`, `total_tokens`, and as far as
      they were told `cached_tokens`, `reasoning_tokens`, `cost_usd`, `request_id`.

    Raises:
        ResponseFormatError: It holds no answer.
    """
    raw = completion.to_dict()
    choice = _first_choice(raw, completion.response)
    message = choice.get("message") or {}
    usage = extract_usage(raw)
    raw.pop("usage", None)
    if usage:
        raw["usage"] = usage
    return construct(
        ChatResponse,
        {
            "message": _message_of(message, choice, str(raw.get("id") or ""), usage or {}, reading),
            "raw": raw,
            "delta": None,
            "logprobs": _logprobs_of(choice.get("logprobs")),
            "additional_kwargs": _accounts(raw, usage, completion.response),
        },
    )


class ChunkReader:
    """Makes LlamaIndex's chunks of the service's.

    Each holds everything so far, as LlamaIndex's consumers expect, and nothing in it changes
    afterwards.
    """

    __slots__ = ("_calls", "_reading", "_text", "_thinking", "_thought")

    def __init__(self, reading: ResponseContext) -> None:
        self._reading = reading
        self._text = ""
        self._thought = ""
        self._thinking: ThinkingBlock | None = None
        self._calls = StreamedCalls(single=reading.single_tool_call)

    def read(self, chunk: Mapping[str, Any]) -> ChatResponse | None:
        """Return what a chunk adds; None for one that adds nothing (a role, the usage)."""
        choices = chunk.get("choices")
        choice = choices[0] if choices and isinstance(choices, list) else None
        if not isinstance(choice, dict) or choice.get("index"):
            return None  # of several answers LlamaIndex knows the first
        delta = choice.get("delta")
        if not delta or not isinstance(delta, dict):
            return None
        told: dict[str, Any] = {}
        text = delta.get("content")
        if not text or type(text) is not str:
            text = ""
        self._text += text
        # Most chunks hold a piece of text and nothing else.
        if len(delta) > 1 or not text:
            deltas = delta.get("tool_calls")
            if not isinstance(deltas, list):
                deltas = None
            # More arguments of a call mostly come alone.
            thought = None if deltas and len(delta) == 1 else extract_reasoning(delta)
            if not (text or thought or deltas):
                return None
            if thought:
                self._think(thought, delta)
                told["thinking_delta"] = thought
            if deltas:
                self._calls.add(deltas, str(chunk.get("id") or ""))
        calls = self._calls
        return construct(
            ChatResponse,
            {
                "message": _message(self._thinking, self._text, calls.blocks, calls.wire),
                "raw": chunk,
                "delta": text,
                "logprobs": _logprobs_of(choice.get("logprobs")),
                "additional_kwargs": told,
            },
        )

    def last(self, completion: ChatCompletion) -> ChatResponse:
        """Return the last chunk: the whole answer, with what it has beyond the chunks as delta.

        Raises:
            ResponseFormatError: The stream held no answer.
        """
        whole = response_of(completion, self._reading)
        said = whole.message.content or ""
        # Something is left over only where thoughts were taken for the answer.
        whole.delta = said.removeprefix(self._text) if said.startswith(self._text) else ""
        return whole

    def _think(self, thought: str, delta: Mapping[str, Any]) -> None:
        self._thought += thought
        known = self._thinking
        told = known.additional_information if known else _origin_of(delta)
        self._thinking = _thinking_block(self._thought, told, None)


def completion_of(response: ChatResponse) -> CompletionResponse:
    """Return a chat answer as the answer to a prompt; the chat answer is not changed."""
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
            "The answer holds no choice, so the model has said nothing. It may be asked again.",
            status_code=info.status if info else None,
            request_id=info.request_id if info else None,
        )
    first: dict[str, Any] = min(choices, key=lambda choice: choice.get("index") or 0)
    return first


def _message_of(
    message: Mapping[str, Any],
    choice: Mapping[str, Any],
    answer_id: str,
    usage: Mapping[str, Any],
    reading: ResponseContext,
) -> ChatMessage:
    calls = identified_calls(message.get("tool_calls") or (), answer_id)
    if reading.single_tool_call:
        calls = calls[:1]
    text, media = _content_of(message)
    thought = extract_reasoning(message)
    thinking = None
    if thought or message.get(REASONING_DETAILS):
        tokens = _count(usage, *_DETAILS["reasoning_tokens"])
        thinking = _thinking_block(thought, _origin_of(message), tokens)
    finished = choice.get("finish_reason") == "stop"
    if (
        thought
        and finished
        and not (text.strip() or media or calls)
        and reading.reasoning_as_answer
    ):
        text = thought
    made = _message(thinking, text, call_blocks(calls), calls, media)
    made.additional_kwargs.update({name: message[name] for name in _KEPT if message.get(name)})
    return made


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
    """Return under which name thoughts came, for sending them back under the same."""
    origin: dict[str, Any] = {}
    for name in _FIELDS_OF_REASONING:
        if message.get(name):
            origin[REASONING_FIELD] = name
            break
    if details := message.get(REASONING_DETAILS):
        origin[REASONING_DETAILS] = details
    return origin


def _content_of(message: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Return the text of a message and its media; of parts of other kinds, only `raw` tells."""
    content = message.get("content")
    parts = list(content) if isinstance(content, list) else []
    texts = [content] if isinstance(content, str) else []
    media: list[Any] = []
    images = message.get("images")  # where OpenRouter puts what image models draw
    for part in [*parts, *(images if isinstance(images, list) else ())]:
        match part:
            case {"type": "text", "text": str(text)}:
                texts.append(text)
            case {"type": "image_url", "image_url": {"url": str(url)}}:
                media.append(ImageBlock(url=url))
    match message.get("audio"):
        case {"data": str(data)}:
            media.append(AudioBlock(audio=data.encode()))
    return "".join(texts), media


def _accounts(
    raw: Mapping[str, Any], usage: Mapping[str, Any] | None, info: ResponseInfo | None
) -> dict[str, Any]:
    accounts: dict[str, Any] = {}
    if usage:
        prompt = _count(usage, "prompt_tokens") or 0
        answer = _count(usage, "completion_tokens") or 0
        accounts["prompt_tokens"] = prompt
        accounts["completion_tokens"] = answer
        accounts["total_tokens"] = _count(usage, "total_tokens") or prompt + answer
        for name, path in _DETAILS.items():
            if (count := _count(usage, *path)) is not None:
                accounts[name] = count
    if (cost := extract_cost(raw)) is not None:
        accounts["cost_usd"] = float(cost)
    if info is not None and info.request_id:
        accounts["request_id"] = info.request_id
    return accounts


def _count(usage: Mapping[str, Any], *path: str) -> int | None:
    value: Any = usage
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, int) else None


def _logprobs_of(logprobs: Any) -> list[list[LogProb]] | None:
    """Return for each token the alternatives that were told, or the token alone."""
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(tokens, list) or not tokens:
        return None
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
