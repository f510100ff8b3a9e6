"""A chat request as plain, frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
AttachmentKind = Literal["image", "audio", "video", "file"]
ToolMode = Literal["none", "auto", "required"]


@dataclass(frozen=True, slots=True)
class Attachment:
    """An image, audio, video or document inside a message.

    Attributes:
        kind: What the part was declared as.
        data: Its bytes, or `None` when only a URL was given.
        url: Its URL, or "".
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
    """A tool call of an earlier assistant message."""

    id: str
    name: str
    arguments: Mapping[str, Any]


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
    """Choice of tools: may or must be called, and which one if `name` is set."""

    mode: ToolMode = "auto"
    name: str = ""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A validated body of `POST /chat/completions`; `on_chat` gets it.

    Attributes:
        model: Model id as the client wrote it.
        messages: The conversation, oldest first.
        tools: The offered functions.
        tool_choice: Tools that the client allows or demands.
        parallel_tool_calls: Whether a reply may contain several calls.
        response_schema: JSON schema of `response_format`, or `None`.
        json_mode: Whether `response_format` is `json_object`.
        max_tokens: Maximum tokens of the reply, or `None`.
        stop: Texts before which the reply ends.
        n: Number of choices.
        seed: As sent; 0 without one.
        temperature: As sent, else 0.7; nothing is sampled.
        stream: Whether the response is streamed.
        include_usage: Whether a stream ends with a usage chunk.
        logprobs: Return log probabilities.
        top_logprobs: Number of alternatives per token.
        reasoning: Whether a reasoning model shows its reasoning.
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

    @property
    def prompt(self) -> str:
        """Text of the last user message; "" without one."""
        return next((one.text for one in reversed(self.messages) if one.role == "user"), "")

    @property
    def turn(self) -> tuple[Message, ...]:
        """The messages since the last user message, oldest first."""
        users = [at for at, one in enumerate(self.messages) if one.role == "user"]
        return self.messages[users[-1] + 1 if users else 0 :]

    @property
    def tool_results(self) -> tuple[str, ...]:
        """Tool results since the last user message, oldest first."""
        return tuple(message.text for message in self.turn if message.role == "tool")
