"""Reading responses: their JSON, their head, their rate limit."""

import runcrate_core as rc
from runcrate_core.protocol.error_mapping import (
    error_of_response,
    error_within_success,
    parse_error_body,
)
from runcrate_core.protocol.request import Request, RetrySafety, Surface
from runcrate_core.protocol.response import Response, ResponseInfo

REQUEST = Request(Surface.INFERENCE, "GET", "/models", "/models", RetrySafety.SAFE)


def test_the_head_of_a_response_is_compared_by_value_and_shown_without_headers():
    first, second = (ResponseInfo(200, {"x-request-id": "r-1", "x": "y"}) for _ in range(2))
    assert first == second
    assert first != ResponseInfo(201, {"x-request-id": "r-1", "x": "y"})
    assert first != "ResponseInfo"
    assert repr(first) == "ResponseInfo(status=200, request_id='r-1')"
    assert first.rate_limit is None


def test_wrappers_of_errors_are_opened_only_so_far():
    def nested(depth):
        return b'{"error": ' * depth + b'{"message": "inner"}' + b"}" * depth

    assert [parse_error_body(nested(depth)).message for depth in (1, 4)] == ["inner"] * 2
    assert "inner" in parse_error_body(nested(9)).message  # as the text of the object
    listed = parse_error_body(b"[" + nested(2) + b"]")  # as Gemini sends it
    assert listed.message == "inner"


def test_a_success_that_holds_more_than_an_error_is_none():
    response = Response(200, {}, b'{"error": {"code": 429, "message": "slow"}}')
    assert error_within_success(response, {"error": "slow", "data": []}, REQUEST) is None
    error = error_within_success(response, {"error": {"code": 429, "message": "slow"}}, REQUEST)
    assert isinstance(error, rc.RateLimitError)


def test_an_error_of_the_emulator_s_upstream_names_it():
    response = Response(401, {"x-runcrate-emulator-upstream": "https://up.example/v1"}, b"{}")
    error = error_of_response(response, REQUEST, parse_error_body(b"{}"), attempts=1)
    assert "RUNCRATE_EMULATOR_UPSTREAM_KEY" in str(error)
    assert "https://up.example" in str(error)
