"""Values for a schema: literals of prompt and tool results, else the smallest valid value."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from runcrate_emulator.chat.json_schema import Json, Schemas, UnsatisfiableSchemaError, types_of
from runcrate_emulator.chat.literals import Literals

_MAX_DEPTH: Final = 12  # levels of nesting after which a recursive schema is given up
_LITERAL_DEPTH: Final = 6  # levels of nesting that get literals
_MAX_TEXT: Final = 100_000  # characters; a longer `minLength` is not worth the memory
_ALL_TYPES: Final = ("string", "object", "array", "number", "boolean", "null")
_FILLER: Final = "simulated"
_FORMATS: Final[Mapping[str, str]] = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "nobody@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class _Field(NamedTuple):
    """A place of a schema."""

    name: str
    schema: Json
    depth: int = 0
    required: bool = True


class Arguments:
    """Fills a schema; of the texts the most relevant is the first, results come oldest first."""

    def __init__(
        self, schema: Json, texts: Sequence[str] = (), results: Sequence[str] = ()
    ) -> None:
        self._schemas = Schemas(schema)
        self._root = _Field("", schema)
        self._literals = Literals(texts, results)

    def value(self) -> Json:
        """Return a valid value, or raise UnsatisfiableSchemaError."""
        return self._first(self._root)

    def _first(self, field: _Field) -> Json:
        """The first valid candidate; for an optional field only a literal."""
        for is_literal in (True, False) if field.required else (True,):
            for value in self._candidates(field, is_literal=is_literal):
                if self._schemas.accepts(field.schema, value):
                    if is_literal and isinstance(value, (str, int, float)):
                        self._literals.used.add(value)
                    return value
        raise UnsatisfiableSchemaError("No valid value was found.")

    def _candidates(self, field: _Field, *, is_literal: bool) -> Iterator[Json]:
        if field.schema is False or field.depth > (_LITERAL_DEPTH if is_literal else _MAX_DEPTH):
            return
        schema = self._schemas.resolve(field.schema)
        if "const" in schema or "enum" in schema:
            options = [schema["const"]] if "const" in schema else schema["enum"]
            yield from self._literals.choices(options) if is_literal else options
            return
        if not is_literal and "default" in schema:
            yield schema["default"]
        for keyword in ("anyOf", "oneOf"):
            rest = {key: value for key, value in schema.items() if key != keyword}
            for branch in schema.get(keyword, ()):
                both = field._replace(schema={"allOf": [rest, branch]}, depth=field.depth + 1)
                yield from self._candidates(both, is_literal=is_literal)
        for kind in types_of(schema) or (() if is_literal else _ALL_TYPES):
            if kind == "object":
                yield from self._objects(field, schema)
            elif kind == "array":
                yield from self._arrays(field, schema, is_literal=is_literal)
            elif is_literal and kind == "string":
                yield from self._literals.strings(field.name, schema, required=field.required)
            elif is_literal and kind in ("integer", "number"):
                yield from self._literals.numbers(field.name, required=field.required)
            elif not is_literal:
                yield from _smallest(kind, schema)

    def _objects(self, field: _Field, schema: Mapping[str, Any]) -> Iterator[Json]:
        """With the optional members that literals fit, then with the required ones alone."""
        properties, required = schema.get("properties", {}), schema.get("required", ())
        free = schema.get("additionalProperties", True)
        members: dict[str, Json] = {}
        with suppress(UnsatisfiableSchemaError):
            for key in dict.fromkeys([*properties, *required]):
                inner = _Field(key, properties.get(key, free), field.depth + 1, key in required)
                try:
                    members[key] = self._first(inner)
                except UnsatisfiableSchemaError:
                    if inner.required:
                        raise
            yield members
            yield {key: value for key, value in members.items() if key in required}

    def _arrays(
        self, field: _Field, schema: Mapping[str, Any], *, is_literal: bool
    ) -> Iterator[Json]:
        if not field.required:
            return
        item = _Field(field.name, schema.get("items", True), field.depth + 1)
        count = schema.get("minItems", 0)
        with suppress(UnsatisfiableSchemaError):
            if is_literal:
                yield list(self._candidates(item, is_literal=True))
                yield [self._first(item)] * max(count, 1)
                return
            first = schema.get("prefixItems", ())[:count]
            made = [self._first(_Field("", part, field.depth + 1)) for part in first]
            yield made + [self._first(item) for _ in range(len(made), count)][:count]


def _smallest(kind: str, schema: Mapping[str, Any]) -> Iterator[Json]:
    match kind:
        case "null":
            yield None
        case "boolean":
            yield from (False, True)
        case "string":
            yield from _short_texts(schema)
        case _:
            yield from _small_numbers(schema)


def _short_texts(schema: Mapping[str, Any]) -> Iterator[str]:
    """Short texts of a schema's format and length, and a few that match simple patterns."""
    yield _FORMATS.get(schema.get("format", ""), _FILLER)
    shortest = min(schema.get("minLength", 0), _MAX_TEXT)
    size = max(shortest, min(schema.get("maxLength", len(_FILLER)), len(_FILLER)))
    yield (_FILLER * (size // len(_FILLER) + 1))[:size]
    yield from (_FILLER, "1", "A", "a", *_FORMATS.values())


def _small_numbers(schema: Mapping[str, Any]) -> Iterator[float]:
    """Small numbers within a schema's limits."""
    step = schema.get("multipleOf", 1)
    yield from (1, 0, step)
    for key, side in (("minimum", 1), ("maximum", -1)):
        for limit in (schema.get(key), schema.get(f"exclusive{key.capitalize()}")):
            if limit is not None and math.isfinite(limit):
                first = side * math.ceil(side * limit / step) * step
                yield from (first, first + side * step, limit, limit + side * 0.001)
