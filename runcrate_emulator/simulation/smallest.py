"""The plainest value that satisfies a JSON schema, for parts that the prompt says nothing about."""

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

from runcrate_emulator.simulation.patterns import sample
from runcrate_emulator.simulation.schema import Json, Schemas, same, types_of

_DEEPEST: Final = 12
"""Levels of nesting after which a recursive schema is given up."""
_FORMATS: Final[Mapping[str, str]] = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "nobody@example.com",
    "idn-email": "nobody@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uri-reference": "/",
    "iri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "json-pointer": "",
    "regex": "",
}
_FILLER: Final = "unknown"
_VARIANTS: Final = 64


class Unsatisfiable(ValueError):  # noqa: N818 - it names the state of the schema
    """No valid value was found; the schema contradicts itself or is beyond this module's means."""


def smallest(schemas: Schemas, schema: Json) -> Json:
    """The plainest valid value.

    Raises:
        Unsatisfiable: None was found.
    """
    return _Maker(schemas).make(schema, _DEEPEST)


class _Maker:
    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    def make(self, schema: Json, depth: int) -> Json:
        if schema is False or depth < 0:
            raise Unsatisfiable("No value is valid here.")
        found = self._schemas.resolved(schema)
        for value in self._candidates(found, depth):
            if self._schemas.accepts(schema, value):
                return value
        raise Unsatisfiable("No valid value was found.")

    def _candidates(self, found: dict[str, Any], depth: int) -> Iterator[Json]:
        if "const" in found:
            yield found["const"]
        yield from found.get("enum", ())
        if "default" in found:
            yield found["default"]
        for keyword in ("anyOf", "oneOf"):
            rest = {key: value for key, value in found.items() if key != keyword}
            for branch in found.get(keyword, ()):
                merged = self._schemas.resolved({"allOf": [rest, branch]})
                yield from self._tried(merged, depth - 1)
        for name in types_of(found) or ("string", "object", "array", "number", "boolean", "null"):
            yield from self._of_type(name, found, depth)

    def _tried(self, found: dict[str, Any], depth: int) -> Iterator[Json]:
        if depth >= 0:
            yield from self._candidates(found, depth)

    def _of_type(self, name: str, found: dict[str, Any], depth: int) -> Iterator[Json]:
        if name == "null":
            yield None
        elif name == "boolean":
            yield from (False, True)
        elif name == "string":
            yield from _texts(found)
        elif name in {"integer", "number"}:
            yield from _numbers(found, whole=name == "integer")
        elif name == "array":
            yield from self._arrays(found, depth)
        elif name == "object":
            yield from self._objects(found, depth)

    def _arrays(self, found: dict[str, Any], depth: int) -> Iterator[Json]:
        try:
            items = [self.make(part, depth - 1) for part in found.get("prefixItems", ())]
            wanted = max(found.get("minItems", 0), 0)
            made = items[:wanted]
            if "contains" in found:
                one = self.make({"allOf": [found["contains"], found.get("items", True)]}, depth - 1)
                made = [*made, *[one] * found.get("minContains", 1)]
            rest = found.get("items", True)
            unique = found.get("uniqueItems", False)
            for value in self._varied(rest, depth - 1) if wanted > len(made) else ():
                if len(made) < wanted and not (unique and any(same(value, old) for old in made)):
                    made.append(value)
            while made and not unique and len(made) < wanted:
                made.append(made[-1])
            yield made
        except Unsatisfiable:
            return

    def _varied(self, schema: Json, depth: int) -> Iterator[Json]:
        """Valid values that differ from each other as long as the schema allows."""
        first = self.make(schema, depth)
        yield first
        found = self._schemas.resolved(schema)
        for number in range(1, _VARIANTS):
            options = [*found.get("enum", ()), *_variations(first, number, found)]
            for value in options:
                if self._schemas.accepts(schema, value):
                    yield value

    def _objects(self, found: dict[str, Any], depth: int) -> Iterator[Json]:
        properties = found.get("properties", {})
        made: dict[str, Json] = {}
        try:
            for key in found.get("required", ()):
                made[key] = self.make(self._property(found, key), depth - 1)
        except Unsatisfiable:
            return
        yield dict(made)
        least = found.get("minProperties", len(made))
        for key in [*properties, *self._free_names(found)]:
            if len(made) >= least:
                break
            try:
                made.setdefault(key, self.make(self._property(found, key), depth - 1))
            except Unsatisfiable:
                continue
        yield made

    def _property(self, found: dict[str, Any], key: str) -> Json:
        if key in found.get("properties", {}):
            return found["properties"][key]
        return found.get("additionalProperties", True)

    def _free_names(self, found: dict[str, Any]) -> Iterator[str]:
        for pattern in found.get("patternProperties", {}):
            if name := sample(pattern):
                yield name
        names = found.get("propertyNames", True)
        for value in self._varied({"allOf": [names, {"type": "string"}]}, 1):
            if not isinstance(value, str):
                return
            yield value
            if not value:
                yield from (f"key{number}" for number in range(_VARIANTS))
                return
            yield from (f"{value}{number}" for number in range(_VARIANTS))
            return


def _variations(value: Json, number: int, found: Mapping[str, Any]) -> Iterator[Json]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, (int, float)):
        step = found.get("multipleOf") or 1
        yield from (value + number * step, value - number * step)
    elif isinstance(value, str):
        yield from (f"{value}{number}", f"{number}{value[len(str(number)) :]}")
        yield from (value[:-1] + chr(ord("a") + number % 26), value + "a" * number)
    elif isinstance(value, list):
        yield [*value, *[number] * number]
        yield [*value, *[None] * number]
    elif isinstance(value, dict):
        yield {**value, f"key{number}": number}
        for key in value:
            for changed in _variations(value[key], number, {}):
                yield {**value, key: changed}


def _texts(found: Mapping[str, Any]) -> Iterator[str]:
    if "format" in found and found["format"] in _FORMATS:
        yield _FORMATS[found["format"]]
    if "pattern" in found:
        short = sample(found["pattern"]) or ""
        yield short
        missing = found.get("minLength", 0) - len(short)
        if short and missing > 0:
            yield short + short[-1] * missing
            yield short[0] * missing + short
    least, most = found.get("minLength", 0), found.get("maxLength", math.inf)
    yield _FILLER
    yield "".join(_FILLER[at % len(_FILLER)] for at in range(int(min(max(least, 1), most))))
    yield ""


def _numbers(found: Mapping[str, Any], *, whole: bool) -> Iterator[float]:
    low, high = _bounds(found)
    step = Fraction(str(found.get("multipleOf") or 1))
    if whole and step.denominator != 1:
        step = Fraction(step.numerator)
    start = Fraction(0) if low is None else Fraction(str(low))
    if high is not None and start > Fraction(str(high)):
        start = Fraction(str(high))
    first = -(-start // step) * step
    for value in (
        *(one for one in (Fraction(1), Fraction(0)) if step == 1),
        first,
        first + step,
        first - step,
    ):
        yield int(value) if value.denominator == 1 else float(value)
    if not whole:
        edges = [float(edge) for edge in (low, high) if edge is not None]
        yield from edges
        if len(edges) > 1:
            yield sum(edges) / 2
        yield from (edge + shift for edge in edges for shift in (0.5, -0.5, 0.001, -0.001))


def _bounds(found: Mapping[str, Any]) -> tuple[float | None, float | None]:
    lows = [found[key] for key in ("minimum", "exclusiveMinimum") if _is_limit(found.get(key))]
    highs = [found[key] for key in ("maximum", "exclusiveMaximum") if _is_limit(found.get(key))]
    return (max(lows) if lows else None, min(highs) if highs else None)


def _is_limit(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
