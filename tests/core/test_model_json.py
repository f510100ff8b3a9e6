"""JSON that a model wrote is read strictly: cut anywhere, it is not read at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcrate_core.toolkit import decode_json, load_json, parse_arguments, repair_text

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=5)


@given(value=OBJECTS, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_a_complete_object_is_itself_and_a_cut_one_is_unreadable(
    value: dict[str, Any], ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert parse_arguments(text) == value
    assert parse_arguments(json.dumps(text)) == value
    assert all(parse_arguments(text[:end]) is None for end in range(1, len(text)))
    assert all(parse_arguments(json.dumps(text)[:end]) is None for end in range(1, len(text)))


@pytest.mark.parametrize("arguments", [None, "", "  ", "null", {}, "{}", '"{}"'])
def test_a_call_without_arguments(arguments: object) -> None:
    assert parse_arguments(arguments) == {}


@pytest.mark.parametrize(
    "arguments",
    [
        "{",
        "[1]",
        "3",
        "at=x",
        '{"a": 1}}',
        '{"a": 1}{"a": 2}',
        "{'a': 1}",
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": ' + "9" * 5000 + "}",
        '{"a": ' + "[" * 100_000,
        [1],
        3,
    ],
)
def test_arguments_that_cannot_be_read(arguments: object) -> None:
    assert parse_arguments(arguments) is None


def test_raw_line_breaks_are_read() -> None:
    assert load_json(' {"code": "a\n\tb"}\n') == {"code": "a\n\tb"}


def test_surrogates_become_text_that_can_be_sent() -> None:
    value = load_json('{"a\\ud83d": ["x\\ud83d\\ude00", "\\udc00y", 1, "\ud83d"]}')
    assert value == {"a\ufffd": ["x\U0001f600", "\ufffdy", 1, "\ufffd"]}
    json.dumps(value, ensure_ascii=False).encode()
    assert repair_text("\ud83d\ude00") == "\U0001f600"
    assert repair_text("plain") == "plain"


def test_a_value_inside_of_a_text() -> None:
    assert decode_json('so: {"a": 1} end', 4) == ({"a": 1}, 12)
    with pytest.raises(ValueError, match="Expecting"):
        decode_json('so: {"a": 1', 4)
