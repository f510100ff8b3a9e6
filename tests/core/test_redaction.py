"""Fault table, row 56: no key, header or signature in logs, errors, tracebacks or pickles."""

from __future__ import annotations

import logging
import pickle
import traceback

import pytest

import runcrate_core as rc
from runcrate_core.protocol.redaction import MASK, origin_of, public_headers, redact, redact_json
from tests.servers import Reply, sse, stream_reply, text_chunk

HEADER = {"x-token": "header-secret-value"}
KEY = b"rc_live_test"


@pytest.mark.parametrize(
    "secret",
    [
        "rc_live_0123456789abcdef",
        "Bearer abcdefgh1234",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        f"eyJ{'h' * 5000}.eyJzdWIiOiIxIn0.c2ln",
        "session-eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\ncut off",
        "hf_abcdefghijklmnopqrst",
        "ghp_abcdefghijklmnopqrst",
        "sk-proj-abcdefghijklm0123",
    ],
)
def test_the_shape_of_a_secret_is_taken_out(secret):
    shown = redact(f"before {secret} after", ("x", "be"))  # too short to be secrets
    assert MASK in shown
    assert secret.split("\n", maxsplit=1)[0] not in shown
    assert shown.startswith("before ")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("git clone https://me:hunter2@git.example/a", f"git clone https://{MASK}@git.example/a"),
        ("redis://:hunter2@db:6379/0", f"redis://{MASK}@db:6379/0"),
        ("https://me:p@ss@h.example/x", f"https://{MASK}@h.example/x"),
        ("https://h.example:80/a@b", "https://h.example:80/a@b"),
        ("ssh://git@h.example", "ssh://git@h.example"),
        ("use sk-learn-compatible-estimators", "use sk-learn-compatible-estimators"),
        ("see https://a.b/c.png?X-Amz-Signature=abc&x=1 or", f"see https://a.b/c.png?{MASK} or"),
        ("https://x.example/p.", "https://x.example/p."),
        ("http://a.b/c#d http://e.f", f"http://a.b/c?{MASK} http://e.f"),
        ("http://g.h/http://i.j?k", f"http://g.h/http://i.j?{MASK}"),
    ],
)
def test_passwords_and_queries_of_addresses_are_taken_out(text, shown):
    assert redact(text) == shown


def test_exact_secrets_and_nested_values_are_taken_out():
    value = {"a": ["my key is hunter2", 1, None], "b": {"c": "hunter2"}}
    shown = {"a": [f"my key is {MASK}", 1, None], "b": {"c": MASK}}
    assert redact_json(value, ("hunter2", "")) == shown


def test_headers_and_origins_are_shown_without_secrets():
    assert public_headers({"Set-Cookie": "a", "x": "rc_live_abc"}) == {"x": MASK}
    assert origin_of("https://user:pw@x.example:8443/path?sig=1") == "https://x.example:8443"
    assert origin_of("https://[2001:db8::1]:8443/file?sig=1") == "https://[2001:db8::1]:8443"
    assert origin_of("/relative") == ""


ECHO = {"error": {"message": "got rc_live_test with header-secret-value"}}
OUTCOMES = {
    "refused": [Reply(401, ECHO)],
    "malformed": [Reply(body=[KEY], length=len(KEY))],
    "cut": [Reply(end="no response")],
    "repeated": [Reply(503, ECHO), Reply(401, ECHO)],
    "streamed": [stream_reply(sse(text_chunk("a"), ECHO))],
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_56_errors_and_logs_hold_no_secret(scripted, outcome, caplog):
    caplog.set_level(logging.DEBUG)
    server, both = scripted(*OUTCOMES[outcome], default_headers=HEADER, max_retries=1)
    with pytest.raises(rc.RuncrateError) as caught:
        _ = both.chunks() if outcome == "streamed" else both("instances.list")
    assert server.received[0].headers["authorization"] == "Bearer rc_live_test"
    error = caught.value
    shown = [
        str(error),
        repr(error),
        repr(error.__dict__),
        repr(pickle.dumps(error)),
        "".join(traceback.format_exception(error)),
        *(record.getMessage() for record in caplog.records if record.name == "runcrate_core"),
    ]
    assert error.__cause__ is None
    assert error.__context__ is None  # some picklers carry it along, even where it is not shown
    assert [text for text in shown if KEY.decode() in text] == []


def test_56_only_what_the_http_library_logs_for_us_is_redacted(scripted, caplog):
    caplog.set_level(logging.DEBUG)
    cookie = {"Set-Cookie": "session=cookie-secret"}
    listing = Reply(json={"data": [{"path": "a.bin", "bytes": 5}]}, headers=cookie)
    server, both = scripted(listing)
    signed = f"{server.url}/f?X-Amz-Signature=signature-secret"
    redirect = Reply(302, headers={"Location": signed, **cookie})
    server.replies += [redirect, Reply(body=[b"bytes"])]
    assert both("jobs.artifacts.download", "j-1", "a.bin")
    names = {record.name for record in caplog.records}
    assert {"runcrate_core", "httpcore.http11"} <= names  # they log what is searched here
    assert MASK in caplog.text
    assert "signature-secret" not in caplog.text
    assert "cookie-secret" not in caplog.text
    logging.getLogger("httpx").warning("GET %s", "https://theirs.example/?query=1")
    assert "https://theirs.example/?query=1" in caplog.text


def test_56_observers_see_no_secret_and_cannot_break_a_call(scripted):
    events: list[rc.RequestEvent] = []

    def watch(event):
        events.append(event)
        raise RuntimeError("the observer is broken")

    replies = [Reply(503, {}), Reply(json={"data": {"id": "i-1"}}, headers={"x-request-id": "r"})]
    _, both = scripted(*replies, on_request=watch)
    assert both("instances.get", "i-1").id
    assert [(event.attempt, event.status) for event in events] == [(1, 503), (2, 200)]
    assert {event.route for event in events} == {"/instances/{instance_id}"}
    assert events[1].request_id == "r"
    assert events[0].surface == "infrastructure"
    assert "rc_live" not in repr(events)
    assert "i-1" not in repr(events)
