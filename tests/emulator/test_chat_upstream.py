"""Chat handed to another OpenAI-compatible server."""

from functools import partial

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runcrate_core import APIStatusError, Runcrate
from runcrate_emulator import Emulator, Reply
from runcrate_emulator.inference.upstream import KEY_VARIABLE
from runcrate_emulator.server import Server, bind
from tests.emulator.chat_support import post_chat, user

REFUSALS = {
    "openai": ({"error": {"message": "no such model", "code": "model_not_found"}}, 404),
    "typed": ({"error": {"message": "no", "type": "bad_thing"}}, 400),
    "text": ({"error": "busy"}, 503),
    "other": ({"detail": "x"}, 500),
    "wrong key": ({"error": {"message": "Incorrect API key provided."}}, 401),
    "no rights": ({"error": {"message": "not for you"}}, 403),
}


async def chat(request: Request) -> Response:
    """A server that tells what it was asked, streams it, or refuses."""
    body = await request.json()
    asked = body["messages"][-1]["content"]
    if asked in REFUSALS:
        answer, status = REFUSALS[asked]
        return JSONResponse(answer, status)
    if asked == "limited":
        key = request.headers.get("authorization", "")
        error = {"message": f"slow down, {key}", "code": "rate_limited"}
        return JSONResponse({"error": error}, 429, {"Retry-After": "7"})
    if asked == "break off":

        async def torn():
            yield b'data: {"choices": []}\n\n'
            raise ConnectionResetError

        return StreamingResponse(torn(), media_type="text/event-stream")
    if asked == "no json":
        return Response("<html>bad gateway</html>", 502)
    if body.get("stream"):
        events = [b'data: {"choices": []}\n\n', b"data: [DONE]\n\n"]

        async def sent():
            for event in events:
                yield event

        return StreamingResponse(sent(), media_type="text/event-stream")
    return JSONResponse({"body": body, "authorization": request.headers.get("authorization")})


@pytest.fixture(scope="module")
def upstream():
    """An emulator that hands chat to a server."""
    server = Server(Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])]))
    server.start()
    with Emulator(chat_upstream=f"http://127.0.0.1:{server.port}/v1/") as emulator:
        yield emulator
        assert emulator.crashes == []
    server.stop()


post = partial(post_chat, model="whatever")


def test_the_request_goes_on_unchanged_and_without_the_key(upstream):
    answer = post(upstream, temperature=7, made_up=[1]).json()
    assert answer["body"] == {
        "model": "whatever",
        "messages": [user("Hello")],
        "temperature": 7,
        "made_up": [1],
    }
    assert answer["authorization"] is None


def test_a_stream_comes_through(upstream):
    answer = post(upstream, stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == 'data: {"choices": []}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("kind", [*REFUSALS, "no json"])
def test_an_error_keeps_its_status_and_body(upstream, kind):
    answer = post(upstream, kind)
    body, status = REFUSALS.get(kind, ("<html>bad gateway</html>", 502))
    assert answer.status_code == status
    assert (answer.text if kind == "no json" else answer.json()) == body
    assert answer.headers["x-runcrate-emulator-upstream"].startswith("http://127.0.0.1:")


def test_retry_after_passes_and_the_key_is_sent_and_never_shown(upstream, caplog):
    url = upstream.world.chat_upstream.url
    key = "sk-upstream-secret"
    with Emulator(chat_upstream=url, chat_upstream_key=key) as emulator:
        assert post(emulator).json()["authorization"] == f"Bearer {key}"
        answer = post(emulator, "limited")
        shown = repr(vars(emulator.world)) + repr(emulator.requests) + caplog.text
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert key not in answer.text + shown


def _drained(response):
    with response as chunks:  # a complete response has raised before it gets here
        return list(chunks)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["wrong key", "no rights"])
def test_the_clients_error_names_the_upstream_and_not_its_own_key(upstream, kind, stream):
    client = Runcrate(
        upstream.api_key, base_url=upstream.base_url, inference_url=upstream.inference_url
    )
    chat = client.chat.completions
    method = chat.stream if stream else chat.create
    with client, pytest.raises(APIStatusError) as caught:
        _drained(method(model="m", messages=[user(kind)]))
    message = caught.value.message
    assert "chat upstream http://127.0.0.1:" in message
    assert "RUNCRATE_EMULATOR_UPSTREAM_KEY" in message
    assert "RUNCRATE_API_KEY" not in message


def test_the_key_may_come_from_the_environment(upstream, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "sk-of-the-environment")
    with Emulator(chat_upstream=upstream.world.chat_upstream.url) as emulator:
        assert post(emulator).json()["authorization"] == "Bearer sk-of-the-environment"


def test_a_script_goes_first_and_leaves_the_rest_to_the_upstream(upstream):
    upstream.reply_with(Reply.text("scripted"))
    assert post(upstream).json()["choices"][0]["message"]["content"] == "scripted"
    assert post(upstream).json()["body"]["model"] == "whatever"


def test_an_upstream_that_breaks_off_ends_the_stream_with_an_error(upstream):
    answer = post(upstream, "break off", stream=True)
    assert '"upstream_lost"' in answer.text
    assert "[DONE]" not in answer.text


def test_a_server_that_is_not_there_is_told():
    free = bind(0)
    port = free.getsockname()[1]
    free.close()
    with Emulator(chat_upstream=f"http://127.0.0.1:{port}/v1") as emulator:
        answer = post(emulator)
        assert emulator.crashes == []
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unreachable")
    message = answer.json()["error"]["message"]
    assert f"http://127.0.0.1:{port}/v1" in message
    assert "RUNCRATE_API_KEY" not in message
