"""JSON schemas of tools and structured output, with the meaning of the classes they come from.

LangChain's converters write every reference out in full. A class that contains itself has no such
form, so its schema keeps `$defs` and `$ref`; all others are converted by LangChain.
"""

from __future__ import annotations

import copy
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
)

from langchain_core.tools import BaseTool
from langchain_core.tools.base import create_schema_from_function
from langchain_core.utils.function_calling import convert_to_openai_function
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel, RootModel, TypeAdapter
from pydantic.errors import PydanticUserError
from typing_extensions import TypedDict, get_type_hints, is_typeddict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Schema = dict[str, Any]

# The property that holds a value which is not an object; Pydantic's own name of it.
ROOT_PROPERTY: Final = "root"

# Where a schema holds further schemas: by name, in a list, or one.
_NAMED: Final = ("$defs", "definitions", "properties", "patternProperties", "dependentSchemas")
_LISTED: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE: Final = ("additionalProperties", "contains", "if", "items", "not", "propertyNames", "then")


def function_of(tool: Any, *, strict: bool | None = None) -> dict[str, Any]:
    """Return the OpenAI function for a class, function, tool or schema; nothing is changed.

    Args:
        tool: A Pydantic class, a `TypedDict`, a Python function, a `BaseTool`, or a dict in the
            form of OpenAI, Anthropic or JSON schema.
        strict: Whether arguments must follow the schema exactly; not sent if `None`.

    Raises:
        ValueError: The parameters are no JSON schema.
    """
    if isinstance(tool, dict):
        inner = tool.get("function", tool.get("json_schema"))
        tool = _with_root(copy.deepcopy(inner if isinstance(inner, dict) else tool))
        if "name" in tool and "schema" in tool:  # a response format
            tool["parameters"] = tool.pop("schema")
    schema = _schema_of(tool)
    if schema is not None and _is_recursive(schema):
        function = _recursive_function(tool, schema)
    else:
        function = convert_to_openai_function(_without_qualifiers(tool, {}))
    parameters = _portable(_parameters_of(function) or {"type": "object"})
    function["parameters"] = in_object(parameters) if is_root_model(tool) else parameters
    return strict_function(function, strict)


def _parameters_of(function: Mapping[str, Any]) -> Schema | None:
    parameters = function.get("parameters")
    if parameters is None or isinstance(parameters, dict):
        return parameters
    raise ValueError(
        f"The parameters of the tool {function.get('name')!r} must be a JSON schema as a dict, "
        f"not a `{type(parameters).__name__}`. Nothing was sent."
    )


def in_object(schema: Schema) -> Schema:
    """Return a schema of objects: servers refuse others, so those become the property `root`."""
    if schema.get("type") == "object":
        return schema
    inner = {name: value for name, value in schema.items() if name != "$defs"}
    wrapped = {"type": "object", "properties": {ROOT_PROPERTY: inner}, "required": [ROOT_PROPERTY]}
    return wrapped | ({"$defs": schema["$defs"]} if "$defs" in schema else {})


def strict_function(function: dict[str, Any], strict: bool | None) -> dict[str, Any]:  # noqa: FBT001 - passed on
    """Return a function with `strict`, and its schema closed at every level if that is true."""
    if strict is None:
        return function
    if not strict:
        return {**function, "strict": False}
    parameters = _parameters_of(function) or {"type": "object", "properties": {}}
    return {**function, "parameters": closed(parameters), "strict": True}


def closed(schema: Schema) -> Schema:
    """Return a schema whose objects require all their members and allow no others.

    Objects of any members, such as `dict[str, int]`, stay open: closed they would have to be empty.
    The root is closed always.
    """
    return {**_map_schemas(schema, _close), "additionalProperties": False}


def json_schema_of(schema: Any) -> Schema:
    """Return the JSON schema of a class or dict, with its name as the title."""
    function = function_of(schema)
    described = {
        name: function[key]
        for name, key in (("title", "name"), ("description", "description"))
        if key in function
    }
    return {**described, **function.get("parameters", {})}


def _close(schema: Schema) -> Schema:
    # Strict servers refuse these, and references with any sibling.
    schema = {key: item for key, item in schema.items() if key not in ("default", "uniqueItems")}
    if "$ref" in schema and len(schema) > 1:
        schema["anyOf"] = [{"$ref": schema.pop("$ref")}]
    if "oneOf" in schema:  # of classes that a constant or a function distinguishes
        schema["anyOf"] = schema.pop("oneOf")
    if not isinstance(schema.get("properties"), dict):
        return schema
    return {**schema, "required": list(schema["properties"]), "additionalProperties": False}


def _portable(schema: Schema) -> Schema:
    """Return a schema for servers that read JSON schema alone, as the parameters of a function."""
    schema = _map_schemas(schema, _without_discriminator)
    if schema.get("type") == "object" and "properties" not in schema:
        return {**schema, "properties": {}}  # required by OpenAI, vLLM and others
    return schema


def _without_discriminator(schema: Schema) -> Schema:
    """Drop OpenAPI's `discriminator`, which refers to `$defs`: the members' constants suffice."""
    if not isinstance(schema.get("discriminator"), dict):
        return schema
    return {name: value for name, value in schema.items() if name != "discriminator"}


def _map_schemas(schema: Any, change: Callable[[Schema], Schema]) -> Any:
    """Return a schema with a change made to it and to every schema in it."""
    if not isinstance(schema, dict):
        return schema
    mapped = dict(schema)
    for name in _NAMED:
        if isinstance(inner := mapped.get(name), dict):
            mapped[name] = {key: _map_schemas(value, change) for key, value in inner.items()}
    for name in _LISTED:
        if isinstance(items := mapped.get(name), list):
            mapped[name] = [_map_schemas(item, change) for item in items]
    for name in _SINGLE:
        if name in mapped:
            mapped[name] = _map_schemas(mapped[name], change)
    return change(mapped)


def _with_root(schema: Schema) -> Schema:
    """Return a JSON schema with a root of its own, instead of a reference to a definition."""
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    target = _resolved(schema, reference)
    if not isinstance(target, dict):
        return schema
    rest = {name: value for name, value in schema.items() if name != "$ref"}
    return {"title": reference.rsplit("/", 1)[-1], **copy.deepcopy(target), **rest}


def _schema_of(tool: Any) -> Schema | None:
    """Return the JSON schema behind anything that has one, references included."""
    if isinstance(tool, BaseTool):
        tool = tool.tool_call_schema
    elif callable(tool) and not isinstance(tool, type):
        tool = create_schema_from_function(
            getattr(tool, "__name__", "function"),
            tool,
            parse_docstring=True,
            error_on_invalid_docstring=False,
            include_injected=False,
        )
    if isinstance(tool, dict):
        # A function's references are those of its parameters, which stay as they are.
        return None if tool.keys() & {"input_schema", "parameters"} else tool
    try:
        if isinstance(tool, type) and issubclass(tool, BaseModel):
            return _with_root(tool.model_json_schema())
        if is_typeddict(tool):
            return _with_root(TypeAdapter(tool).json_schema())
    except (PydanticUserError, TypeError):
        return None  # LangChain's converter reads more, or reports what is wrong
    return None


def _without_qualifiers(hint: Any, known: dict[Any, Any]) -> Any:
    """Return a type whose `TypedDict`s mark required keys as LangChain's converter reads them.

    It fails on `Required` and `NotRequired`, and takes `Annotated[type, default]` for optional.
    """
    if is_typeddict(hint):
        if hint in known:
            return known[hint]
        known[hint] = hint  # within itself
        hints = get_type_hints(hint, include_extras=True)
        fields = {
            name: _field(inner, known, is_needed=name in hint.__required_keys__)
            for name, inner in hints.items()
        }
        if fields == hints:
            return hint
        plain: Any = TypedDict(hint.__name__, fields)  # type: ignore[misc] # the name of another
        known[hint] = plain
        plain.__doc__ = hint.__doc__
        return plain
    arguments = get_args(hint)
    plain_arguments = tuple(_without_qualifiers(item, known) for item in arguments)
    if plain_arguments == arguments:
        return hint
    origin: Any = get_origin(hint)
    return (Union if origin is UnionType else origin)[plain_arguments]


def _field(hint: Any, known: dict[Any, Any], *, is_needed: bool) -> Any:
    if (qualifier := get_origin(hint)) in (Required, NotRequired):
        # Where annotations are texts, the class has not read it.
        is_needed, (hint,) = qualifier is Required, get_args(hint)
    hint = _without_qualifiers(hint, known)
    if is_needed:
        return hint
    inner, _, *description = (
        (*get_args(hint), None) if get_origin(hint) is Annotated else (hint, None)
    )
    return Annotated[(inner, None, *description[:1])]


def _recursive_function(tool: Any, schema: Schema) -> dict[str, Any]:
    if is_typeddict(tool) or isinstance(tool, dict):
        function: dict[str, Any] = {"name": schema["title"]}
        if description := schema.get("description"):
            function["description"] = description
    else:
        function = convert_to_openai_function(tool)
    parameters = _map_schemas(schema, _without_title)
    parameters.pop("description", None)
    return {**function, "parameters": parameters}


def _without_title(schema: Schema) -> Schema:
    return {name: value for name, value in schema.items() if name != "title"}


def _is_recursive(schema: Schema) -> bool:
    finished: set[str] = set()

    def leads_back(value: Any, open_references: frozenset[str]) -> bool:
        if isinstance(value, list):
            return any(leads_back(item, open_references) for item in value)
        if not isinstance(value, dict):
            return False
        reference = value.get("$ref")
        if isinstance(reference, str) and reference not in finished:
            if reference in open_references:
                return True
            if leads_back(_resolved(schema, reference), open_references | {reference}):
                return True
            finished.add(reference)
        return any(leads_back(item, open_references) for item in value.values())

    return leads_back(schema, frozenset())


def _resolved(schema: Schema, reference: str) -> Any:
    """Return what a reference within the schema points at; None for any other."""
    target: Any = schema
    path, *parts = reference.split("/")
    if path != "#":
        return None
    for part in parts:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list) and name.isdecimal() and int(name) < len(target):
            target = target[int(name)]
        elif isinstance(target, dict):
            target = target.get(name)
        else:
            return None
    return target


def is_root_model(schema: Any) -> bool:
    """Return whether a schema is a Pydantic class whose values need not be objects."""
    return isinstance(schema, type) and issubclass(schema, RootModel)


def is_pydantic(schema: Any) -> bool:
    """Return whether a schema is a Pydantic class, of version 1 or 2."""
    return isinstance(schema, type) and is_basemodel_subclass(schema)
