"""JSON schemas: the smallest valid value, and values with literals of a text."""

from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runcrate_emulator.chat.arguments import Arguments
from runcrate_emulator.chat.json_schema import UnsatisfiableSchemaError

NAMES = ("name", "age", "city", "price_usd", "tags", "is_open", "summary", "email", "when", "x")
TEXTS = (
    "",
    "Anna Smith is 42 and lives in Oslo; write to anna@example.com.",
    "Rent 3 machines under $2 per hour from 2026-03-01, named 'box'.",
    "价格 是 12 元",
)


RESULTS = ("", "done", '{"id": "x-1", "name": "Anna", "age": 7, "tags": ["a"]}', '[{"x": 1}]')


def numbers() -> st.SearchStrategy[dict[str, Any]]:
    limits = st.integers(-50, 50)
    return st.one_of(
        st.builds(lambda kind: {"type": kind}, st.sampled_from(["integer", "number"])),
        st.builds(
            lambda kind, low, size: {"type": kind, "minimum": low, "maximum": low + size},
            st.sampled_from(["integer", "number"]),
            limits,
            st.integers(0, 9),
        ),
        st.builds(lambda low: {"type": "number", "exclusiveMinimum": low}, limits),
        st.builds(
            lambda low, step: {"type": "integer", "minimum": low, "multipleOf": step},
            limits,
            st.integers(1, 9),
        ),
    )


def texts() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.just({"type": "string"}),
        st.builds(
            lambda least, more: {"type": "string", "minLength": least, "maxLength": least + more},
            st.integers(0, 30),
            st.integers(0, 10),
        ),
        st.sampled_from(
            [
                {"type": "string", "format": name}
                for name in ("date", "date-time", "email", "uri", "uuid", "ipv4", "time")
            ]
        ),
        st.lists(st.text(max_size=5), min_size=1, max_size=4, unique=True).map(
            lambda options: {"enum": options}
        ),
    )


def leaves() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        numbers(),
        texts(),
        st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"const": 7}, {}]),
        st.just({"type": ["string", "null"]}),
    )


def _object(properties: dict[str, Any], required: set[str], *, closed: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": sorted(required & set(properties)),
    }
    if closed:
        made["additionalProperties"] = False
    return made


def branches(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(
            _object,
            st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
            st.sets(st.sampled_from(NAMES)),
            closed=st.booleans(),
        ),
        st.builds(
            lambda item, least, more: {
                "type": "array",
                "items": item,
                "minItems": least,
                "maxItems": least + more,
            },
            inner,
            st.integers(0, 3),
            st.integers(0, 3),
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
        inner.map(lambda part: {"anyOf": [part, {"type": "null"}]}),
        inner.map(lambda part: {"allOf": [part]}),
        inner.map(lambda part: {"$ref": "#/$defs/Part", "$defs": {"Part": part}}),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda parts: {"type": "array", "prefixItems": parts}
        ),
    )


def schemas() -> st.SearchStrategy[Any]:
    return st.recursive(leaves(), branches, max_leaves=12)


def without_inner_definitions(schema: Any) -> bool:
    """`$defs` below the root would need a reference from the root; only those are drawn there."""
    if isinstance(schema, dict):
        return all(
            "$ref" not in value and without_inner_definitions(value)
            for value in schema.values()
            if isinstance(value, dict)
        ) and all(
            "$ref" not in item and without_inner_definitions(item)
            for value in schema.values()
            if isinstance(value, list)
            for item in value
            if isinstance(item, dict)
        )
    return True


DRAWN = schemas().filter(without_inner_definitions)
QUICK = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


@QUICK
@given(DRAWN)
def test_the_smallest_value_is_valid(schema):
    jsonschema.Draft202012Validator(schema).validate(Arguments(schema).value())


@QUICK
@given(DRAWN, st.sampled_from(TEXTS), st.sampled_from(RESULTS))
def test_a_value_with_literals_of_a_text_is_valid(schema, text, result):
    jsonschema.Draft202012Validator(schema).validate(Arguments(schema, [text], [result]).value())


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"enum": []},
        {
            "$ref": "#/$defs/N",
            "$defs": {
                "N": {
                    "type": "object",
                    "required": ["next"],
                    "properties": {"next": {"$ref": "#/$defs/N"}},
                }
            },
        },
    ],
)
def test_a_schema_that_nothing_satisfies_is_given_up(schema):
    with pytest.raises(UnsatisfiableSchemaError):
        Arguments(schema).value()


def test_a_recursive_schema_ends():
    schema = {
        "$ref": "#/$defs/Node",
        "$defs": {
            "Node": {
                "type": "object",
                "required": ["value", "children"],
                "properties": {
                    "value": {"type": "string"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                },
            }
        },
    }
    value = Arguments(schema, ["A tree"], []).value()
    jsonschema.Draft202012Validator(schema).validate(value)
