"""Reading JSON schemas: references, merged parts, and whether a value is valid.

Covers what tools and structured outputs use: `$ref`, `allOf`, `anyOf`, `oneOf`, `not`, `if`,
`enum`, `const`, types, and the limits of numbers, strings, arrays and objects.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

Json = Any
"""A JSON schema, which is an object or a boolean, or a JSON value."""

_DEEPEST_REFERENCE: Final = 32
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


@dataclass(frozen=True, slots=True)
class Schemas:
    """A schema document, in which references are looked up.

    Attributes:
        root: The outermost schema.
    """

    root: Json

    def resolved(self, schema: Json) -> dict[str, Any]:
        """A schema with its references followed and its `allOf` merged in.

        `False`, which nothing satisfies, becomes `{"not": {}}`, `True` becomes `{}`.
        """
        return self._resolved(schema, _DEEPEST_REFERENCE)

    def _resolved(self, schema: Json, depth: int) -> dict[str, Any]:
        if not isinstance(schema, Mapping):
            return {} if schema is not False else {"not": {}}
        merged = dict(schema)
        if depth and isinstance(reference := merged.pop("$ref", None), str):
            merged = self._merged(self._resolved(self._at(reference), depth - 1), merged)
        for part in merged.pop("allOf", None) or ():
            merged = self._merged(merged, self._resolved(part, depth - 1 if depth else 0))
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

    def _merged(self, one: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
        merged = {**one, **other}
        for key in ("properties", "patternProperties", "$defs"):
            if key in one and key in other:
                merged[key] = {**one[key], **other[key]}
        if "required" in one and "required" in other:
            merged["required"] = [*dict.fromkeys([*one["required"], *other["required"]])]
        for key, strictest in (
            ("minimum", max),
            ("exclusiveMinimum", max),
            ("minLength", max),
            ("minItems", max),
            ("maximum", min),
            ("exclusiveMaximum", min),
            ("maxLength", min),
            ("maxItems", min),
        ):
            if key in one and key in other:
                merged[key] = strictest(one[key], other[key])
        if "enum" in one and "enum" in other:
            merged["enum"] = [value for value in one["enum"] if value in other["enum"]]
        return merged

    def accepts(self, schema: Json, value: Json) -> bool:
        """Whether a value is valid against a schema of this document."""
        if isinstance(schema, bool):
            return schema
        found = self.resolved(schema)
        return (
            _accepts_type(found, value)
            and _accepts_choice(found, value)
            and self._accepts_combinations(found, value)
            and (not isinstance(value, str) or _accepts_text(found, value))
            and (not _is_number(value) or _accepts_number(found, value))
            and (not isinstance(value, list) or self._accepts_array(found, value))
            and (not isinstance(value, dict) or self._accepts_object(found, value))
        )

    def _accepts_combinations(self, found: Mapping[str, Any], value: Json) -> bool:
        if "anyOf" in found and not any(self.accepts(part, value) for part in found["anyOf"]):
            return False
        if "oneOf" in found and sum(self.accepts(part, value) for part in found["oneOf"]) != 1:
            return False
        if "not" in found and self.accepts(found["not"], value):
            return False
        if "if" in found:
            branch = "then" if self.accepts(found["if"], value) else "else"
            return self.accepts(found.get(branch, True), value)
        return True

    def _accepts_array(self, found: Mapping[str, Any], value: list[Json]) -> bool:
        if not found.get("minItems", 0) <= len(value) <= found.get("maxItems", len(value)):
            return False
        if found.get("uniqueItems") and any(
            same(one, other) for at, one in enumerate(value) for other in value[:at]
        ):
            return False
        if "contains" in found:
            hits = sum(self.accepts(found["contains"], item) for item in value)
            if not found.get("minContains", 1) <= hits <= found.get("maxContains", len(value)):
                return False
        fixed = found.get("prefixItems", [])
        return all(map(self.accepts, fixed, value)) and all(
            self.accepts(found.get("items", True), item) for item in value[len(fixed) :]
        )

    def _accepts_object(self, found: Mapping[str, Any], value: dict[str, Json]) -> bool:
        if not set(found.get("required", ())) <= set(value):
            return False
        if (
            not found.get("minProperties", 0)
            <= len(value)
            <= found.get("maxProperties", len(value))
        ):
            return False
        for key, needed in found.get("dependentRequired", {}).items():
            if key in value and not set(needed) <= set(value):
                return False
        return all(self._accepts_property(found, key, item) for key, item in value.items())

    def _accepts_property(self, found: Mapping[str, Any], key: str, item: Json) -> bool:
        if not self.accepts(found.get("propertyNames", True), key):
            return False
        named = key in found.get("properties", {})
        if named and not self.accepts(found["properties"][key], item):
            return False
        for pattern, part in found.get("patternProperties", {}).items():
            if matches(pattern, key):
                named = True
                if not self.accepts(part, item):
                    return False
        return named or self.accepts(found.get("additionalProperties", True), item)


def types_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The types that a resolved schema names or implies; empty when it says nothing."""
    named = schema.get("type")
    if isinstance(named, str):
        return (named,)
    if isinstance(named, Sequence):
        return tuple(named)
    for keyword, implied in (
        ("properties", "object"),
        ("additionalProperties", "object"),
        ("required", "object"),
        ("items", "array"),
        ("prefixItems", "array"),
        ("pattern", "string"),
        ("format", "string"),
        ("minLength", "string"),
        ("maxLength", "string"),
        ("minimum", "number"),
        ("maximum", "number"),
        ("multipleOf", "number"),
    ):
        if keyword in schema:
            return (implied,)
    return ()


def same(one: Json, other: Json) -> bool:
    """Whether two JSON values are equal; `true` and `1` are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return (type(one) is type(other) and one == other) or (_is_number(one) and one == other)


def matches(pattern: str, text: str) -> bool:
    """Whether a text matches a schema's pattern; a pattern Python cannot read matches all."""
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def _is_number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _accepts_type(found: Mapping[str, Any], value: Json) -> bool:
    named = found.get("type")
    if named is None:
        return True
    return any(_has_type(value, one) for one in ([named] if isinstance(named, str) else named))


def _has_type(value: Json, name: str) -> bool:
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES.get(name, (object,)))


def _accepts_choice(found: Mapping[str, Any], value: Json) -> bool:
    if "const" in found and not same(found["const"], value):
        return False
    return "enum" not in found or any(same(value, choice) for choice in found["enum"])


def _accepts_text(found: Mapping[str, Any], value: str) -> bool:
    if not found.get("minLength", 0) <= len(value) <= found.get("maxLength", len(value)):
        return False
    return "pattern" not in found or matches(found["pattern"], value)


def _accepts_number(found: Mapping[str, Any], value: float) -> bool:
    if value < found.get("minimum", value) or value > found.get("maximum", value):
        return False
    low, high = found.get("exclusiveMinimum"), found.get("exclusiveMaximum")
    if isinstance(low, (int, float)) and value <= low:
        return False
    if isinstance(high, (int, float)) and value >= high:
        return False
    step = found.get("multipleOf")
    if not step:
        return True
    return (Fraction(str(value)) / Fraction(str(step))).denominator == 1
