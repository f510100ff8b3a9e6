"""What a model writes around its JSON may be anything, and long."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from llamaindex_runcrate import structured_answers


def test_json_is_found_behind_many_brackets_that_begin_none() -> None:
    text = "[x] {y} " * 200 + 'Here it is: {"a": [1]} and [2]'
    assert list(structured_answers.json_values(text)) == [{"a": [1]}, [2]]


def test_an_answer_of_brackets_alone_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = itertools.count()

    def decode(text: str, start: int) -> tuple[Any, int]:
        next(tries)
        return json.JSONDecoder().raw_decode(text, start)

    monkeypatch.setattr(structured_answers, "_decode", decode)
    assert list(structured_answers.json_values("[1," * 20_000)) == []
    assert next(tries) <= 1000
