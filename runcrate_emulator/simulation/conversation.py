"""A chat request as plain, frozen data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
AttachmentKind = Literal["image", "audio", "video", "file"]
ToolMode = Literal["none", "auto", "required"]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture, sound, film or document inside a message.

    Attributes:
        kind: What the part was declared as.
        data: Its bytes, or `None` when only an address was given.
        url: Its address, or "".
        media_type: As declared, or "".
        name: File name, or "".
    """

    kind: AttachmentKind
    data: bytes | None
    url: str = ""
    media_type: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the assistant made earlier, or makes now."""

    id: str
    name: str
    arguments: Mapping[str, Any]

    @property
    def arguments_json(self) -> str:
        """The arguments as a JSON text, with characters outside ASCII left as they are."""
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; `text` joins its text parts."""

    role: Role
    text: str
    name: str = ""
    attachments: tuple[Attachment, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; `parameters` is its JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether tools may or must be called, and which one alone when `name` is set."""

    mode: ToolMode = "auto"
    name: str = ""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A validated body of `POST /chat/completions`.

    Attributes:
        model: Model id as the client wrote it.
        messages: The conversation, oldest first.
        tools: The functions on offer.
        tool_choice: What the client allows or demands.
        parallel_tool_calls: Whether one answer may hold several calls.
        response_schema: JSON schema that the answer must match, or `None`.
        json_mode: Whether the answer must be some JSON object.
        max_tokens: Most tokens of the answer, or `None`.
        stop: Texts before which the answer ends.
        n: How many answers.
        seed: Chooses among equally good answers.
        temperature: Carried for the record; the simulation does not sample.
        stream: Whether to answer in events.
        include_usage: Whether a stream ends with a usage chunk.
        logprobs: Whether to list token log-probabilities.
        top_logprobs: How many alternatives per token.
        reasoning: Whether a reasoning model shows its thoughts.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    parallel_tool_calls: bool = True
    response_schema: Mapping[str, Any] | None = None
    json_mode: bool = False
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    seed: int = 0
    temperature: float = 0.7
    stream: bool = False
    include_usage: bool = False
    logprobs: bool = False
    top_logprobs: int = 0
    reasoning: bool = True
