"""Chat handed to another OpenAI-compatible server."""

import json

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runcrate_emulator import Emulator
from runcrate_emulator.server import Server, bind
from tests.emulator.chat_support import user

REFUSALS = {
    "openai": ({"error": {"message": "no such model", "code": "model_not_found"}}, 404),
    "typed": ({"error": {"message": "no", "type": "bad_thing"}}, 400),
    "text": ({"error": "busy"}, 503),
    "other": ({"detail": "x"}, 500),
}


async def chat(request: Request) -> Response:
    """A server that tells what it was asked, streams it, or refuses."""
    body = await request.json()
    asked = body["messages"][-1]["content"]
    if asked in REFUSALS:
        answer, status = REFUSALS[asked]
        return JSONResponse(answer, status)
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


def post(emulator, asked="Hello", **body):
    return httpx.post(
        f"{emulator.inference_url}/chat/completions",
        json={"model": "whatever", "messages": [user(asked)], **body},
        headers={"Authorization": f"Bearer {emulator.api_key}"},
    )


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


@pytest.mark.parametrize(
    ("kind", "status", "code", "message"),
    [
        ("openai", 404, "model_not_found", "no such model"),
        ("typed", 400, "bad_thing", "no"),
        ("text", 503, "upstream_error", "busy"),
        ("other", 500, "upstream_error", json.dumps({"detail": "x"}, separators=(",", ":"))),
        ("no json", 502, "upstream_error", "<html>bad gateway</html>"),
    ],
)
def test_a_refusal_is_put_into_the_envelope(upstream, kind, status, code, message):
    answer = post(upstream, kind)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"] == f"The chat server refused: {message}"


def test_a_server_that_is_not_there_is_told():
    free = bind(0)
    port = free.getsockname()[1]
    free.close()
    with Emulator(chat_upstream=f"http://127.0.0.1:{port}/v1") as emulator:
        answer = post(emulator)
        assert emulator.crashes == []
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert str(port) in answer.json()["error"]["message"]
