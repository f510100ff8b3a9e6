"""Whether something is a JSON schema by its form, before any value is made for it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from runcrate_emulator.simulation.refusals import invalid
from runcrate_emulator.simulation.schema import Json

_TYPES: Final = frozenset(
    {"object", "array", "string", "integer", "number", "boolean", "null"},
)
_DEEPEST: Final = 64
_NUMBERS: Final = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)
_COUNTS: Final = frozenset(
    {
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "minContains",
        "maxContains",
    }
)
_SCHEMAS: Final = frozenset(
    {"items", "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else"}
)
_LISTS_OF_SCHEMAS: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_MAPS_OF_SCHEMAS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_TEXTS: Final = frozenset({"pattern", "format", "$ref", "title", "description"})


def require_schema(schema: Json, field: str) -> None:
    """Refuse what is no JSON schema.

    Raises:
        ApiError: 400, naming the part of the field that is wrong.
    """
    for path, problem in _problems(schema, field, 0):
        raise invalid(path, problem)


def _problems(schema: Json, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        yield path, "must be a JSON schema: an object, true or false."
        return
    for keyword, value in schema.items():
        where = f"{path}.{keyword}"
        if problem := _problem(keyword, value):
            yield where, problem
        elif keyword in _SCHEMAS:
            yield from _problems(value, where, depth + 1)
        elif keyword in _LISTS_OF_SCHEMAS:
            for at, part in enumerate(value):
                yield from _problems(part, f"{where}[{at}]", depth + 1)
        elif keyword in _MAPS_OF_SCHEMAS:
            for name, part in value.items():
                yield from _problems(part, f"{where}.{name}", depth + 1)


def _problem(keyword: str, value: Any) -> str:
    """What is wrong with a keyword's value, or ""."""
    if keyword == "type":
        names = [value] if isinstance(value, str) else value
        known = (
            isinstance(names, list) and names and all(name in _TYPES for name in map(str, names))
        )
        return "" if known else f"must be among {', '.join(sorted(_TYPES))}."
    if keyword in _NUMBERS and not _is_number(value):
        return "must be a number."
    if keyword == "multipleOf" and value <= 0:
        return "must be above 0."
    if keyword in _COUNTS and not (_is_number(value) and value >= 0 and value == int(value)):
        return "must be a whole number of 0 or more."
    if keyword in _LISTS_OF_SCHEMAS and not (isinstance(value, list) and value):
        return "must be a list of at least one schema."
    if keyword in _MAPS_OF_SCHEMAS and not isinstance(value, Mapping):
        return "must be an object of schemas."
    if keyword in _TEXTS and not isinstance(value, str):
        return "must be a string."
    if keyword == "enum" and not isinstance(value, list):
        return "must be a list."
    if keyword == "required" and not _is_names(value):
        return "must be a list of names."
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
