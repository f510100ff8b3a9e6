"""Completions: a reply cut to its limits and counted, in the wire format, complete or in chunks."""

import json
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runcrate_emulator.chat import tokens
from runcrate_emulator.chat.reply import Reply
from runcrate_emulator.chat.request import ChatRequest
from runcrate_emulator.inference.model_catalogue import Model

_CALL_TOKENS: Final = 4  # tokens that a tool call costs besides its name and arguments
_TEXTS: Final = ("reasoning_content", "content", "refusal")  # in the order of a stream
_CHUNK_TOKENS: Final = 3  # tokens in one chunk of streamed text
_LIKELIEST: Final = -0.02  # log-probability of the surest token


def choice_of(
    reply: Reply, request: ChatRequest, model: Model, index: int, new_call_id: Callable[[], str]
) -> dict[str, Any]:
    """A choice of a complete response: a reply cut to its stop texts and limits.

    `content` is "" beside tool calls, because the documented schema wants a string there.
    """
    most = model.max_output_tokens or 0
    left = min(request.max_tokens or most, most)
    reasoning = tokens.split(reply.reasoning)
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    if reasoning:
        message["reasoning_content"] = "".join(reasoning[:left])
    left -= len(reasoning)
    pieces = tokens.split(_stopped(reply.content, request.stop))
    kept = pieces[: max(left, 0)]
    message["content"] = "".join(kept)
    left -= len(pieces) + tokens.count(reply.refused)
    if reply.refused:
        message["refusal"] = reply.refused
    for call in reply.calls:
        left -= _CALL_TOKENS + tokens.count(call.name)
        arguments = tokens.split(call.arguments)
        function = {"name": call.name, "arguments": "".join(arguments[: max(left, 0)])}
        sent = {"id": new_call_id(), "type": "function", "function": function}
        message.setdefault("tool_calls", []).append(sent)
        left -= len(arguments)
    finish = "tool_calls" if reply.calls else "stop"
    if left < 0 or reply.is_cut:
        finish = "length"
    logprobs = _logprobs(request, kept)
    return {"index": index, "message": message, "finish_reason": finish, "logprobs": logprobs}


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
    choices: list[dict[str, Any]]

    @property
    def completion_tokens(self) -> int:
        """Tokens of all choices, reasoning included."""
        counted = 0
        for choice in self.choices:
            message = choice["message"]
            counted += sum(tokens.count(message.get(field, "")) for field in _TEXTS)
            for call in message.get("tool_calls", ()):
                counted += _CALL_TOKENS + sum(map(tokens.count, call["function"].values()))
        return counted

    def _usage(self) -> dict[str, Any]:
        reasoning = (choice["message"].get("reasoning_content", "") for choice in self.choices)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},  # every prompt is read in full
            "completion_tokens_details": {"reasoning_tokens": sum(map(tokens.count, reasoning))},
        }

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.request.model}

    def complete(self) -> dict[str, Any]:
        """The completion as one object."""
        envelope = self._envelope("chat.completion")
        return {**envelope, "choices": self.choices, "usage": self._usage()}

    def chunks(self) -> Iterator[dict[str, Any]]:
        """The completion as chunks of a stream."""
        envelope = self._envelope("chat.completion.chunk")
        for choice in self.choices:
            for delta, finish in _deltas(choice):
                listed = {"index": choice["index"], "delta": delta, "finish_reason": finish}
                if self.request.logprobs:
                    pieces = tokens.split(delta.get("content", ""))
                    listed["logprobs"] = _logprobs(self.request, pieces) if pieces else None
                yield {**envelope, "choices": [listed]}
        if self.request.include_usage:
            yield {**envelope, "choices": [], "usage": self._usage()}


def _deltas(choice: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str | None]]:
    """The pieces of one choice: role, reasoning, text, refusal, tool calls, finish reason."""
    message = choice["message"]
    yield {"role": "assistant", "content": ""}, None
    for field in _TEXTS:
        pieces = tokens.split(message.get(field, ""))
        for at in range(0, len(pieces), _CHUNK_TOKENS):
            yield {field: "".join(pieces[at : at + _CHUNK_TOKENS])}, None
    for index, call in enumerate(message.get("tool_calls", ())):
        arguments = call["function"]["arguments"]
        named = {**call, "function": {**call["function"], "arguments": ""}}
        yield {"tool_calls": [{"index": index, **named}]}, None
        size = max(4, math.ceil(len(arguments) / 6))  # in a few parts, as models send them
        for at in range(0, len(arguments), size):
            part = {"arguments": arguments[at : at + size]}
            yield {"tool_calls": [{"index": index, "function": part}]}, None
    yield {}, choice["finish_reason"]


def _logprobs(request: ChatRequest, pieces: Sequence[str]) -> dict[str, Any] | None:
    if not request.logprobs:
        return None
    return {"content": [_logprob(piece, request.top_logprobs) for piece in pieces]}


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
