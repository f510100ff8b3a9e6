"""Values for a schema: literals of prompt and tool results, else the smallest valid value."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from runcrate_emulator.chat.json_schema import Json, Schemas, UnsatisfiableSchemaError, types_of
from runcrate_emulator.chat.literals import Literals
from runcrate_emulator.chat.plain_values import FILLER, PlainValues

_MAX_DEPTH: Final = 12
"""Levels of nesting after which a recursive schema is given up."""
_LITERAL_DEPTH: Final = 6
"""Levels of nesting that get literals."""
_MAX_VARIANTS: Final = 64
_ALL_TYPES: Final = ("string", "object", "array", "number", "boolean", "null")


class Arguments:
    """Fills a schema.

    Args:
        schema: The JSON schema.
        texts: Texts that may hold literals, the most relevant first.
        results: Tool results, oldest first.
    """

    def __init__(
        self, schema: Json, texts: Sequence[str] = (), results: Sequence[str] = ()
    ) -> None:
        self._schema = schema
        self._schemas = Schemas(schema)
        self._literals = Literals(texts, results)
        self._plain = PlainValues()

    def value(self) -> Json:
        """Return a valid value.

        Raises:
            UnsatisfiableSchemaError: No valid value was found.
        """
        return self._first("", self._schema, _MAX_DEPTH)

    def _first(self, name: str, schema: Json, depth: int, *, required: bool = True) -> Json:
        """The first valid candidate; for an optional field only a literal."""
        for value in self._valid(self._literals, name, schema, depth, required=required):
            if isinstance(value, (str, int, float)):
                self._literals.used.add(value)
            return value
        for value in self._valid(self._plain, name, schema, depth) if required else ():
            return value
        raise UnsatisfiableSchemaError("No valid value was found.")

    def _valid(
        self,
        source: Literals | PlainValues,
        name: str,
        schema: Json,
        depth: int,
        *,
        required: bool = True,
    ) -> Iterator[Json]:
        if schema is not False and depth >= 0:
            resolved = self._schemas.resolve(schema)
            for value in self._candidates(source, name, resolved, depth, required=required):
                if self._schemas.accepts(schema, value):
                    yield value

    def _candidates(
        self,
        source: Literals | PlainValues,
        name: str,
        schema: dict[str, Any],
        depth: int,
        *,
        required: bool = True,
    ) -> Iterator[Json]:
        is_plain = source is self._plain
        if depth < (0 if is_plain else _MAX_DEPTH - _LITERAL_DEPTH):
            return
        if "const" in schema or "enum" in schema:
            yield from source.choices([schema["const"]] if "const" in schema else schema["enum"])
            return
        if is_plain and "default" in schema:
            yield schema["default"]
        for keyword in ("anyOf", "oneOf"):
            rest = {key: value for key, value in schema.items() if key != keyword}
            for branch in schema.get(keyword, ()):
                inner = self._schemas.resolve({"allOf": [rest, branch]})
                yield from self._candidates(source, name, inner, depth - 1, required=required)
        for kind in types_of(schema) or (_ALL_TYPES if is_plain else ()):
            match kind:
                case "null" | "boolean" if is_plain:
                    yield from (None,) if kind == "null" else (False, True)
                case "string":
                    yield from source.strings(name, schema, required=required)
                case "integer" | "number":
                    yield from source.numbers(name, schema, required=required)
                case "array" if required:
                    yield from self._arrays(source, name, schema, depth)
                case "object":
                    yield from self._objects(schema, depth)

    def _objects(self, schema: dict[str, Any], depth: int) -> Iterator[Json]:
        """With the optional members that literals fit, with the required ones, with more."""
        properties, required = schema.get("properties", {}), schema.get("required", ())
        free = schema.get("additionalProperties", True)
        more = iter([*properties, *(f"{FILLER[:3]}{number}" for number in range(_MAX_VARIANTS))])
        made, optional = {}, {}
        with suppress(UnsatisfiableSchemaError, StopIteration):
            for key in dict.fromkeys([*properties, *required]):
                if key in required:
                    made[key] = self._first(key, properties.get(key, free), depth - 1)
                else:
                    with suppress(UnsatisfiableSchemaError):
                        inner = properties[key]
                        optional[key] = self._first(key, inner, depth - 1, required=False)
            full = made | optional
            yield {key: full[key] for key in (*properties, *required) if key in full}
            yield dict(made)
            while len(made) < schema.get("minProperties", 0):
                key = next(more)
                if key not in made:
                    made[key] = self._first(key, properties.get(key, free), depth - 1)
            yield made

    def _arrays(
        self, source: Literals | PlainValues, name: str, schema: dict[str, Any], depth: int
    ) -> Iterator[Json]:
        item, count = schema.get("items", True), schema.get("minItems", 0)
        with suppress(UnsatisfiableSchemaError):
            if source is self._literals:
                inner = self._schemas.resolve(item)
                yield list(self._candidates(source, name, inner, depth - 1))
                yield [self._first(name, item, depth - 1)] * max(count, 1)
                return
            made = [self._first("", part, depth - 1) for part in schema.get("prefixItems", ())]
            made = made[:count]
            if schema.get("uniqueItems"):
                for value in self._valid(self._plain, name, item, depth - 1):
                    made += [value] if len(made) < count and value not in made else []
            elif len(made) < count:
                made += [self._first(name, item, depth - 1)] * (count - len(made))
            yield made
