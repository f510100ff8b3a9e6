"""JSON schemas: the smallest valid value, and values with literals of a text."""

import itertools

import jsonschema
import pytest

from runcrate_emulator.chat.arguments import Arguments
from runcrate_emulator.chat.json_schema import UnsatisfiableSchemaError

NODE = {
    "type": "object",
    "required": ["value", "children"],
    "properties": {
        "value": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
    },
}
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0},
        "tags": {"type": "array", "items": {"type": "string"}},
        "when": {"type": "string", "format": "date"},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
LEAVES = [
    {},
    {"type": "string"},
    {"type": "string", "minLength": 30, "maxLength": 31},
    {"type": "string", "maxLength": 2},
    {"type": "string", "pattern": "^[0-9]+$"},
    *({"type": "string", "format": name} for name in ("date", "date-time", "email", "uri", "uuid")),
    {"type": "integer"},
    {"type": "integer", "minimum": -7, "maximum": -5},
    {"type": "integer", "minimum": 10, "multipleOf": 7},
    {"type": "number", "exclusiveMinimum": 41},
    {"type": "number", "minimum": 0.5, "maximum": 0.75},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["string", "null"]},
    {"const": 7},
    {"enum": ["red", "green"]},
]
SCHEMAS = [
    *LEAVES,
    PERSON,
    {"$ref": "#/$defs/Node", "$defs": {"Node": NODE}},
    {"allOf": [PERSON, {"required": ["tags"]}]},
    {"anyOf": [{"type": "integer", "minimum": 5, "maximum": 4}, {"type": "string"}]},
    {"oneOf": [{"type": "string"}, {"type": "null"}]},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2},
    *({"type": "array", "items": leaf, "minItems": 2, "maxItems": 3} for leaf in LEAVES),
    *({"type": "object", "required": ["x"], "properties": {"x": leaf}} for leaf in LEAVES),
    *({"anyOf": [leaf, {"type": "null"}]} for leaf in LEAVES),
]
TEXTS = [
    "Anna Smith is 42 and lives in Oslo; write to anna@example.com.",
    "Rent 3 machines under $2 per hour from 2026-03-01, named 'box'.",
    "价格 是 12 元",
]
RESULTS = ["done", '{"id": "x-1", "name": "Anna", "age": 7, "tags": ["a"]}', '[{"x": 1}]']


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_values_are_valid_with_and_without_literals(schema):
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(Arguments(schema).value())
    for text, result in itertools.product(TEXTS, RESULTS):
        validator.validate(Arguments(schema, [text], [result]).value())


ENDLESS = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/$defs/N"}}}


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"enum": []},
        {"$ref": "#/$defs/N", "$defs": {"N": ENDLESS}},
    ],
)
def test_a_schema_that_nothing_satisfies_is_given_up(schema):
    with pytest.raises(UnsatisfiableSchemaError):
        Arguments(schema).value()
