"""Structured output by three methods, with parsers that report failures.

| method | how | needs |
|---|---|---|
| `json_schema` | the response is constrained to the schema | structured outputs |
| `function_calling` | the schema is a tool that the model has to call | tools |
| `json_mode` | the response is JSON; a schema is described before the prompt | JSON mode |
"""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from langchain_core.messages import BaseMessage, SystemMessage
from typing_extensions import is_typeddict

from langchain_runcrate.json_schemas import json_schema_of
from langchain_runcrate.structured_parsers import RawResponseParser, StructuredResponseParser
from langchain_runcrate.tools_binding import wire_response_format, wire_tools

if TYPE_CHECKING:
    from langchain_core.language_models import ModelProfile
    from langchain_core.runnables import Runnable

Method = Literal["function_calling", "json_mode", "json_schema"]
# Types of JSON schemas that a response of no method has.
_NO_OBJECTS: Final = ("array", "boolean", "integer", "null", "number", "string")
METHODS: Final = ("function_calling", "json_mode", "json_schema")


class Plan(NamedTuple):
    """A method of structured output.

    Attributes:
        arguments: What to bind to the model, besides tools.
        tools: Tools to bind, for `bind_tools`.
        parser: Reads the response.
        instructions: What to put before the prompt; empty for nothing.
    """

    arguments: dict[str, Any]
    tools: list[Any]
    parser: StructuredResponseParser
    instructions: str = ""


def structured_output_plan(
    schema: Any,
    method: Method | None,
    profile: ModelProfile | None,
    *,
    strict: bool | None = None,
    model: str = "",
) -> Plan:
    """Return how to get output that fits a schema.

    Args:
        schema: A Pydantic class (v1 or v2), a `TypedDict`, JSON schema or an OpenAI function.
        method: One of the methods, or `None` for the best that the profile promises.
        profile: What is known of the model.
        strict: Whether the response must follow the schema exactly; not said if `None`.
        model: The model's name, for warnings.

    Raises:
        ValueError: There is no such method, or no schema for one that needs it.
    """
    if method not in (None, *METHODS):
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}, not {method!r}.")
    if schema is None and method != "json_mode":
        raise ValueError("A schema is needed, except with `method='json_mode'`.")
    if isinstance(schema, dict) and schema.get("type") in _NO_OBJECTS:
        raise ValueError(
            f"The response is an object, so the JSON schema cannot be of type {schema['type']!r}. "
            "Make it a property of an object."
        )
    chosen = method or _default_method(profile)
    if chosen == "json_mode" and method is None:
        warnings.warn(
            f"The model `{model}` supports neither structured outputs nor tools, so its output "
            "is only asked to fit the schema. Choose a `method` to decide otherwise.",
            stacklevel=3,
        )
    try:
        match chosen:
            case "json_schema":
                return _by_json_schema(schema, strict)
            case "function_calling":
                forced = method is not None or not (profile or {}).get("reasoning_output")
                return _by_function_calling(schema, strict, forced=forced)
            case _:
                return _by_json_mode(schema)
    except (TypeError, ValueError) as error:
        if isinstance(schema, dict):
            raise
        raise ValueError(
            "`schema` must be a Pydantic class, a TypedDict, JSON schema or an OpenAI function, "
            f"not {schema!r}. For a list, use Pydantic's `RootModel[list[...]]`."
        ) from error


def with_raw(llm: Runnable[Any, Any], parser: StructuredResponseParser) -> Runnable[Any, Any]:
    """Return a chain that gives `raw`, `parsed` and `parsing_error`, and does not raise."""
    return llm | RawResponseParser(parser=parser)


def instructed(messages: list[BaseMessage], instructions: str) -> list[BaseMessage]:
    """Return a conversation that begins with instructions.

    They join a system message that is there already: many models take one at most.
    """
    match messages:
        case [SystemMessage(content=str(text)), *others]:
            return [SystemMessage(f"{text}\n\n{instructions}"), *others]
        case [SystemMessage(content=list(blocks)), *others]:
            block = {"type": "text", "text": instructions}
            return [SystemMessage([*blocks, block]), *others]
        case _:
            return [SystemMessage(instructions), *messages]


def _default_method(profile: ModelProfile | None) -> Method:
    if profile is None or profile.get("structured_output"):
        # Runcrate documents `json_schema`; what is not known is taken for able.
        return "function_calling" if profile is None else "json_schema"
    return "function_calling" if profile.get("tool_calling") else "json_mode"


def _by_json_schema(schema: Any, strict: bool | None) -> Plan:  # noqa: FBT001 - private
    arguments = {
        "response_format": wire_response_format(schema, strict=strict),
        **_traced("json_schema", schema, strict=strict),
    }
    return Plan(arguments, [], StructuredResponseParser(target=schema))


def _by_json_mode(schema: Any) -> Plan:
    arguments = {"response_format": {"type": "json_object"}, **_traced("json_mode", schema)}
    # Servers refuse this format unless the prompt speaks of JSON, and models need the keys.
    instructions = "" if schema is None else _instructions(schema)
    return Plan(arguments, [], StructuredResponseParser(target=schema), instructions)


def _by_function_calling(schema: Any, strict: bool | None, *, forced: bool) -> Plan:  # noqa: FBT001 - private
    [tool] = wire_tools([schema], strict=strict)
    name = tool["function"]["name"]
    arguments = {
        # Models that think before they answer may refuse to be forced.
        "tool_choice": name if forced else "auto",
        "parallel_tool_calls": False,
        "strict": strict,
        **_traced("function_calling", schema, strict=strict),
    }
    return Plan(arguments, [tool], StructuredResponseParser(target=schema, tool_name=name))


def _traced(method: Method, schema: Any, **options: Any) -> dict[str, Any]:
    kwargs = {"method": method, **options}
    traced = json_schema_of(schema) if is_typeddict(schema) else schema
    return {"ls_structured_output_format": {"kwargs": kwargs, "schema": traced}}


def _instructions(schema: Any) -> str:
    described = json.dumps(json_schema_of(schema), ensure_ascii=False)
    return f"Answer with one JSON object that fits this JSON schema, and nothing else: {described}"
