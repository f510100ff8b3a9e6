"""Schemas and names of tools and structured output, in the service's form.

LlamaIndex's own conversion loses the root of a recursive class and sends strict schemas that are
closed at the top only; servers refuse both.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from llama_index.core.tools.types import BaseTool, ToolMetadata

from runcrate_core.toolkit import ToolNames

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

_SCHEMAS_BY_NAME: Final = frozenset({"properties", "$defs", "definitions"})
# The members of a schema that describe a tool's parameters.
_PARAMETER_MEMBERS: Final = ("type", "properties", "required", "definitions", "$defs")
_CHOICES: Final = {"auto": "auto", "none": "none", "required": "required", "any": "required"}

_PROGRAM: Final = "llama_index.core.program.function_program"

# JSON schemas of classes, each with the identity of what it was generated from.
_generated: Final[WeakKeyDictionary[type[BaseModel], tuple[int, dict[str, Any]]]] = (
    WeakKeyDictionary()
)

# The property that holds a response which is not an object, such as a list: schemas sent to the
# service describe objects.
ROOT_PROPERTY: Final = "root"


def wire_tools(
    tools: Sequence[BaseTool],
    *,
    names: ToolNames | None = None,
    strict: bool | None = None,
) -> list[dict[str, Any]]:
    """Return tools in the service's form.

    Args:
        tools: The tools.
        names: The tools' names on the wire.
        strict: Whether arguments must follow the schema exactly; not sent when None, since some
            servers refuse the field.
    """
    return [_wire_tool(tool.metadata, names or ToolNames(), strict) for tool in tools]


def names_of(tools: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of tools in the service's form."""
    functions = [tool.get("function") for tool in tools]
    return [str(each["name"]) for each in functions if isinstance(each, dict) and "name" in each]


def own_names_of(tools: Sequence[Any]) -> list[str]:
    """Return the names of LlamaIndex's tools.

    Raises:
        TypeError: Something else is among them.
    """
    for tool in tools:
        if not isinstance(tool, BaseTool):
            raise TypeError(
                "The tools of a call are all tools of LlamaIndex or all dicts in the service's "
                f"form, but a `{type(tool).__name__}` is among them. Nothing was sent."
            )
    return [tool.metadata.get_name() for tool in tools]


def are_of_program(tools: Sequence[BaseTool]) -> bool:
    """Return True for the one tool by which LlamaIndex's `FunctionCallingProgram` gets an object.

    It fills the object with whatever a stream's last chunk holds, and ignores errors.
    """
    return [getattr(getattr(tool, "fn", None), "__module__", None) for tool in tools] == [_PROGRAM]


def _wire_tool(
    metadata: ToolMetadata,
    names: ToolNames,
    strict: bool | None,  # noqa: FBT001 - private
) -> dict[str, Any]:
    function: dict[str, Any] = {
        "name": names.to_wire(metadata.get_name()),
        "description": metadata.description,
        "parameters": _parameters(metadata),
    }
    if strict is not None:
        function["strict"] = strict
    if strict:
        function["parameters"] = _closed(function["parameters"])
    return {"type": "function", "function": function}


def _parameters(metadata: ToolMetadata) -> dict[str, Any]:
    is_overridden = type(metadata).get_parameters_dict is not ToolMetadata.get_parameters_dict
    if metadata.fn_schema is None or is_overridden:
        schema = metadata.get_parameters_dict()
    else:
        schema = object_schema(metadata.fn_schema)
    parameters = {name: schema[name] for name in _PARAMETER_MEMBERS if name in schema}
    parameters.setdefault("type", "object")
    parameters.setdefault("properties", {})
    return parameters


def wire_tool_choice(
    choice: str | Mapping[str, Any] | None,
    *,
    required: bool = False,
    names: ToolNames | None = None,
) -> str | dict[str, Any] | None:
    """Return a tool choice in the service's form; None where its default is meant.

    Args:
        choice: `auto`, `none`, `required`, `any`, the name of a tool, or the service's own form.
        required: No choice means that some tool must be called.
        names: The tools' names on the wire.
    """
    names = names or ToolNames()
    match choice:
        case None:
            return "required" if required else None
        case str():
            return _CHOICES.get(choice) or {
                "type": "function",
                "function": {"name": names.to_wire(choice)},
            }
        case {"function": {"name": str(name)} as function}:
            return {**choice, "function": {**function, "name": names.to_wire(name)}}
        case _:
            return dict(choice)


def response_format(output_cls: type[BaseModel], *, strict: bool | None = None) -> dict[str, Any]:
    """Return the `response_format` that holds a response to a class."""
    schema = object_schema(output_cls)
    name = ToolNames().to_wire(schema.get("title") or output_cls.__name__)
    wire: dict[str, Any] = {"name": name, "schema": schema}
    if strict is not None:
        wire["strict"] = strict
    if strict:
        wire["schema"] = _closed(schema)
    return {"type": "json_schema", "json_schema": wire}


def object_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a class, with an object at its root.

    The root of a recursive class is a reference, which is replaced by its definition. A class
    whose values are not objects, such as a list, becomes an object with the property `root`.
    """
    schema = _json_schema(model)
    definitions = schema.get("$defs", {})
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        schema = {**definitions[name], **schema}
        del schema["$ref"]
    if schema.get("type") == "object":
        return schema if "properties" in schema else {**schema, "properties": {}}
    wrapped: dict[str, Any] = {
        "title": schema.get("title") or model.__name__,
        "type": "object",
        "properties": {
            ROOT_PROPERTY: {
                key: item for key, item in schema.items() if key not in ("$defs", "title")
            }
        },
        "required": [ROOT_PROPERTY],
    }
    return wrapped | ({"$defs": definitions} if definitions else {})


def _json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return a class's own JSON schema, generated once: agents hand the same tools to every call.

    It is generated again after `model_rebuild`. The caller may change what is returned.
    """
    built = id(model.__pydantic_core_schema__)
    known = _generated.get(model)
    if known is None or known[0] != built:
        _generated[model] = known = built, model.model_json_schema()
    return copy.deepcopy(known[1])


def _closed(schema: Any) -> Any:
    """Close every object of a schema, as strict servers demand: no extras, nothing optional.

    They know neither defaults, sets nor `oneOf`, nor references with any sibling.
    """
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed: dict[str, Any] = {}
    for name, item in schema.items():
        if name in _SCHEMAS_BY_NAME and isinstance(item, dict):
            closed[name] = {key: _closed(inner) for key, inner in item.items()}
        elif name == "oneOf":
            closed["anyOf"] = _closed(item)
        elif name not in ("default", "discriminator", "uniqueItems"):
            closed[name] = item if name in ("enum", "const", "required") else _closed(item)
    if isinstance(closed.get("properties"), dict):
        closed["additionalProperties"] = False
        closed["required"] = list(closed["properties"])
    elif closed.get("type") == "object" and "additionalProperties" not in closed:
        closed |= {"properties": {}, "required": [], "additionalProperties": False}
    if "$ref" in closed and len(closed) > 1:
        closed["anyOf"] = [{"$ref": closed.pop("$ref")}]
    return closed
