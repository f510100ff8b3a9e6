"""Reading the body of a chat request, strictly: what is wrong is named by its field.

A missing field or one of a wrong form is 400, a model parameter out of its range 422, both with
the code `validation_error` (seeds 000, 001 and 003). Fields that are not documented pass through,
as the documentation says they do (seed 003).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import Field

from runcrate_emulator.bodies import OpenBody, Texts, parse_body
from runcrate_emulator.chat.json_schema import require_schema
from runcrate_emulator.chat.messages_body import messages_of
from runcrate_emulator.chat.request import ChatRequest, Tool, ToolChoice, ToolMode
from runcrate_emulator.errors import invalid
from runcrate_emulator.inference.model_catalogue import Model

_TOOL_NAME: Final = re.compile(r"^[A-Za-z0-9_.-]{1,128}$")
_MODES: Final[Mapping[str, ToolMode]] = {
    "none": "none",
    "auto": "auto",
    "required": "required",
}
Penalty = Annotated[float, Field(ge=-2, le=2)]
Limit = Annotated[int, Field(ge=1)]


class ChatBody(OpenBody):
    """Settings of a chat request: all its fields but messages and tools."""

    model: str
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


def parse(body: Mapping[str, Any], model: Model) -> ChatRequest:
    """Turn a JSON body into a request.

    Args:
        body: The decoded JSON object.
        model: The catalogue's model that the body names.

    Raises:
        ApiError: 400 or 422, naming the field.
    """
    settings = parse_body(ChatBody, body)
    tools = _tools(body.get("tools"))
    schema, json_mode = _response_format(body.get("response_format"))
    if settings.top_logprobs and not settings.logprobs:
        raise invalid("top_logprobs", "needs `logprobs` to be true.")
    limits = (settings.max_tokens, settings.max_completion_tokens)
    return ChatRequest(
        model=settings.model,
        messages=messages_of(body.get("messages"), model),
        tools=tools,
        tool_choice=_tool_choice(body.get("tool_choice"), tools),
        parallel_tool_calls=settings.parallel_tool_calls,
        response_schema=schema,
        json_mode=json_mode,
        max_tokens=min((one for one in limits if one is not None), default=None),
        stop=tuple(text for text in settings.stop if text),
        n=settings.n,
        seed=settings.seed,
        temperature=settings.temperature,
        stream=settings.stream,
        include_usage=bool(settings.stream_options.get("include_usage")),
        logprobs=settings.logprobs,
        top_logprobs=settings.top_logprobs,
        reasoning=body.get("reasoning_effort") != "none",
    )


def _tools(value: Any) -> tuple[Tool, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise invalid("tools", "must be a list of tools.")
    tools = tuple(_tool(item, f"tools[{at}]") for at, item in enumerate(value))
    names = [tool.name for tool in tools]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise invalid(f"tools[{at}].function.name", f"repeats the name {name!r}.")
    return tools


def _tool(item: Any, field: str) -> Tool:
    if not isinstance(item, Mapping) or item.get("type") != "function":
        raise invalid(f"{field}.type", "must be `function`; other tools are not documented.")
    function = item.get("function")
    if not isinstance(function, Mapping):
        raise invalid(f"{field}.function", "must be an object with a name.")
    name = function.get("name")
    if not isinstance(name, str) or not _TOOL_NAME.match(name):
        raise invalid(
            f"{field}.function.name", "must be 1 to 128 letters, digits, `_`, `.` or `-`."
        )
    description = function.get("description") or ""
    if not isinstance(description, str):
        raise invalid(f"{field}.function.description", "must be a string.")
    parameters = function.get("parameters")
    if parameters is None:
        parameters = {"type": "object", "properties": {}}
    if not isinstance(parameters, Mapping) or parameters.get("type", "object") != "object":
        raise invalid(f"{field}.function.parameters", "must be a JSON schema of an object.")
    require_schema(parameters, f"{field}.function.parameters")
    return Tool(name, description, {"type": "object", **parameters})


def _tool_choice(value: Any, tools: Sequence[Tool]) -> ToolChoice:
    if value is None:
        return ToolChoice()
    if not tools:
        raise invalid("tool_choice", "needs `tools` to choose from.")
    if isinstance(value, str):
        if value not in _MODES:
            raise invalid("tool_choice", "must be `none`, `auto`, `required` or a named function.")
        return ToolChoice(_MODES[value])
    function = value.get("function") if isinstance(value, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str) or value.get("type") != "function":
        raise invalid(
            "tool_choice", 'must be like `{"type": "function", "function": {"name": …}}`.'
        )
    if name not in {tool.name for tool in tools}:
        raise invalid("tool_choice.function.name", f"names {name!r}, which is not among `tools`.")
    return ToolChoice("required", name)


def _response_format(value: Any) -> tuple[Mapping[str, Any] | None, bool]:
    if value is None:
        return None, False
    kind = value.get("type") if isinstance(value, Mapping) else None
    if kind == "text":
        return None, False
    if kind == "json_object":
        return None, True
    if kind != "json_schema":
        raise invalid("response_format.type", "must be `text`, `json_object` or `json_schema`.")
    wrapped = value.get("json_schema")
    if not isinstance(wrapped, Mapping) or not isinstance(wrapped.get("name"), str):
        raise invalid("response_format.json_schema", "must be an object with `name` and `schema`.")
    schema = wrapped.get("schema")
    if not isinstance(schema, Mapping):
        raise invalid("response_format.json_schema.schema", "must be a JSON schema.")
    require_schema(schema, "response_format.json_schema.schema")
    return schema, False
