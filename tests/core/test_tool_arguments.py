"""A tool call is run only with the arguments that the model completed."""

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from runcrate_core.protocol.tool_arguments import (
    ToolArgumentsError,
    json_text,
    parse_tool_arguments,
    parse_tool_calls,
)
from runcrate_core.protocol.tool_names import ToolNames, wire_tool_name
from tests.json_values import json_values

OPTIONAL = {"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {}}}}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"required": ["a"]}}}


def call(arguments: object, identifier: str = "c", name: str = "f") -> dict[str, object]:
    return {"id": identifier, "function": {"name": name, "arguments": arguments}}


@given(
    st.dictionaries(st.text(), json_values(st.text()), max_size=3),
    st.data(),
    st.sampled_from(["length", "tool_calls"]),
)
def test_a_call_cut_anywhere_is_not_a_call(arguments, data, finish_reason):
    text = json.dumps(arguments, ensure_ascii=data.draw(st.booleans()))
    place = data.draw(st.integers(0, len(text)))
    [parsed] = parse_tool_calls([call(text[:place])], finish_reason=finish_reason, tools=[TOOL])
    assert parsed.arguments == (arguments if place == len(text) else None)
    assert bool(parsed.problem) == (parsed.arguments is None)
    assert parsed.text == text[:place]


@pytest.mark.parametrize("blank", ["", None, "  \n"])
def test_no_arguments_are_none_only_for_a_tool_without_required_parameters(blank):
    bare = {"type": "function", "function": {"name": "f", "parameters": {"properties": {}}}}
    for tools in ([], [bare], [OPTIONAL], [{"type": "web_search"}]):
        [parsed] = parse_tool_calls([call(blank)], finish_reason="tool_calls", tools=tools)
        assert parsed.arguments == {}
    for finish_reason in ("length", "max_tokens", "MAX_TOKENS", "model_length"):
        [cut] = parse_tool_calls([call(blank)], finish_reason=finish_reason, tools=[bare])
        assert cut.arguments is None
        assert "token limit" in cut.problem
    for tool, forced in ((TOOL, False), (OPTIONAL, True)):
        [unreadable] = parse_tool_calls(
            [call(blank)], finish_reason="stop", tools=[tool], forced=forced
        )
        assert unreadable.arguments is None
        assert "missing" in unreadable.problem


@pytest.mark.parametrize(
    "text",
    [
        *('{"a": NaN}', '{"a": [-Infinity]}', '{"a": 1e999}', "{'a': 1}"),
        *("[1]", "1", "{} {}", "[" * 10_000),
    ],
)
def test_other_than_a_json_object_is_an_error(text):
    with pytest.raises(ToolArgumentsError, match="arguments"):
        parse_tool_arguments(text)


def test_values_of_a_program_become_json():
    class Point(BaseModel):
        at: date = date(2026, 1, 2)

    values = [Decimal("1.5"), date(2026, 1, 2), {1}, (1, 2), Point(), float("nan"), "\ud83d", "é"]
    expected = ["1.5", "2026-01-02", [1], [1, 2], {"at": "2026-01-02"}, "nan", "\ufffd", "é"]
    assert json.loads(json_text({"values": values, 1: 2})) == {"values": expected, "1": 2}
    assert "é" in json_text(values)
    with pytest.raises(ValueError, match="object"):
        json_text([object()])


def test_a_call_that_names_no_tool_is_not_to_be_run():
    for odd in (call("{}", name=""), {"id": "c", "custom": {"name": "f", "input": "x"}}):
        [parsed] = parse_tool_calls([odd])
        assert (parsed.arguments, parsed.problem) == (None, "It names no tool.")


def test_signatures_of_calls_are_kept_and_no_other_members():
    signature = {"extra_content": {"google": {"thought_signature": "x"}}}
    [parsed] = parse_tool_calls([{**call("{}"), **signature, "index": 0, "rank": 1}])
    assert parsed.extras == signature
    assert parse_tool_calls([call("{}")])[0].extras == {}


def test_the_empty_object_of_gateways_before_streamed_arguments_is_left_out():
    [parsed] = parse_tool_calls([call('{}{"a": 1}')])
    assert (parsed.text, parsed.arguments) == ('{"a": 1}', {"a": 1})


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ("null", {}),
        ('"{}"', {}),
        (" {} ", {}),
        (json.dumps(json.dumps({"a": 1})), {"a": 1}),
        ({"a": 1}, {"a": 1}),
        ('{"a": "1\n2"}', {"a": "1\n2"}),
        ('{"a": "\\ud83d"}', {"a": "\ufffd"}),
    ],
)
def test_null_text_in_text_objects_line_breaks_and_half_characters_are_read(given, arguments):
    assert parse_tool_arguments(given) == arguments


def test_calls_have_ids_of_their_own():
    given = ["x", "x", "x_2", "", "odd", "", "x"]
    calls = ["odd" if one == "odd" else call("{}", one) for one in given]
    ids = ["x", "x_2", "x_2_2", "call_3", "call_5", "x_3"]
    assert [one.id for one in parse_tool_calls(calls)] == ids


@given(st.lists(st.text(min_size=1), unique=True))
def test_tool_names_go_to_the_wire_and_back(names):
    mapping = ToolNames(names)
    wires = [mapping.to_wire(name) for name in names]
    assert len(set(wires)) == len(names)
    assert [mapping.from_wire(wire) for wire in wires] == names
    assert all(wire_tool_name(wire) == wire for wire in wires)


def test_usual_names_stay_and_colliding_ones_are_kept_apart():
    assert not ToolNames(["get_weather", "a-b"])
    mapping = ToolNames(["get.weather", "get weather", "get_weather"])
    assert mapping.to_wire("get_weather") == "get_weather"
    assert len({mapping.to_wire(name) for name in ("get.weather", "get weather")}) == 2
    assert ToolNames().to_wire("") == "unnamed"
    assert ToolNames().to_wire("of.an.earlier.request") == "of_an_earlier_request"
    assert ToolNames().from_wire("unknown") == "unknown"
    for name in ("functions.get_weather", "get_weather<|channel|>json", " get_weather\n"):
        assert mapping.from_wire(name) == "get_weather"
        assert ToolNames().from_wire(name) == name
    long = [wire_tool_name("x" * 70 + end) for end in "ab"]
    assert len({*long, *(len(name) for name in long)}) == 3
