"""Tools and response formats in the API's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_runcrate.json_schemas import closed, function_of, strict_function
from runcrate_core.toolkit import ToolNames

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ToolLike = Any  # a dict, a class, a function or a `BaseTool`

NO_NAMES: Final = ToolNames()
_CHOICES: Final = {"any": "required", "auto": "auto", "none": "none", "required": "required"}


def wire_tools(
    tools: Sequence[Mapping[str, Any] | type | Callable[..., Any] | BaseTool],
    *,
    strict: bool | None = None,
) -> list[dict[str, Any]]:
    """Return tools for the API.

    Args:
        tools: Anything that LangChain takes for a tool. Dicts of tools that a provider carries
            out itself (`{"type": "web_search"}`) are passed on as they are.
        strict: Whether arguments must follow the schema exactly; not said if `None`.
    """
    return [_wire_tool(tool, strict) for tool in tools]


def wire_tool_choice(
    tool_choice: str | bool | Mapping[str, Any] | None,  # noqa: FBT001 - LangChain's forms
    tools: Sequence[Mapping[str, Any]],
) -> str | dict[str, Any] | None:
    """Return a tool choice for the API; `None` to send none.

    Args:
        tool_choice: The name of a tool, `auto`, `none`, `any` or `required`, `True` (any tool),
            OpenAI's or Anthropic's dict, or `False` or `None` for the model's own choice.
        tools: The tools, in the API's form.

    Raises:
        ValueError: It names a tool that is not there, or is none of these.
    """
    names = [name for tool in tools if (name := _name_of(tool))]
    match tool_choice:
        case None | False:
            return None
        case True:
            return "required"
        case str() if tool_choice in names:
            return {"type": "function", "function": {"name": tool_choice}}
        case str() if tool_choice in _CHOICES:
            return _CHOICES[tool_choice]
        case {"type": "tool", "name": str(name)}:
            return {"type": "function", "function": {"name": name}}
        case {"type": "auto" | "any" | "none" as kind}:
            return _CHOICES[kind]
        case dict(choice) if choice:
            return choice
    offered = ", ".join(f"`{name}`" for name in names) or "none"
    raise ValueError(
        f"`tool_choice` {tool_choice!r} is neither a tool that was bound ({offered}) nor one of "
        "auto, none, any, required. Nothing was sent."
    )


def with_wire_tools(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments of a call with tools and choice in the API's form.

    Those that `bind_tools` has bound are in it already.

    Raises:
        ValueError: The choice names a tool that is not there.
    """
    tools, choice = call.get("tools") or (), call.get("tool_choice")
    if not all(isinstance(tool, dict) for tool in tools):
        tools = wire_tools(tools, strict=call.get("strict"))
        call = {**call, "tools": tools}
    if tools and isinstance(choice, str | bool) and choice not in _CHOICES.values():
        call = {**call, "tool_choice": wire_tool_choice(choice, tools)}
    return call


def wire_response_format(
    response_format: Mapping[str, Any] | type, *, strict: bool | None = None
) -> dict[str, Any]:
    """Return a response format for the API.

    Args:
        response_format: OpenAI's `{"type": ...}`, or a schema: a Pydantic class, a `TypedDict`,
            JSON schema or an OpenAI function.
        strict: Whether the response must follow the schema exactly; not said if `None`.
    """
    match response_format:
        case {"type": "json_object" | "text", **_more}:
            return dict(response_format)  # type: ignore[arg-type] # a mapping, as matched
        case {"type": "json_schema", "json_schema": dict(inner)}:
            return {"type": "json_schema", "json_schema": _with_strict(inner, strict)}
        case {"name": str(), "schema": {**_schema}, **_more}:
            return wire_response_format(
                {"type": "json_schema", "json_schema": response_format}, strict=strict
            )
    function = function_of(response_format, strict=strict)
    schema = {"name": function["name"], "schema": function.get("parameters", {})}
    schema |= {name: function[name] for name in ("description", "strict") if name in function}
    return {"type": "json_schema", "json_schema": schema}


def _wire_tool(tool: ToolLike, strict: bool | None) -> dict[str, Any]:  # noqa: FBT001 - private
    match tool:
        case {"type": "function", "function": dict(function)}:
            return {**tool, "function": strict_function(function, strict)}
        case {"type": "function", "name": str()}:
            inner = {name: value for name, value in tool.items() if name != "type"}
            return {"type": "function", "function": function_of(inner, strict=strict)}
        case {"type": "json_schema", "json_schema": {**_schema}}:  # a response format
            return {"type": "function", "function": function_of(tool, strict=strict)}
        case {"type": str(kind)} if kind != "object" and not tool.keys() & _SCHEMA_KEYS:
            return dict(tool)
        case BaseTool() if tool.metadata and tool.metadata.get("type") == "custom_tool":
            return convert_to_openai_tool(tool)
        case _:
            return {"type": "function", "function": function_of(tool, strict=strict)}


# Keys that distinguish a schema, or a tool in another provider's form, from a provider's tool.
_SCHEMA_KEYS: Final = frozenset({"function", "input_schema", "parameters", "properties"})


def _with_strict(inner: Mapping[str, Any], strict: bool | None) -> dict[str, Any]:  # noqa: FBT001 - private
    if strict is None:
        return dict(inner)
    schema = inner.get("schema")
    closing = {"schema": closed(schema)} if strict and isinstance(schema, dict) else {}
    return {**inner, **closing, "strict": strict}


def tool_names(tools: Sequence[Mapping[str, Any]] | None) -> ToolNames:
    """Return the names of a request's tools, to and from those that servers accept."""
    if not tools:
        return NO_NAMES
    return ToolNames(name for tool in tools if isinstance(tool, dict) and (name := _name_of(tool)))


def with_wire_names(request: Mapping[str, Any], names: ToolNames) -> dict[str, Any]:
    """Return a request whose tools, choice and response format have names that servers accept."""
    wire = dict(request)
    if names:
        wire["tools"] = [_renamed(tool, names) for tool in request["tools"]]
        if isinstance(choice := request.get("tool_choice"), dict):
            wire["tool_choice"] = _renamed(choice, names)
    match request.get("response_format"):
        case {"type": "json_schema", "json_schema": {"name": str(name), **rest}}:
            named = {"name": ToolNames().to_wire(name), **rest}
            wire["response_format"] = {"type": "json_schema", "json_schema": named}
    return wire


def _renamed(tool: Mapping[str, Any], names: ToolNames) -> dict[str, Any]:
    match tool:
        case {"function": {"name": str(name), **function}}:
            return {**tool, "function": {"name": names.to_wire(name), **function}}
        case _:
            return dict(tool)


def _name_of(tool: Mapping[str, Any]) -> str | None:
    name = tool.get("function", tool).get("name")
    return name if isinstance(name, str) else None
