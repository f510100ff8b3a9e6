"""Readers of what providers put in different places."""

from decimal import Decimal

import pytest

from runcrate_core.protocol.chat_types import (
    error_of,
    extract_cost,
    extract_reasoning,
    extract_usage,
    usage_details,
)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"reasoning_content": "a"}, "a"),
        ({"reasoning": "a", "reasoning_content": None}, "a"),
        ({"thinking": "a"}, "a"),
        ({"reasoning": "a", "reasoning_details": [{"text": "b"}]}, "a"),
        ({"reasoning_details": [{"text": "a"}, {"summary": "b"}, {"data": "x"}, "odd"]}, "ab"),
        ({"reasoning_details": [{"text": 5}]}, None),
        ({"reasoning_details": "odd"}, None),
        ({"reasoning": {"odd": 1}}, None),
        ({"reasoning_content": ""}, None),
        ({}, None),
    ],
)
def test_reasoning(message, text):
    assert extract_reasoning(message) == text


USAGE = {"prompt_tokens": 1, "completion_tokens": 2}


@pytest.mark.parametrize(
    ("payload", "usage"),
    [
        ({"usage": USAGE}, USAGE),
        ({"usage": None, "choices": [{"usage": USAGE}]}, USAGE),
        ({"usage": {}, "x_groq": {"usage": USAGE}}, USAGE),
        ({"usage": {**USAGE, "total_tokens": None}}, USAGE),
        ({"usage": {"details": {"cached": None, "audio": 0}}}, {"details": {"audio": 0}}),
        ({"usage": {"prompt_tokens": None}}, None),
        ({"usage": "odd", "choices": ["odd"], "x_groq": "odd"}, None),
        ({"choices": []}, None),
        ({"choices": {"odd": 1}}, None),
        ({}, None),
    ],
)
def test_usage(payload, usage):
    assert extract_usage(payload) == usage


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"cost": 0.00333825}, Decimal("0.00333825")),
        ({"cost": 0}, Decimal(0)),
        ({"cost": "0.5"}, Decimal("0.5")),
        ({"estimated_cost": 1e-7}, Decimal("1E-7")),
        ({"cost": {"total_cost": 0.25}}, Decimal("0.25")),
        ({"cost": "dear", "total_cost": 2}, Decimal(2)),
        *(({"cost": none}, None) for none in (True, -1, float("nan"), None, {})),
        (None, None),
    ],
)
def test_cost(usage, cost):
    assert extract_cost({"usage": usage}) == cost


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"error": {"message": "m", "code": 429}}, {"message": "m", "code": 429}),
        ({"error": "m", "code": "c", "type": None}, {"message": "m", "code": "c"}),
        ({"error": {"detail": "m"}}, {"message": "m"}),
        ({"error": ["m"]}, {"message": "['m']"}),
        ({"error": {"code": "c"}, "choices": []}, {"code": "c"}),
        ({"choices": [{"error": {"message": "m"}}]}, {"message": "m"}),
        ({"choices": ["odd", {"error": None}]}, None),
        ({"choices": "odd"}, None),
        ({"object": "error", "code": 500}, {"object": "error", "code": 500}),
        ({"type": "error", "message": "m"}, {"type": "error", "message": "m"}),
        ({"message": "m"}, {"message": "m"}),
        ({"detail": "m"}, {"message": "m"}),
        ({"type": "ping"}, None),
        ({"error": None, "choices": []}, None),
        ({}, None),
    ],
)
def test_error(event, error):
    before = repr(event)
    assert error_of(event) == error
    assert repr(event) == before


@pytest.mark.parametrize(
    ("usage", "details"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 1}}, {"cached": 1}),
        ({"prompt_tokens_details": {"audio_tokens": 0}}, {"input_audio": 0}),
        ({"input_tokens_details": {"cached_tokens": 1}, "cached_tokens": 2}, {"cached": 1}),
        ({"prompt_tokens_details": {"cached_tokens": None}, "cached_tokens": 2}, {"cached": 2}),
        ({"output_tokens_details": {"reasoning_tokens": 3}}, {"reasoning": 3}),
        ({"output_tokens_details": {"audio_tokens": 4}}, {"output_audio": 4}),
        ({"cache_read_input_tokens": 5}, {"cached": 5}),
        ({"cache_creation_input_tokens": 6}, {"cache_creation": 6}),
        ({"prompt_tokens_details": "odd", "reasoning_tokens": True, "total_tokens": 7}, {}),
    ],
)
def test_details_of_a_usage_are_read_in_each_place(usage, details):
    assert usage_details(usage) == details
