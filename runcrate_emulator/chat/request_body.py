"""Chat request bodies: strict parsing, with the field named in errors.

A field that is missing or of a wrong form is 400, a model parameter out of its range 422, both with
the code `validation_error` (seeds 000, 001 and 003). Fields that are not documented pass through,
as the documentation says they do (seed 003).
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Discriminator, Field, Json, StringConstraints, Tag

from runcrate_emulator.bodies import OpenBody, Texts, must, parse_body
from runcrate_emulator.chat.json_schema import checked_schema
from runcrate_emulator.chat.request import (
    Attachment,
    ChatRequest,
    Message,
    Role,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
)
from runcrate_emulator.errors import invalid
from runcrate_emulator.inference.model_catalogue import Model

_DATA_URI: Final = re.compile(
    r"^data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w=.-]+)*;base64,(?P<data>.*)$", re.DOTALL
)
_URL: Final = re.compile(r"^(?:https://[^\s/]|http://(?:127\.0\.0\.1|localhost|\[::1\])[:/])")
Penalty = Annotated[float, Field(ge=-2, le=2)]
Limit = Annotated[int, Field(ge=1)]
Filled = Annotated[str, StringConstraints(min_length=1)]
Schema = Annotated[dict[str, Any], BeforeValidator(checked_schema)]
ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]


def _decoded(text: object) -> bytes:
    if not isinstance(text, str) or not text:
        raise ValueError("must be a string that is not empty")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise ValueError("does not contain valid base64 data") from None


def _linked(text: object) -> Attachment:
    if isinstance(text, str) and _URL.match(text):
        return Attachment("image", None, text)
    match = _DATA_URI.match(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("must be an https URL or a data URI with base64 data")
    return Attachment("image", _decoded(match["data"]), "", match["type"] or "")


def _file(text: object) -> Attachment:
    is_uri = isinstance(text, str) and text.startswith("data:")
    return replace(_linked(text), kind="file") if is_uri else Attachment("file", _decoded(text))


class _Link(OpenBody):
    url: Annotated[Any, BeforeValidator(_linked)]


class _InputAudio(OpenBody):
    data: Annotated[Any, BeforeValidator(_decoded)]
    format: Filled


class _InputFile(OpenBody):
    file_data: Annotated[Any, BeforeValidator(_file)]  # base64 or a data URI
    filename: str = ""


class _Part(OpenBody):
    """A part of a message; the field that `type` names is required."""

    type: Literal["text", "image_url", "video_url", "input_audio", "file"]
    text: str | None = None
    image_url: _Link | None = None
    video_url: _Link | None = None
    input_audio: _InputAudio | None = None
    file: _InputFile | None = None


class _CalledFunction(OpenBody):
    name: Filled
    arguments: Json[dict[str, Any]]


class _CallBody(OpenBody):
    id: Filled
    type: Literal["function"] = "function"
    function: _CalledFunction


def _parts(content: object) -> object:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class _MessageBody(OpenBody):
    role: Role
    content: Annotated[list[_Part], BeforeValidator(_parts)] | None = None
    name: str = ""
    tool_calls: list[_CallBody] = Field(default_factory=list)
    tool_call_id: str = ""


class _FunctionBody(OpenBody):
    name: ToolName
    description: str = ""
    parameters: Annotated[
        Schema, must(lambda it: it.get("type", "object") == "object", "must be one of an object")
    ] = Field(default_factory=lambda: {"properties": {}})


class _ToolBody(OpenBody):
    type: Literal["function"]  # others are not documented
    function: _FunctionBody


class _NamedFunction(OpenBody):
    name: str


class _ChoiceBody(OpenBody):
    type: Literal["function"]
    function: _NamedFunction


_Choice = Annotated[
    Annotated[ToolMode, Tag("mode")] | Annotated[_ChoiceBody, Tag("function")],
    Discriminator(lambda sent: "function" if isinstance(sent, dict) else "mode"),
]


class _NamedSchema(OpenBody):
    name: str
    definition: Schema = Field(alias="schema")


class _FormatBody(OpenBody):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _NamedSchema | None = None


class _ChatBody(OpenBody):
    model: str
    messages: list[_MessageBody]
    tools: list[_ToolBody] = Field(default_factory=list)
    tool_choice: _Choice | None = None
    response_format: _FormatBody | None = None
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=20)] = 0
    stream: bool = False
    stream_options: dict[str, Any] = Field(default_factory=dict)
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    parallel_tool_calls: bool = True
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    stop: Texts = Field(default_factory=list)
    n: Annotated[int, Field(ge=1, le=8)] = 1
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] = 0


_COPIED: Final = {
    *("model", "parallel_tool_calls", "n", "seed", "temperature"),
    *("stream", "logprobs", "top_logprobs"),
}
"""Fields that a `ChatRequest` has as they were sent."""


def parse(body: Mapping[str, Any], model: Model) -> ChatRequest:
    """Turn a JSON body into a request to a model of the catalogue."""
    sent = parse_body(_ChatBody, body)
    if not sent.messages:
        raise invalid("messages", "must be a list of at least one message.")
    if sent.top_logprobs and not sent.logprobs:
        raise invalid("top_logprobs", "needs `logprobs` to be true.")
    functions = [body.function for body in sent.tools]
    names = [function.name for function in functions]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise invalid(f"tools[{at}].function.name", f"repeats the name {name!r}.")
    tools = tuple(
        Tool(f.name, f.description, {"type": "object", **f.parameters}) for f in functions
    )
    wanted = sent.response_format or _FormatBody(type="text")
    schema = wanted.json_schema if wanted.type == "json_schema" else None
    if wanted.type == "json_schema" and schema is None:
        raise invalid("response_format.json_schema", "is required.")
    limits = (sent.max_tokens, sent.max_completion_tokens)
    return ChatRequest(
        messages=_messages(sent.messages, model),
        tools=tools,
        tool_choice=_tool_choice(sent.tool_choice, tools),
        response_schema=None if schema is None else schema.definition,
        json_mode=wanted.type == "json_object",
        max_tokens=min((one for one in limits if one is not None), default=None),
        stop=tuple(text for text in sent.stop if text),
        include_usage=bool(sent.stream_options.get("include_usage")),
        reasoning=body.get("reasoning_effort") != "none",
        **sent.model_dump(include=_COPIED),
    )


def _messages(bodies: list[_MessageBody], model: Model) -> tuple[Message, ...]:
    known: set[str] = set()
    messages: list[Message] = []
    for at, body in enumerate(bodies):
        field = f"messages[{at}]"
        if body.tool_calls and body.role != "assistant":
            raise invalid(f"{field}.tool_calls", "may only be on an assistant message.")
        if body.content is None and not body.tool_calls:
            raise invalid(f"{field}.content", "must be a string or a list of parts.")
        if body.role == "tool" and body.tool_call_id not in known:
            raise invalid(f"{field}.tool_call_id", "does not belong to an earlier tool call.")
        known |= {call.id for call in body.tool_calls}
        parts = [
            _part(part, f"{field}.content[{place}]", model)
            for place, part in enumerate(body.content or ())
        ]
        calls = [ToolCall(it.id, it.function.name, it.function.arguments) for it in body.tool_calls]
        text = "\n".join(part for part in parts if isinstance(part, str))
        attachments = tuple(part for part in parts if not isinstance(part, str))
        call_id = body.tool_call_id if body.role == "tool" else ""
        messages.append(Message(body.role, text, body.name, attachments, tuple(calls), call_id))
    return tuple(messages)


def _part(part: _Part, field: str, model: Model) -> str | Attachment:
    match part:
        case _Part(type="text", text=str(text)):
            return text
        case _Part(type="image_url", image_url=_Link(url=made)):
            attachment: Attachment = made
        case _Part(type="video_url", video_url=_Link(url=made)):
            attachment = replace(made, kind="video")
        case _Part(type="input_audio", input_audio=_InputAudio(data=data, format=kind)):
            attachment = Attachment("audio", data, "", kind)
        case _Part(type="file", file=_InputFile(file_data=made, filename=name)):
            attachment = replace(made, name=name)
        case _:
            raise invalid(f"{field}.{part.type}", "is required.")
    kind, is_link = attachment.kind, part.type.endswith("_url")
    if is_link and attachment.media_type and not attachment.media_type.startswith(f"{kind}/"):
        problem = f"must hold an {kind}; it says {attachment.media_type}."
        raise invalid(f"{field}.{part.type}.url", problem)
    if kind not in model.input_modalities:
        readable = ", ".join(model.input_modalities)
        problem = f"is {part.type!r}, but the model {model.id} reads only {readable}."
        raise invalid(f"{field}.type", problem)
    return attachment


def _tool_choice(body: ToolMode | _ChoiceBody | None, tools: tuple[Tool, ...]) -> ToolChoice:
    if body is None:
        return ToolChoice()
    if not tools:
        raise invalid("tool_choice", "needs `tools`.")
    if isinstance(body, str):
        return ToolChoice(body)
    if body.function.name not in {tool.name for tool in tools}:
        problem = f"names {body.function.name!r}, which is not among `tools`."
        raise invalid("tool_choice.function.name", problem)
    return ToolChoice("required", body.function.name)
