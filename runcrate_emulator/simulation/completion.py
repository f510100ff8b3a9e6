"""A reply with its limits applied: cut at stop texts and token limits, counted and priced."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from runcrate_emulator.simulation import tokens
from runcrate_emulator.simulation.catalogue import Model
from runcrate_emulator.simulation.conversation import ChatRequest, Message, ToolCall
from runcrate_emulator.simulation.reply import Reply

FinishReason = Literal["stop", "length", "tool_calls"]

_CALL_TOKENS: Final = 4
"""Tokens that a tool call costs besides its name and arguments."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of a request, by the rule of `tokens`.

    Attributes:
        prompt: All tokens of the request.
        cached: Those of them that an earlier request began with.
        completion: Tokens of all answers, thoughts included.
        reasoning: Those of them that are thoughts.
    """

    prompt: int
    cached: int
    completion: int
    reasoning: int

    def as_json(self) -> dict[str, Any]:
        """The `usage` object of an answer."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer of a completion.

    Attributes:
        pieces: The tokens of the text; joined they are the text.
        thoughts: The tokens of the reasoning.
        calls: Tool calls.
        arguments: The arguments of each call as JSON text, possibly cut by the token limit.
        finish: Why it ended.
    """

    pieces: tuple[str, ...]
    thoughts: tuple[str, ...]
    calls: tuple[ToolCall, ...]
    arguments: tuple[str, ...]
    finish: FinishReason

    @property
    def text(self) -> str:
        """The text."""
        return "".join(self.pieces)

    @property
    def size(self) -> int:
        """How many tokens it has."""
        counted = len(self.pieces) + len(self.thoughts)
        for call, arguments in zip(self.calls, self.arguments, strict=True):
            counted += _CALL_TOKENS + tokens.count(call.name) + tokens.count(arguments)
        return counted


def choice_of(
    reply: Reply, calls: Sequence[ToolCall], request: ChatRequest, model: Model
) -> Choice:
    """Cut a reply to what the request and the model allow.

    Args:
        reply: What the simulation has to say.
        calls: Its tool calls with their ids.
        request: Its stop texts and token limit.
        model: Whether it shows thoughts, and its own limit.
    """
    left = min(request.max_tokens or model.max_output_tokens or 0, model.max_output_tokens or 0)
    thoughts: list[str] = []
    if model.has("reasoning") and request.reasoning:
        thoughts = tokens.split(reply.thoughts)[:left]
    left -= len(thoughts)
    text = _stopped(reply.text, request.stop)
    pieces = tokens.split(text)
    arguments: list[str] = []
    for call in calls:
        whole = tokens.split(call.arguments_json)
        left -= _CALL_TOKENS + tokens.count(call.name)
        arguments.append("".join(whole[: max(left, 0)]))
        left -= len(whole)
    too_long = len(pieces) > left if not calls else left < 0
    finish: FinishReason = "length" if too_long else "tool_calls" if calls else "stop"
    kept = tuple(pieces[: max(left, 0)]) if not calls else ()
    return Choice(kept, tuple(thoughts), tuple(calls), tuple(arguments), finish)


def _stopped(text: str, stops: Sequence[str]) -> str:
    ends = [at for stop in stops if (at := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text


def prompt_tokens(request: ChatRequest) -> int:
    """The tokens of a request: its messages, tools and schema."""
    counted = sum(message_tokens(message) for message in request.messages)
    for tool in request.tools:
        counted += tokens.count(f"{tool.name} {tool.description} {json.dumps(tool.parameters)}")
    if request.response_schema is not None:
        counted += tokens.count(json.dumps(request.response_schema))
    return counted


def message_tokens(message: Message) -> int:
    """The tokens of one message."""
    counted = tokens.MESSAGE_TOKENS + tokens.count(message.text) + tokens.count(message.name)
    for call in message.tool_calls:
        counted += _CALL_TOKENS + tokens.count(call.name) + tokens.count(call.arguments_json)
    for attachment in message.attachments:
        if attachment.kind == "image" or attachment.data is None:
            counted += tokens.IMAGE_TOKENS
        else:
            counted += 1 + len(attachment.data) // tokens.BYTES_PER_TOKEN
    return counted
