"""Chat handed to another OpenAI-compatible server."""

from functools import partial

import pytest

from runcrate_core import APIStatusError, Runcrate
from runcrate_emulator import Emulator, Reply
from runcrate_emulator.inference.upstream import KEY_VARIABLE
from tests import servers
from tests.emulator.chat_support import choice_of, post_chat, user
from tests.servers import ScriptedServer, stream_reply

REPLY = {"id": "from the upstream"}
STREAM = [b'data: {"choices": []}\n\n', b"data: [DONE]\n\n"]


@pytest.fixture
def server():
    with ScriptedServer(servers.Reply(json=REPLY)) as server:
        yield server


@pytest.fixture
def upstream(server):
    """An emulator that hands chat to a server."""
    with Emulator(chat_upstream=f"{server.url}/v1/") as emulator:
        yield emulator
        assert emulator.crashes == []


post = partial(post_chat, model="whatever")


def test_the_request_goes_on_unchanged_and_without_the_key(server, upstream):
    assert post(upstream, temperature=7, made_up=[1]).json() == REPLY
    (request,) = server.received
    assert request.path == "/v1/chat/completions"
    body = {"model": "whatever", "messages": [user("Hello")], "temperature": 7, "made_up": [1]}
    assert request.json == body
    assert "authorization" not in request.headers


def test_a_stream_comes_through(server, upstream):
    server.replies = [stream_reply(STREAM)]
    answer = post(upstream, stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.content == b"".join(STREAM)


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b'{"error": {"code": "model_not_found"}}'), (502, b"<html>bad gateway</html>")],
)
def test_an_error_keeps_its_status_and_body(server, upstream, status, body):
    server.replies = [servers.Reply(status, body=[body])]
    answer = post(upstream)
    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers["x-runcrate-emulator-upstream"].startswith(server.url)


@pytest.mark.parametrize("where", ["argument", "environment"])
def test_retry_after_passes_and_the_key_is_sent_and_never_shown(server, caplog, monkeypatch, where):
    key = "sk-upstream-secret"
    if where == "environment":
        monkeypatch.setenv(KEY_VARIABLE, key)
    error = {"message": f"slow down, Bearer {key}", "code": "rate_limited"}
    server.replies = [servers.Reply(429, {"error": error}, headers={"Retry-After": "7"})]
    given = key if where == "argument" else None
    with Emulator(chat_upstream=f"{server.url}/v1", chat_upstream_key=given) as emulator:
        answer = post(emulator)
        shown = repr(vars(emulator.world)) + repr(emulator.requests) + caplog.text
    assert server.received[0].headers["authorization"] == f"Bearer {key}"
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert key not in answer.text + shown


def _drained(response):
    with response as chunks:  # a complete response has raised before it gets here
        return list(chunks)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [401, 403])
def test_the_clients_error_names_the_upstream_and_not_its_own_key(server, upstream, status, stream):
    server.replies = [servers.Reply(status, {"error": {"message": "Incorrect API key provided."}})]
    client = Runcrate(
        upstream.api_key, base_url=upstream.base_url, inference_url=upstream.inference_url
    )
    chat = client.chat.completions
    method = chat.stream if stream else chat.create
    with client, pytest.raises(APIStatusError) as caught:
        _drained(method(model="m", messages=[user("Hello")]))
    message = caught.value.message
    assert f"chat upstream {server.url}" in message
    assert KEY_VARIABLE in message
    assert "RUNCRATE_API_KEY" not in message


def test_a_script_goes_first_and_leaves_the_rest_to_the_upstream(upstream):
    upstream.reply_with(Reply.text("scripted"))
    assert choice_of(post(upstream))["message"]["content"] == "scripted"
    assert post(upstream).json() == REPLY


def test_an_upstream_that_breaks_off_ends_the_stream_with_an_error(server, upstream):
    server.replies = [stream_reply(STREAM[:1], end="close")]
    answer = post(upstream, stream=True)
    assert '"upstream_lost"' in answer.text
    assert "[DONE]" not in answer.text


def test_a_server_that_is_not_there_is_named():
    with ScriptedServer(servers.Reply()) as server:
        url = f"{server.url}/v1"
    with Emulator(chat_upstream=url) as emulator:
        answer = post(emulator)
        assert emulator.crashes == []
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unreachable")
    message = answer.json()["error"]["message"]
    assert url in message
    assert "RUNCRATE_API_KEY" not in message
