"""Fault table, rows 1 to 16: requests and responses, with both clients against a real socket."""

import gzip
import pickle
import time

import pytest

import runcrate_core as rc
from tests.servers import Reply, ScriptedServer, raw_reply

OK = Reply(json={"data": []})
ERROR = {"error": {"code": "c", "message": "said by the server"}}


@pytest.mark.parametrize(
    "failed",
    [
        Reply(503, ERROR),
        Reply(429, ERROR, headers={"retry-after": "0.2"}),
        raw_reply(b"\x1f\x8b\x08\x00" + b"\xff" * 30, content_encoding="gzip"),
        raw_reply(gzip.compress(b'{"data": []}')[:-9], content_encoding="gzip"),
        raw_reply(b"x", content_encoding="br"),
        Reply(body=[b'{"data"'], length=100, end="close"),
    ],
)
def test_01_a_get_that_failed_for_now_is_sent_again(scripted, failed):
    server, both = scripted(failed, OK)
    began = time.monotonic()
    assert both("instances.list") == []
    assert server.sent == 2
    assert time.monotonic() - began >= float(failed.headers.get("retry-after", 0))


@pytest.mark.parametrize("hint", ["3600", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_05_a_long_hint_is_raised_at_once(failure, hint):
    error = failure(rc.RateLimitError, Reply(429, ERROR, headers={"retry-after": hint}))
    assert error.retry_after >= 3600


def test_07_the_last_failure_is_raised_with_its_facts(failure):
    reply = Reply(500, ERROR, headers={"x-request-id": "req-7"})
    error = failure(rc.InternalServerError, reply, match="said by", sent=3, max_retries=2)
    assert (error.status_code, error.code, error.request_id) == (500, "c", "req-7")
    assert error.attempts == 3


def test_09_an_empty_budget_ends_repeating(scripted):
    server, both = scripted(Reply(500, ERROR))
    both.spend_retry_budget()
    with pytest.raises(rc.InternalServerError, match="retry budget is spent"):
        both("instances.list")
    assert server.sent == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": null, "message": "The key is old."}', "403: The key is old."),
        (b'{"error": "No", "message": "The key is old."}', "403: No: The key is old."),
        (b'{"error": "No", "message": "No"}', "403: No. "),
        (b'{"error": "No"}', "403: No. "),
        (b"<html><body>Bad Gateway</body></html>", ""),
        (b"", ""),
        (b"[1, 2]", ""),
        (b'{"detail": [{"loc": ["body", "model"], "msg": "field required"}]}', ""),
        (b"\xff\xfe broken \x80", ""),
        (b'{"error": {"message": "' + b"m" * 5_000_000 + b'"}}', "mmm"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_12_an_error_body_of_any_shape_is_read(failure, body, said):
    reply = raw_reply(body, status=403)
    error = failure(rc.PermissionDeniedError, reply, match=f"GET /instances.*{said}")
    assert len(str(error)) < 900


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
def test_10_a_refusal_is_raised_once_and_holds_no_secret(failure, status, kind):
    text = "you sent rc_live_test and Bearer abcdefghijkl " + "x" * 600
    body = {"error": {"code": "Mixed_CASE", "message": text, "details": {"key": "rc_live_test"}}}
    error = failure(kind, Reply(status, body, headers={"set-cookie": "a=b"}))
    assert type(error) is kind
    assert error.code == "Mixed_CASE"
    shown = f"{error} {error!r} {pickle.dumps(error)!r} {error.__dict__}"
    assert [secret for secret in ("rc_live_test", "abcdefghijkl", "a=b") if secret in shown] == []
    assert len(str(error)) < 900
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), copy.__dict__) == (type(error), error.__dict__)


def test_14_unknown_fields_and_values_are_kept(scripted):
    sent = {"id": "i", "status": "levitating", "stop_reason": "mood", "new": {"a": [1]}}
    server, both = scripted(Reply(json={"data": [sent]}))
    [instance] = both("instances.list")
    assert (instance.status, instance.new) == ("levitating", {"a": [1]})
    assert instance.to_dict() == sent
    [model] = both("models.list")
    assert model.to_dict() == sent
    server.replies = [Reply(json=[sent])]  # without an envelope
    [job] = both.values("jobs.list")
    assert job.status == "levitating"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_16_a_redirect_is_never_followed(failure, status):
    with ScriptedServer(OK) as other:
        moved = Reply(status, headers={"location": f"{other.url}/x?signature=secret"})
        error = failure(rc.ResponseFormatError, moved, match="redirect")
        assert other.sent == 0
    assert "signature" not in str(error)
