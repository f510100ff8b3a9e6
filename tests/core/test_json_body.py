"""Row 47 of the fault table: what JSON cannot express is refused, by name, before it is sent."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcrate_core.protocol.json_body import encode_json, without_none
from runcrate_core.protocol.request import (
    RetrySafety,
    Surface,
    header_pairs,
    json_request,
    money,
    query_pairs,
    timestamp,
)
from tests.json_values import TEXTS, json_values


@given(st.dictionaries(TEXTS, json_values(), max_size=3))
def test_whatever_is_json_arrives_as_it_was(body):
    assert json.loads(encode_json(body)) == body


def loop() -> dict[str, Any]:
    body: dict[str, Any] = {}
    body["again"] = body
    return body


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"temperature": math.nan}, "`temperature` is nan"),
        ({"a": {"b": [0, math.inf]}}, r"`a\.b\[1\]` is inf"),
        ({"fine": {"a": [1.5, None]}, "data": b"x"}, "`data` is of type `bytes`"),
        ({"price": Decimal(1)}, "`price` is of type `Decimal`"),
        ({"at": datetime(2026, 1, 1)}, "`at` is of type `datetime`"),  # noqa: DTZ001 - the mistake
        ({"a": ({"b": {1}},)}, r"`a\[0\]\.b` is of type `set`"),
        ({"text": "\ud800"}, "`text` is not valid Unicode"),
        ({"a": {(1, 2): 3}}, r"`a` has the key \(1, 2\)"),
        ({(1, 2): 3}, r"request body has the key \(1, 2\)"),
        (loop(), "contains itself"),
    ],
)
def test_47_what_json_cannot_express_is_named(body, problem):
    with pytest.raises(ValueError, match=problem) as caught:
        encode_json(body)
    assert "Nothing was sent" in str(caught.value)
    assert caught.value.__context__ is None  # a codec's error would hold the whole body


def test_none_means_not_sent():
    assert without_none(a=None, b=0, c=False, d="") == {"b": 0, "c": False, "d": ""}


def test_query_parameters_are_text_and_may_repeat():
    query = {"a": None, "b": True, "c": 3, "d": 1.5, "tag": ["x:1", "y:2"]}
    tags = ("tag", "x:1"), ("tag", "y:2")
    assert query_pairs(query) == (("b", "true"), ("c", "3"), ("d", "1.5"), *tags)


@pytest.mark.parametrize("headers", [{"x": "a\nb"}, {"x y": "a"}, {"": "a"}, {"x": "ä"}])
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(headers):
    with pytest.raises(ValueError, match="header") as caught:
        header_pairs(headers)
    assert "a\nb" not in str(caught.value)


def test_47_a_moment_is_sent_in_utc_and_refused_without_time_zone():
    berlin = timezone(timedelta(hours=1))
    moment = datetime(2026, 11, 21, 11, 0, 0, 5000, berlin)
    assert timestamp(moment, "run_at") == "2026-11-21T10:00:00.005Z"
    assert timestamp(datetime(2026, 1, 1, tzinfo=UTC), "x") == "2026-01-01T00:00:00.000Z"
    assert timestamp("2026-11-21T11:00:00+01:00", "x") == "2026-11-21T10:00:00.000Z"
    with pytest.raises(ValueError, match="`run_at` has no time zone"):
        timestamp(datetime(2026, 1, 1), "run_at")  # noqa: DTZ001 - the mistake


def test_money_is_sent_as_a_number():
    values = 20, Decimal("20.50"), "100", 0.1
    assert [money(value, "amount_usd") for value in values] == [20, 20.5, 100, 0.1]
    for wrong in (math.nan, math.inf, "much", None):
        with pytest.raises(ValueError, match="`amount_usd`"):
            money(wrong, "amount_usd")


def test_a_request_shows_neither_body_nor_address():
    options = {"route": "/x/{id}", "body": {"prompt": "private"}, "retry": RetrySafety.SAFE}
    request = json_request(Surface.INFERENCE, "POST", "/x/secret-id", **options)
    assert repr(request) == "Request(POST /x/{id}, inference, safe)"
