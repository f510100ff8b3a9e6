"""JSON schemas of tools and structured output: checks, references, and plain values."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

Json = Any
"""A JSON schema, which is an object or a boolean, or a JSON value."""

_MAX_REFERENCES: Final = 32


class UnsatisfiableSchemaError(ValueError):
    """No valid value was found: the schema contradicts itself or is beyond this module's means."""


def checked_schema(schema: Json) -> Json:
    """Return a JSON schema of tools or structured output; raise ValueError if it is not one."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(map(str, error.absolute_path))
        raise ValueError(f"is not a valid JSON schema at `{where}`") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    return schema


class Schemas:
    """A schema document, in which references are looked up; nothing is ever downloaded."""

    def __init__(self, root: Json) -> None:
        self._validator = Draft202012Validator(root, registry=Registry())
        self._resolver = Registry().resolver_with_root(DRAFT202012.create_resource(root))

    def accepts(self, schema: Json, value: Json) -> bool:
        """Return whether a value is valid for a schema of this document."""
        try:
            return bool(self._validator.evolve(schema=schema).is_valid(value))
        except (Unresolvable, RecursionError, re.error, TypeError, ValueError, OverflowError):
            return False

    def resolve(self, schema: Json, depth: int = _MAX_REFERENCES) -> dict[str, Any]:
        """Return a schema with its references followed and its `allOf` merged in."""
        if not isinstance(schema, Mapping):
            return {} if schema is not False else {"not": {}}
        merged = dict(schema)
        if depth and isinstance(reference := merged.pop("$ref", None), str):
            with suppress(Unresolvable, ValueError):
                target = self._resolver.lookup(reference).contents
                merged = _merge(self.resolve(target, depth - 1), merged)
        for part in merged.pop("allOf", None) or ():
            merged = _merge(merged, self.resolve(part, max(depth - 1, 0)))
        return merged


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
    if "properties" in one and "properties" in other:
        merged["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        merged["required"] = [*dict.fromkeys([*one["required"], *other["required"]])]
    return merged
