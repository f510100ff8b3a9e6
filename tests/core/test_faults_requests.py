"""Fault table, rows 1 to 16: requests and responses, with both clients against a real socket."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import runcrate_core as rc
from tests.servers import Reply, ScriptedServer

OK = Reply(json={"data": []})
ERROR = {"error": {"code": "c", "message": "said by the server"}}


def instances(client: Any) -> Any:
    return client.instances.list()


def test_01_get_is_repeated_after_503(run: Any) -> None:
    with ScriptedServer(Reply(503, ERROR), OK) as server:
        assert run(instances, server.url) == []
        assert server.sent == 2


def test_02_retry_after_is_waited_for(run: Any) -> None:
    with ScriptedServer(Reply(429, ERROR, headers={"retry-after": "0.2"}), OK) as server:
        assert run(instances, server.url) == []
        assert server.sent == 2


@pytest.mark.parametrize("hint", ["3600", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_05_a_long_hint_is_raised_at_once(run: Any, hint: str) -> None:
    with ScriptedServer(Reply(429, ERROR, headers={"retry-after": hint})) as server:
        with pytest.raises(rc.RateLimitError) as caught:
            run(instances, server.url)
        assert server.sent == 1
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 3600


def test_07_the_last_failure_is_raised_with_its_facts(run: Any) -> None:
    with ScriptedServer(Reply(500, ERROR, headers={"x-request-id": "req-7"})) as server:
        with pytest.raises(rc.InternalServerError) as caught:
            run(instances, server.url, max_retries=2)
        assert server.sent == 3
    error = caught.value
    assert (error.status_code, error.code, error.request_id) == (500, "c", "req-7")
    assert error.attempts == 3
    assert "said by the server" in str(error)


def test_09_an_empty_budget_ends_repeating(run: Any) -> None:
    def failing(client: Any) -> Any:
        while client._driver.context.budget.take():
            pass
        return client.instances.list()

    with ScriptedServer(Reply(500, ERROR)) as server:
        with pytest.raises(rc.InternalServerError, match="retry budget is spent"):
            run(failing, server.url)
        assert server.sent == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": None, "message": "The key is old."}, "403: The key is old."),
        ({"error": "Forbidden", "message": "The key is old."}, "403: Forbidden: The key is old."),
        ({"error": "Forbidden", "message": "Forbidden"}, "403: Forbidden. "),
        ({"error": "Forbidden"}, "403: Forbidden. "),
    ],
)
def test_10_a_reason_is_found_beside_the_error(run: Any, body: Any, said: str) -> None:
    with ScriptedServer(Reply(403, body)) as server:
        with pytest.raises(rc.PermissionDeniedError) as caught:
            run(instances, server.url)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, rc.BadRequestError),
        (401, rc.AuthenticationError),
        (402, rc.InsufficientCreditsError),
        (403, rc.PermissionDeniedError),
        (404, rc.NotFoundError),
        (409, rc.ConflictError),
        (413, rc.APIStatusError),
        (422, rc.UnprocessableEntityError),
    ],
)
def test_10_a_refusal_is_raised_once_and_holds_no_secret(
    run: Any, status: int, kind: type[rc.APIStatusError]
) -> None:
    text = "you sent rc_live_test and Bearer abcdefghijkl " + "x" * 600
    body = {"error": {"code": "Mixed_CASE", "message": text, "details": {"key": "rc_live_test"}}}
    with ScriptedServer(Reply(status, body, headers={"set-cookie": "a=b"})) as server:
        with pytest.raises(kind) as caught:
            run(instances, server.url)
        assert server.sent == 1
    error = caught.value
    assert type(error) is kind
    assert error.code == "Mixed_CASE"
    shown = f"{error} {error!r} {pickle.dumps(error)!r} {error.__dict__}"
    assert "rc_live_test" not in shown
    assert "abcdefghijkl" not in shown
    assert "set-cookie" not in error.headers
    assert len(str(error)) < 900
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), copy.__dict__) == (type(error), error.__dict__)


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Bad Gateway</body></html>",
        b"",
        b"[1, 2]",
        b'{"error": "x"}',
        b'{"detail": [{"loc": ["body", "model"], "msg": "field required"}]}',
        b"\xff\xfe broken \x80",
        b'{"error": {"message": "' + b"m" * 5_000_000 + b'"}}',
    ],
    ids=["html", "empty", "list", "text", "detail", "not unicode", "5 MB"],
)
def test_12_an_error_body_of_any_shape_is_read(run: Any, body: bytes) -> None:
    with ScriptedServer(Reply(404, body=[body], length=len(body))) as server:
        with pytest.raises(rc.NotFoundError) as caught:
            run(instances, server.url)
    assert "GET /instances" in str(caught.value)
    assert len(str(caught.value)) < 900


def test_14_unknown_fields_and_values_are_kept(run: Any) -> None:
    sent = {"id": "i", "status": "levitating", "stop_reason": "mood", "new": {"a": [1]}}
    with ScriptedServer(Reply(json={"data": [sent]})) as server:
        [instance] = run(instances, server.url)
    assert instance.status == "levitating"
    assert instance.new == {"a": [1]}
    assert instance.to_dict() == sent


def test_15_a_response_that_cannot_be_decoded_is_asked_for_again(run: Any) -> None:
    broken = b"\x1f\x8b\x08\x00" + b"\xff" * 30
    corrupt = Reply(body=[broken], length=len(broken), headers={"content-encoding": "gzip"})
    short = Reply(body=[b'{"data"'], length=100, end="close")
    with ScriptedServer(corrupt, short, OK) as server:
        assert run(instances, server.url) == []
        assert server.sent == 3


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_16_a_redirect_is_never_followed(run: Any, status: int) -> None:
    with ScriptedServer(OK) as other:
        target = f"{other.url}/x?signature=secret"
        with ScriptedServer(Reply(status, headers={"location": target})) as server:
            with pytest.raises(rc.ResponseFormatError, match="redirect") as caught:
                run(instances, server.url)
            assert server.sent == 1
        assert other.sent == 0
    assert "signature" not in str(caught.value)


def test_an_unreachable_host_is_a_connection_error(run: Any) -> None:
    with ScriptedServer(OK) as server:
        url = server.url
    with pytest.raises(rc.APIConnectionError) as caught:
        run(instances, url, max_retries=1)
    assert isinstance(caught.value, ConnectionError)
    assert caught.value.may_have_been_received is False
    assert caught.value.attempts == 2


def test_silence_is_a_timeout_error(run: Any) -> None:
    with ScriptedServer(Reply(body=[b"{", 5.0], end="hold")) as server:
        with pytest.raises(rc.APITimeoutError) as caught:
            run(instances, server.url, timeout=0.2, max_retries=0)
        assert server.sent == 1
    assert isinstance(caught.value, TimeoutError)
