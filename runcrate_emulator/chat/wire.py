"""Completions in the wire format: as one object, or as the chunks of a stream."""

import json
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runcrate_emulator.chat import tokens
from runcrate_emulator.chat.completion import Choice
from runcrate_emulator.chat.reply import ReplyToolCall

_CHUNK_TOKENS: Final = 3  # tokens in one chunk of streamed text
_LIKELIEST: Final = -0.02  # log-probability of the surest token


@dataclass(frozen=True, slots=True)
class Completion:
    """Everything that a response to a chat request contains.

    Attributes:
        id: As in `chatcmpl-…`.
        created: Unix time in seconds.
        model: The model id as the client wrote it.
        choices: The choices.
        prompt_tokens: All tokens of the request.
        cached_tokens: Those of them that an earlier request started with.
        top_logprobs: Alternatives to list for each token; `None` for no log-probabilities.
        include_usage: Whether a stream ends with a usage chunk.
    """

    id: str
    created: int
    model: str
    choices: tuple[Choice, ...]
    prompt_tokens: int
    cached_tokens: int
    top_logprobs: int | None = None
    include_usage: bool = False

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
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def complete(self) -> dict[str, Any]:
        """The completion as one object.

        `content` is "" beside tool calls, because the documented schema wants a string there.
        """
        choices = [self._complete_choice(at, choice) for at, choice in enumerate(self.choices)]
        return {
            **self._envelope("chat.completion"),
            "choices": choices,
            "usage": self._usage(),
        }

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
        if self.top_logprobs is None:
            return None
        return {"content": [_logprob(piece, self.top_logprobs) for piece in pieces]}

    def chunks(self) -> Iterator[dict[str, Any]]:
        """The completion as chunks of a stream."""
        for at, choice in enumerate(self.choices):
            for delta, finish, pieces in _deltas(choice):
                listed = {"index": at, "delta": delta, "finish_reason": finish}
                if self.top_logprobs is not None:
                    listed["logprobs"] = self._logprobs(pieces) if "content" in delta else None
                yield {**self._envelope("chat.completion.chunk"), "choices": [listed]}
        if self.include_usage:
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
        for part in _in_parts(call.arguments):
            yield {"tool_calls": [{"index": at, "function": {"arguments": part}}]}, None, (part,)
    yield {}, choice.finish, ()


def _grouped(pieces: Sequence[str]) -> Iterator[Sequence[str]]:
    return (pieces[at : at + _CHUNK_TOKENS] for at in range(0, len(pieces), _CHUNK_TOKENS))


def _in_parts(arguments: str) -> Iterator[str]:
    """Arguments in a few parts, as models send them."""
    size = max(4, math.ceil(len(arguments) / 6))
    return (arguments[at : at + size] for at in range(0, len(arguments), size))


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
