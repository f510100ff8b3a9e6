"""JSON schemas of tools and structured output: checks, references, and sample values."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from re import _parser as regex_parser  # type: ignore[attr-defined] # no public parser exists
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from runcrate_emulator.errors import invalid

Json = Any
"""A JSON schema, which is an object or a boolean, or a JSON value."""

_MAX_DEPTH: Final = 12
"""Levels of nesting after which a recursive schema is given up."""
_MAX_REFERENCES: Final = 32
_MAX_VARIANTS: Final = 64
_MAX_TEXT: Final = 100_000  # characters; a longer `minLength` is not worth the memory
_FORMATS: Final[Mapping[str, str]] = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "nobody@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_FILLER: Final = "simulated"


class UnsatisfiableSchemaError(ValueError):
    """No valid value was found: the schema contradicts itself or is beyond this module's means."""


def require_schema(schema: Json, field: str) -> None:
    """Refuse what is not a JSON schema.

    Raises:
        ApiError: 400, naming the field and the place in it.
    """
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "".join(f".{part}" for part in error.absolute_path)
        raise invalid(f"{field}{where}", "is not valid in a JSON schema.") from None
    except RecursionError:
        raise invalid(field, "is nested too deeply.") from None


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

    def smallest(self, schema: Json, depth: int = _MAX_DEPTH) -> Json:
        """Return the plainest valid value.

        Raises:
            UnsatisfiableSchemaError: None was found.
        """
        if schema is not False and depth >= 0:
            for value in self._candidates(self.resolve(schema), depth):
                if self.accepts(schema, value):
                    return value
        raise UnsatisfiableSchemaError("No valid value was found.")

    def _candidates(self, schema: dict[str, Any], depth: int) -> Iterator[Json]:
        if "const" in schema:
            yield schema["const"]
        yield from schema.get("enum", ())
        if "default" in schema:
            yield schema["default"]
        for keyword in ("anyOf", "oneOf"):
            rest = {key: value for key, value in schema.items() if key != keyword}
            for branch in schema.get(keyword, ()) if depth > 0 else ():
                yield from self._candidates(self.resolve({"allOf": [rest, branch]}), depth - 1)
        for name in types_of(schema) or ("string", "object", "array", "number", "boolean", "null"):
            match name:
                case "null":
                    yield None
                case "boolean":
                    yield from (False, True)
                case "string":
                    yield from _texts(schema)
                case "integer" | "number":
                    yield from _numbers(schema, integers=name == "integer")
                case "array":
                    yield from self._arrays(schema, depth)
                case "object":
                    yield from self._objects(schema, depth)

    def _arrays(self, schema: dict[str, Any], depth: int) -> Iterator[Json]:
        try:
            count = schema.get("minItems", 0)
            items = [self.smallest(part, depth - 1) for part in schema.get("prefixItems", ())]
            items = items[:count]
            if "contains" in schema:
                part = {"allOf": [schema["contains"], schema.get("items", True)]}
                items += [self.smallest(part, depth - 1)] * schema.get("minContains", 1)
            if len(items) < count:
                first = self.smallest(schema.get("items", True), depth - 1)
                if not schema.get("uniqueItems"):
                    items += [first] * (count - len(items))
                for value in self._variants(schema.get("items", True), first):
                    if len(items) < count and value not in items:
                        items.append(value)
            yield items
        except UnsatisfiableSchemaError:
            return

    def _variants(self, schema: Json, first: Json) -> Iterator[Json]:
        """Yield a value and others like it, as far as the schema accepts them."""
        step = self.resolve(schema).get("multipleOf") or 1
        options = [first, *self.resolve(schema).get("enum", ()), False, True]
        for number in range(1, _MAX_VARIANTS):
            if isinstance(first, str):
                options += [f"{first}{number}", f"{number}{first}"[: len(first)]]
            elif isinstance(first, (int, float)):
                options += [first + number * step, first - number * step]
            elif isinstance(first, dict):
                options += [{**first, key: number} for key in first]
                options += [{**first, key: f"{one}{number}"} for key, one in first.items()]
        yield from (value for value in options if self.accepts(schema, value))

    def _objects(self, schema: dict[str, Any], depth: int) -> Iterator[Json]:
        properties = schema.get("properties", {})
        free = schema.get("additionalProperties", True)
        names = iter(
            [
                *properties,
                *filter(None, map(sample, schema.get("patternProperties", {}))),
                *(_FILLER[:3] + str(number) for number in range(_MAX_VARIANTS)),
            ]
        )
        try:
            made = {
                key: self.smallest(properties.get(key, free), depth - 1)
                for key in schema.get("required", ())
            }
            yield dict(made)
            while len(made) < schema.get("minProperties", 0):
                key = next(names)
                made.setdefault(key, self.smallest(properties.get(key, free), depth - 1))
            yield made
        except (UnsatisfiableSchemaError, StopIteration):
            return


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


def _texts(schema: Mapping[str, Any]) -> Iterator[str]:
    if schema.get("format") in _FORMATS:
        yield _FORMATS[schema["format"]]
    shortest = min(schema.get("minLength", 0), _MAX_TEXT)
    if "pattern" in schema:
        text = sample(schema["pattern"]) or ""
        yield text
        yield from (
            text + text[-1:] * (shortest - len(text)),
            text[:1] * (shortest - len(text)) + text,
        )
    yield _FILLER
    size = max(shortest, min(schema.get("maxLength", len(_FILLER)), len(_FILLER)))
    yield (_FILLER * (size // len(_FILLER) + 1))[:size]


def _numbers(schema: Mapping[str, Any], *, integers: bool) -> Iterator[float]:
    lows = [schema[key] for key in ("minimum", "exclusiveMinimum") if key in schema]
    highs = [schema[key] for key in ("maximum", "exclusiveMaximum") if key in schema]
    step = Fraction(str(schema.get("multipleOf") or 1))
    if integers and step.denominator != 1:
        step = Fraction(step.numerator)
    start = Fraction(str(max(lows))) if lows else Fraction(0)
    if highs:
        start = min(start, Fraction(str(min(highs))))
    first = math.ceil(start / step) * step
    for value in (Fraction(1), Fraction(0), first, first + step, first - step):
        yield int(value) if value.denominator == 1 else float(value)
    if not integers:
        edges = [float(edge) for edge in (*lows, *highs)]
        yield from (edge + shift for edge in edges for shift in (0, 0.5, -0.5, 0.001, -0.001))
        yield sum(edges) / max(len(edges), 1)


def sample(pattern: str) -> str | None:
    """Return the shortest text that matches a regular expression, or None."""
    try:
        text = "".join(map(_sampled, regex_parser.parse(pattern)))
        return text if re.search(pattern, text) else None
    except (ValueError, OverflowError, RecursionError, re.error):
        return None


def _sampled(node: tuple[Any, Any]) -> str:
    kind, value = str(node[0]), node[1]
    match kind:
        case "LITERAL":
            return str(chr(value))
        case "NOT_LITERAL":
            return "a" if value != ord("a") else "b"
        case "ANY":
            return "a"
        case "AT" | "ASSERT" | "ASSERT_NOT":
            return ""
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return "".join(map(_sampled, value[2])) * min(int(value[0]), _MAX_TEXT)
        case "SUBPATTERN" | "ATOMIC_GROUP":
            return "".join(map(_sampled, value[-1] if kind == "SUBPATTERN" else value))
        case "BRANCH":
            return "".join(map(_sampled, value[1][0]))
        case "IN":
            return next((c for c in _CHARACTERS if _is_in(c, value)), "")
    raise ValueError(f"no sample for {kind}")


_CHARACTERS: Final = "a0A-_ .:/@#," + "".join(map(chr, range(33, 127))) + "\n\u00e9\u4e00"


def _is_in(character: str, parts: Sequence[tuple[Any, Any]]) -> bool:
    negated = str(parts[0][0]) == "NEGATE"
    return negated != any(_is_part(character, part) for part in parts[negated:])


def _is_part(character: str, part: tuple[Any, Any]) -> bool:
    kind, value = str(part[0]), part[1]
    if kind == "LITERAL":
        return bool(ord(character) == value)
    if kind == "RANGE":
        return bool(value[0] <= ord(character) <= value[1])
    classes = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}
    name = str(value).removeprefix("CATEGORY_")
    is_negated = name.startswith("NOT_")
    return is_negated != bool(re.match(classes[name.removeprefix("NOT_")], character))
