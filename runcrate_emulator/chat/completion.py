"""A reply with its limits applied: cut at stop texts and token limits, and counted."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from runcrate_emulator.chat import tokens
from runcrate_emulator.chat.reply import Reply, ReplyToolCall
from runcrate_emulator.chat.request import ChatRequest, Message
from runcrate_emulator.inference.model_catalogue import Model

FinishReason = Literal["stop", "length", "tool_calls"]

_CALL_TOKENS: Final = 4  # tokens that a tool call costs besides its name and arguments
_MAX_REMEMBERED: Final = 4096


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
        arguments = json.dumps(call.arguments, ensure_ascii=False)
        counted += _CALL_TOKENS + tokens.count(call.name) + tokens.count(arguments)
    for attachment in message.attachments:
        if attachment.kind == "image" or attachment.data is None:
            counted += tokens.IMAGE_TOKENS
        else:
            counted += 1 + len(attachment.data) // tokens.BYTES_PER_TOKEN
    return counted


class PromptCache:
    """Remembers the beginnings of conversations by their fingerprints, the latest ones only."""

    def __init__(self) -> None:
        self._seen: dict[bytes, None] = {}

    def cached_tokens(self, model: str, messages: Sequence[Message]) -> int:
        """The tokens of the longest beginning that was seen before; remembers the whole."""
        running, known = hashlib.sha256(model.encode()), 0
        for at, message in enumerate(messages, 1):
            running.update(repr(message).encode(errors="surrogatepass"))
            known = at if running.digest() in self._seen else known
            self._seen[running.digest()] = None
        while len(self._seen) > _MAX_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return sum(message_tokens(message) for message in messages[:known])
