"""Tools and response formats in the API's form."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from langchain_core.utils.function_calling import convert_to_openai_function, convert_to_openai_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_core.tools import BaseTool

ToolLike = Any  # a dict, a class, a function or a `BaseTool`

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
    """Return a tool choice for the API; `None` to say nothing of it.

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


def wire_response_format(
    response_format: Mapping[str, Any] | type, *, strict: bool | None = None
) -> dict[str, Any]:
    """Return a response format for the API.

    Args:
        response_format: OpenAI's `{"type": ...}`, or a schema: a Pydantic class, a `TypedDict`,
            JSON schema or an OpenAI function.
        strict: Whether the answer must follow the schema exactly; not said if `None`.
    """
    match response_format:
        case {"type": "json_object" | "text", **_more}:
            return dict(response_format)  # type: ignore[arg-type] # a mapping, as matched
        case {"type": "json_schema", "json_schema": {**inner}}:
            told = inner if strict is None else {**inner, "strict": strict}
            return {"type": "json_schema", "json_schema": told}
        case {"name": str(), "schema": {**_schema}, **_more}:
            return wire_response_format(
                {"type": "json_schema", "json_schema": response_format}, strict=strict
            )
    function = convert_to_openai_function(_own(response_format), strict=strict)
    schema = {"name": function["name"], "schema": function.get("parameters", {})}
    schema |= {name: function[name] for name in ("description", "strict") if name in function}
    return {"type": "json_schema", "json_schema": schema}


def _wire_tool(tool: ToolLike, strict: bool | None) -> dict[str, Any]:  # noqa: FBT001 - private
    match tool:
        case {"type": "function", "function": {**function}}:
            told = {} if strict is None else {"strict": strict}
            return {**tool, "function": {**function, **told}}
        case {"type": "function", "name": str()}:
            return convert_to_openai_tool(
                {name: value for name, value in tool.items() if name != "type"}, strict=strict
            )
        case {"type": str(kind)} if kind != "object" and not tool.keys() & _SCHEMA_KEYS:
            return dict(tool)
        case _:
            return convert_to_openai_tool(_own(tool), strict=strict)


# Keys that tell a schema, or a tool in another provider's form, from a tool of the provider.
_SCHEMA_KEYS: Final = frozenset({"function", "input_schema", "parameters", "properties"})


def _own(schema: ToolLike) -> Any:
    """Copy a schema: LangChain changes nested dicts in place when it makes them strict."""
    return copy.deepcopy(schema) if isinstance(schema, dict) else schema


def _name_of(tool: Mapping[str, Any]) -> str | None:
    name = tool.get("function", tool).get("name")
    return name if isinstance(name, str) else None
