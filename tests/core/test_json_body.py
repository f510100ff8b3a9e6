"""Row 47 of the fault table: what JSON cannot express is refused, by name, before it is sent."""

from __future__ import annotations

import json
import math
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcrate_core.protocol.json_body import encode_json
from runcrate_core.protocol.request import RetrySafety, Surface, json_request, money
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
