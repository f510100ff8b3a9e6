"""Values for a schema: literals of prompt and tool results, else the smallest valid value."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from runcrate_emulator.chat.json_schema import Json, Schemas, UnsatisfiableSchemaError, types_of
from runcrate_emulator.chat.literals import Literals
from runcrate_emulator.chat.plain_values import FILLER, PlainValues

_MAX_DEPTH: Final = 12  # levels of nesting after which a recursive schema is given up
_LITERAL_DEPTH: Final = 6  # levels of nesting that get literals
_MAX_VARIANTS: Final = 64
_ALL_TYPES: Final = ("string", "object", "array", "number", "boolean", "null")


class _Field(NamedTuple):
    """A place of a schema; below a resolved one, `schema` has no references."""

    name: str
    schema: Json
    depth: int
    required: bool = True

    def inner(self, name: str, schema: Json, *, required: bool = True) -> "_Field":
        return _Field(name, schema, self.depth - 1, required)


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
        self._schemas = Schemas(schema)
        self._root = _Field("", schema, _MAX_DEPTH)
        self._literals = Literals(texts, results)
        self._plain = PlainValues()

    def value(self) -> Json:
        """Return a valid value.

        Raises:
            UnsatisfiableSchemaError: No valid value was found.
        """
        return self._first(self._root)

    def _first(self, field: _Field) -> Json:
        """The first valid candidate; for an optional field only a literal."""
        for value in self._valid(self._literals, field):
            if isinstance(value, (str, int, float)):
                self._literals.used.add(value)
            return value
        for value in self._valid(self._plain, field) if field.required else ():
            return value
        raise UnsatisfiableSchemaError("No valid value was found.")

    def _valid(self, source: Literals | PlainValues, field: _Field) -> Iterator[Json]:
        if field.schema is not False and field.depth >= 0:
            resolved = field._replace(schema=self._schemas.resolve(field.schema))
            for value in self._candidates(source, resolved):
                if self._schemas.accepts(field.schema, value):
                    yield value

    def _candidates(self, source: Literals | PlainValues, field: _Field) -> Iterator[Json]:
        schema, required = field.schema, field.required
        is_plain = source is self._plain
        if field.depth < (0 if is_plain else _MAX_DEPTH - _LITERAL_DEPTH):
            return
        if "const" in schema or "enum" in schema:
            yield from source.choices([schema["const"]] if "const" in schema else schema["enum"])
            return
        if is_plain and "default" in schema:
            yield schema["default"]
        for keyword in ("anyOf", "oneOf"):
            rest = {key: value for key, value in schema.items() if key != keyword}
            for branch in schema.get(keyword, ()):
                both = self._schemas.resolve({"allOf": [rest, branch]})
                yield from self._candidates(
                    source, field._replace(schema=both, depth=field.depth - 1)
                )
        for kind in types_of(schema) or (_ALL_TYPES if is_plain else ()):
            match kind:
                case "null" | "boolean" if is_plain:
                    yield from (None,) if kind == "null" else (False, True)
                case "string":
                    yield from source.strings(field.name, schema, required=required)
                case "integer" | "number":
                    yield from source.numbers(field.name, schema, required=required)
                case "array" if required:
                    yield from self._arrays(source, field)
                case "object":
                    yield from self._objects(field)

    def _objects(self, field: _Field) -> Iterator[Json]:
        """With the optional members that literals fit, with the required ones, with more."""
        schema = field.schema
        properties, required = schema.get("properties", {}), schema.get("required", ())
        free = schema.get("additionalProperties", True)
        names = dict.fromkeys([*properties, *required])
        more = (f"{FILLER[:3]}{number}" for number in range(_MAX_VARIANTS))
        members: dict[str, Json] = {}
        with suppress(UnsatisfiableSchemaError):
            for key in names:
                is_required = key in required
                try:
                    inner = field.inner(key, properties.get(key, free), required=is_required)
                    members[key] = self._first(inner)
                except UnsatisfiableSchemaError:
                    if is_required:
                        raise
            yield dict(members)
            made = {key: members[key] for key in names if key in required}
            yield dict(made)
            for key in (*properties, *more):
                if len(made) < schema.get("minProperties", 0) and key not in made:
                    made[key] = self._first(field.inner(key, properties.get(key, free)))
            yield made

    def _arrays(self, source: Literals | PlainValues, field: _Field) -> Iterator[Json]:
        schema = field.schema
        item = field.inner(field.name, schema.get("items", True))
        count = schema.get("minItems", 0)
        with suppress(UnsatisfiableSchemaError):
            if source is self._literals:
                resolved = item._replace(schema=self._schemas.resolve(item.schema))
                yield list(self._candidates(source, resolved))
                yield [self._first(item)] * max(count, 1)
                return
            first = schema.get("prefixItems", ())[:count]
            made = [self._first(field.inner("", part)) for part in first]
            if schema.get("uniqueItems"):
                for value in self._valid(self._plain, item):
                    made += [value] if len(made) < count and value not in made else []
            elif len(made) < count:
                made += [self._first(item)] * (count - len(made))
            yield made
