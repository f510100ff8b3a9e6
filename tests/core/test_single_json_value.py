"""The JSON value of a reply is complete and the only one, or there is an error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcrate_core.protocol.json_output import JsonOutputError, echoes_schema, parse_json_output

VALUE = {"name": "a", "steps": [{"x": 1}, {"x": [2, {"y": "}"}]}], "note": "{"}
TEXT = json.dumps(VALUE)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"  {TEXT}\n",
        f"```json\n{TEXT}\n```",
        f"Here you are [1], {{name}}:\n```\n{TEXT}\n```\nAnything else?",
        f"<think>Perhaps {{}}?</think>{TEXT}",
        f"{TEXT} Once more: {TEXT}",
    ],
)
def test_the_value_is_found(text):
    assert parse_json_output(text, finish_reason="stop") == VALUE


@given(
    st.integers(0, len(TEXT) - 1),
    st.sampled_from(["length", "max_tokens", "MAX_TOKENS", "stop", None]),
    st.sampled_from(["", "Here: ", "```json\n"]),
)
def test_a_value_cut_anywhere_is_an_error(place, finish_reason, before):
    with pytest.raises(JsonOutputError) as caught:
        parse_json_output(before + TEXT[:place], finish_reason=finish_reason)
    cut_off = finish_reason not in ("stop", None)
    assert caught.value.cut_off == cut_off
    assert ("token limit" in str(caught.value)) == cut_off


@pytest.mark.parametrize(
    "text",
    [
        'Schema: {"type": "object"}\nAnswer: {"names": ["alpha"]}',
        'An empty set {} would be wrong, so: {"names": ["alpha"]}',
        "I would rather not.",
        "",
        '{"a": NaN}',
    ],
)
def test_no_value_or_several_are_an_error(text):
    with pytest.raises(JsonOutputError):
        parse_json_output(text)


@pytest.mark.parametrize("text", ["12", "tru", f"{TEXT} That is beca", "true"])
def test_after_the_token_limit_only_a_value_with_an_end_counts(text):
    with pytest.raises(JsonOutputError, match="token limit"):
        parse_json_output(text, finish_reason="length")


def test_scalars_lists_and_closed_values():
    assert parse_json_output("12") == 12
    assert parse_json_output('[{"a": 1}]', finish_reason="length") == [{"a": 1}]
    assert parse_json_output('"\\ud83d"') == "\ufffd"


def test_an_echoed_schema_is_recognised():
    schema = {"type": "object", "properties": {"names": {"type": "array"}}}
    assert echoes_schema(schema, schema)
    assert not echoes_schema({"names": []}, schema)
    assert not echoes_schema([], schema)
    about_schemas = {"type": "object", "properties": {"properties": {}, "type": {}}}
    assert not echoes_schema({"type": "x", "properties": {}}, about_schemas)
