"""What a model writes around its JSON may be anything, and long."""

from __future__ import annotations

import time

import pytest

from llamaindex_runcrate import structured_responses


def test_json_is_found_behind_many_brackets_that_begin_none() -> None:
    text = "[x] {y} " * 200 + 'Here it is: {"a": [1]} and [2]'
    assert list(structured_responses.json_values(text)) == [{"a": [1]}, [2]]


def test_a_part_of_a_broken_object_is_not_an_object() -> None:
    text = '{"name": "root", "children": [{"name": "leaf"}], oops} and {"name": "other"}'
    assert list(structured_responses.json_values(text)) == [{"name": "other"}]


@pytest.mark.parametrize("text", ["[1," * 20_000, '{"a": ' * 20_000, "[x] {y} " * 10_000 + "{"])
def test_an_answer_of_open_brackets_alone_is_given_up(text: str) -> None:
    started = time.process_time()
    with pytest.raises(ValueError, match="not closed"):
        list(structured_responses.json_values(text))
    assert time.process_time() - started < 2
