"""Reading responses: their JSON, their head, their rate limit."""

from __future__ import annotations

import pytest

import runcrate_core as rc
from runcrate_core.protocol.rate_limiter import reset_in_s
from runcrate_core.protocol.request import Request, RetrySafety, Surface
from runcrate_core.protocol.response import Response, ResponseInfo, json_object

REQUEST = Request(Surface.INFERENCE, "GET", "/models", "/models", RetrySafety.SAFE)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"null", "null"),
        (b"true", "boolean"),
        (b"1.5", "number"),
        (b'"text"', "string"),
        (b"[]", "array"),
    ],
)
def test_json_that_is_no_object_is_named_and_not_shown(body: bytes, kind: str) -> None:
    with pytest.raises(rc.ResponseFormatError, match=kind):
        json_object(Response(200, {}, body), REQUEST)


def test_the_head_of_a_response_is_compared_by_value_and_shown_without_headers() -> None:
    first, second = (ResponseInfo(200, {"x-request-id": "r-1", "x": "y"}) for _ in range(2))
    assert first == second
    assert first != ResponseInfo(201, {"x-request-id": "r-1", "x": "y"})
    assert first != "ResponseInfo"
    assert repr(first) == "ResponseInfo(status=200, request_id='r-1')"


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_without_a_usable_date_the_own_clock_counts(
    date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)
    assert reset_in_s({"x-ratelimit-reset": "1800000030", "date": date}) == 30
