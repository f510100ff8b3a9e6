"""JSON schemas of tools, reduced to the keywords that every client and model provider accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Keywords that some clients reject, and that the server checks itself.
_DROPPED: Final = frozenset({"$defs", "title", "additionalProperties"})


def simple_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without `anyOf`, `null`, `$ref`, `const` and other rejected keywords.

    An optional field is one that is not required: the alternative `null` is dropped. Of several
    alternatives the most general remains, an array before a single value; the server accepts all.

    Args:
        schema: A JSON schema as pydantic makes it.
    """
    reduced: dict[str, Any] = _reduce(schema, schema.get("$defs", {}))
    return reduced


def _reduce(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        target = definitions[str(schema["$ref"]).rpartition("/")[2]]
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _reduce({**target, **rest}, definitions)
    if "anyOf" in schema:
        alternatives = [part for part in schema["anyOf"] if part.get("type") != "null"]
        general = next((part for part in alternatives if part.get("type") == "array"), None)
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return _reduce({**(general or alternatives[0]), **rest}, definitions)
    reduced: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _DROPPED or (key == "default" and value is None):
            continue
        if key == "properties":
            reduced[key] = {name: _reduce(field, definitions) for name, field in value.items()}
        elif key == "items":
            reduced[key] = _reduce(value, definitions)
        elif key == "const":
            reduced["enum"] = [value]
        elif key == "exclusiveMinimum":
            reduced["minimum"] = value
        else:
            reduced[key] = value
    return reduced
