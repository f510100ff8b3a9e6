"""Completions: a reply cut to its limits and counted, in the wire format, complete or in chunks."""

import json
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from runcrate_emulator.chat import tokens
from runcrate_emulator.chat.reply import Reply, ReplyToolCall
from runcrate_emulator.chat.request import ChatRequest
from runcrate_emulator.inference.model_catalogue import Model

FinishReason = Literal["stop", "length", "tool_calls"]

_CALL_TOKENS: Final = 4  # tokens that a tool call costs besides its name and arguments
_CHUNK_TOKENS: Final = 3  # tokens in one chunk of streamed text
_LIKELIEST: Final = -0.02  # log-probability of the surest token


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of a completion.

    Attributes:
        pieces: The tokens of the text; joined they are the text.
        reasoning: The tokens of the reasoning.
        refusal: The text of a refusal, or "".
        calls: Tool calls with their ids; the token limit may have cut the arguments.
        finish: The finish reason.
    """

    pieces: tuple[str, ...]
    reasoning: tuple[str, ...]
    refusal: str
    calls: tuple[ReplyToolCall, ...]
    finish: FinishReason

    @property
    def size(self) -> int:
        """Number of tokens."""
        counted = len(self.pieces) + len(self.reasoning) + tokens.count(self.refusal)
        for call in self.calls:
            counted += _CALL_TOKENS + tokens.count(call.name) + tokens.count(call.arguments)
        return counted


def choice_of(
    reply: Reply, request: ChatRequest, model: Model, new_call_id: Callable[[], str]
) -> Choice:
    """Cut a reply to what the stop texts and limits of the request and the model allow."""
    most = model.max_output_tokens or 0
    left = min(request.max_tokens or most, most)
    reasoning = tokens.split(reply.reasoning)
    kept_reasoning = reasoning[:left]
    left -= len(reasoning)
    pieces = tokens.split(_stopped(reply.content, request.stop))
    kept = pieces[: max(left, 0)]
    left -= len(pieces) + tokens.count(reply.refused)
    calls: list[ReplyToolCall] = []
    for call in reply.calls:
        left -= _CALL_TOKENS + tokens.count(call.name)
        arguments = tokens.split(call.arguments)
        cut = "".join(arguments[: max(left, 0)])
        calls.append(ReplyToolCall(call.name, cut, new_call_id()))
        left -= len(arguments)
    finish: FinishReason = "tool_calls" if calls else "stop"
    if left < 0 or reply.is_cut:
        finish = "length"
    return Choice(tuple(kept), tuple(kept_reasoning), reply.refused, tuple(calls), finish)


def _stopped(text: str, stops: Sequence[str]) -> str:
    ends = [at for stop in stops if (at := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text


def prompt_tokens(request: ChatRequest) -> int:
    """The tokens of a request: its messages, tools and schema."""
    counted = 0
    for message in request.messages:
        counted += tokens.MESSAGE_TOKENS + tokens.count(message.text) + tokens.count(message.name)
        for call in message.tool_calls:
            arguments = json.dumps(call.arguments, ensure_ascii=False)
            counted += _CALL_TOKENS + tokens.count(call.name) + tokens.count(arguments)
        for attachment in message.attachments:
            if attachment.kind == "image" or attachment.data is None:
                counted += tokens.IMAGE_TOKENS
            else:
                counted += 1 + len(attachment.data) // tokens.BYTES_PER_TOKEN
    for tool in request.tools:
        counted += tokens.count(f"{tool.name} {tool.description} {json.dumps(tool.parameters)}")
    if request.response_schema is not None:
        counted += tokens.count(json.dumps(request.response_schema))
    return counted


@dataclass(frozen=True, slots=True)
class Completion:
    """Everything that a response to a chat request contains; `created` is a Unix time."""

    id: str
    created: int
    request: ChatRequest
    prompt_tokens: int
    choices: tuple[Choice, ...]

    @property
    def completion_tokens(self) -> int:
        """Tokens of all choices, reasoning included."""
        return sum(choice.size for choice in self.choices)

    def _usage(self) -> dict[str, Any]:
        reasoning = sum(len(choice.reasoning) for choice in self.choices)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},  # every prompt is read in full
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.request.model}

    def complete(self) -> dict[str, Any]:
        """The completion as one object.

        `content` is "" beside tool calls, because the documented schema wants a string there.
        """
        choices = [self._complete_choice(at, choice) for at, choice in enumerate(self.choices)]
        return {**self._envelope("chat.completion"), "choices": choices, "usage": self._usage()}

    def _complete_choice(self, at: int, choice: Choice) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(choice.pieces)}
        if choice.reasoning:
            message["reasoning_content"] = "".join(choice.reasoning)
        if choice.refusal:
            message["refusal"] = choice.refusal
        if choice.calls:
            message["tool_calls"] = [_call(call, call.arguments) for call in choice.calls]
        return {
            "index": at,
            "message": message,
            "finish_reason": choice.finish,
            "logprobs": self._logprobs(choice.pieces),
        }

    def _logprobs(self, pieces: Sequence[str]) -> dict[str, Any] | None:
        if not self.request.logprobs:
            return None
        return {"content": [_logprob(piece, self.request.top_logprobs) for piece in pieces]}

    def chunks(self) -> Iterator[dict[str, Any]]:
        """The completion as chunks of a stream."""
        for at, choice in enumerate(self.choices):
            for delta, finish, pieces in _deltas(choice):
                listed = {"index": at, "delta": delta, "finish_reason": finish}
                if self.request.logprobs:
                    listed["logprobs"] = self._logprobs(pieces) if "content" in delta else None
                yield {**self._envelope("chat.completion.chunk"), "choices": [listed]}
        if self.request.include_usage:
            usage = {"choices": [], "usage": self._usage()}
            yield {**self._envelope("chat.completion.chunk"), **usage}


def _call(call: ReplyToolCall, arguments: str) -> dict[str, Any]:
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}


def _deltas(choice: Choice) -> Iterator[tuple[dict[str, Any], str | None, Sequence[str]]]:
    """The pieces of one choice: role, reasoning, text, refusal, tool calls, finish reason."""
    yield {"role": "assistant", "content": ""}, None, ()
    for pieces in _grouped(choice.reasoning):
        yield {"reasoning_content": "".join(pieces)}, None, pieces
    for pieces in _grouped(choice.pieces):
        yield {"content": "".join(pieces)}, None, pieces
    for pieces in _grouped(tokens.split(choice.refusal)):
        yield {"refusal": "".join(pieces)}, None, pieces
    for at, call in enumerate(choice.calls):
        yield {"tool_calls": [{"index": at, **_call(call, "")}]}, None, (call.name,)
        size = max(4, math.ceil(len(call.arguments) / 6))  # in a few parts, as models send them
        for at_character in range(0, len(call.arguments), size):
            part = call.arguments[at_character : at_character + size]
            yield {"tool_calls": [{"index": at, "function": {"arguments": part}}]}, None, (part,)
    yield {}, choice.finish, ()


def _grouped(pieces: Sequence[str]) -> Iterator[Sequence[str]]:
    return (pieces[at : at + _CHUNK_TOKENS] for at in range(0, len(pieces), _CHUNK_TOKENS))


def _logprob(piece: str, alternatives: int) -> dict[str, Any]:
    """A token's log-probability: a made-up figure that is the same for the same token."""
    likeliest = _LIKELIEST - zlib.crc32(piece.encode()) % 100 / 1000
    listed = [
        {
            "token": piece + "s" * rank,
            "logprob": round(likeliest - 2.3 * rank, 4),
            "bytes": list((piece + "s" * rank).encode()),
        }
        for rank in range(max(alternatives, 1))
    ]
    return {**listed[0], "top_logprobs": listed[:alternatives]}


def event(chunk: dict[str, Any]) -> bytes:
    """A chunk as a server-sent event."""
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


END: Final = b"data: [DONE]\n\n"
"""The last event of a stream."""
