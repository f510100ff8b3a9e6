"""JSON schemas of tools and structured output: checks, references, and plain values."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

Json = Any
"""A JSON schema, which is an object or a boolean, or a JSON value."""

_MAX_REFERENCES: Final = 32


class UnsatisfiableSchemaError(ValueError):
    """No valid value was found: the schema contradicts itself or is beyond this module's means."""


def checked_schema(schema: Json) -> Json:
    """Return a JSON schema of tools or structured output.

    Raises:
        ValueError: It is not one.
    """
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(map(str, error.absolute_path))
        raise ValueError(f"is not a valid JSON schema at `{where}`") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    return schema


class Schemas:
    """A schema document, in which references are looked up; nothing is ever downloaded.

    Args:
        root: The outermost schema.
    """

    def __init__(self, root: Json) -> None:
        self.root = root
        self._definitions = {
            name: root[name]
            for name in ("$defs", "definitions")
            if isinstance(root, Mapping) and name in root
        }

    def accepts(self, schema: Json, value: Json) -> bool:
        """Return whether a value is valid for a schema of this document."""
        if isinstance(schema, Mapping):
            schema = {**self._definitions, **schema}
        try:
            return bool(Draft202012Validator(schema, registry=Registry()).is_valid(value))
        except (Unresolvable, RecursionError, re.error, TypeError, ValueError, OverflowError):
            return False

    def resolve(self, schema: Json, depth: int = _MAX_REFERENCES) -> dict[str, Any]:
        """Return a schema with its references followed and its `allOf` merged in."""
        if not isinstance(schema, Mapping):
            return {} if schema is not False else {"not": {}}
        merged = dict(schema)
        if depth and isinstance(reference := merged.pop("$ref", None), str):
            merged = _merge(self.resolve(self._at(reference), depth - 1), merged)
        for part in merged.pop("allOf", None) or ():
            merged = _merge(merged, self.resolve(part, max(depth - 1, 0)))
        return merged

    def _at(self, reference: str) -> Json:
        found: Json = self.root
        for part in reference.removeprefix("#").strip("/").split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if key and isinstance(found, Mapping):
                found = found.get(key, {})
            elif key and isinstance(found, Sequence) and key.isdigit():
                found = found[int(key)] if int(key) < len(found) else {}
        return found


def types_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the types that a resolved schema names, or that its keywords imply."""
    named = schema.get("type")
    if named is not None:
        return (named,) if isinstance(named, str) else tuple(named)
    if "properties" in schema or "required" in schema:
        return ("object",)
    return ("array",) if "items" in schema or "prefixItems" in schema else ()


def _merge(one: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**one, **other}
    for key in ("properties", "patternProperties", "$defs"):
        if key in one and key in other:
            merged[key] = {**one[key], **other[key]}
    if "required" in one and "required" in other:
        merged["required"] = [*dict.fromkeys([*one["required"], *other["required"]])]
    for key, narrower in (("minimum", max), ("minLength", max), ("maximum", min)):
        if key in one and key in other:
            merged[key] = narrower(one[key], other[key])
    if "enum" in one and "enum" in other:
        merged["enum"] = [value for value in one["enum"] if value in other["enum"]]
    return merged
