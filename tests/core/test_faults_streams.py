"""Fault table, rows 27 to 39: streams, with both clients against a real socket."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from functools import partial
from typing import Any

import pytest

import runcrate_core as rc
from runcrate_core.protocol.error_mapping import parse_error_body, status_of_error
from tests.core.both_clients import active_connections, awaited, each, entered, new_client
from tests.core.cloud import Both
from tests.servers import Reply, sse, stream_reply, text_chunk

A, B, END = text_chunk("Hello "), text_chunk("world"), text_chunk("", "stop")
USAGE = {"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 1, "total_tokens": 3}}
WHOLE = sse(A, B, END, USAGE)
OVERLOADED = {"error": {"code": "overloaded", "message": "try later"}}


def content(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_a_whole_stream_folds_to_the_response(scripted):
    server, both = scripted(stream_reply(WHOLE, end="hold"))  # the end mark is its end
    started = time.monotonic()
    chunks, completion = both.chunks()
    assert time.monotonic() - started < 1.0
    assert content(chunks) == completion.choices[0].message.content == "Hello world"
    assert completion.usage.total_tokens == 3
    assert server.received[0].json["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("size", [1, 30_000])  # less and more than is kept of other bodies
def test_a_complete_response_in_place_of_a_stream_is_read(scripted, size):
    choice = {"message": {"content": "Hello" * size}, "finish_reason": "stop"}
    server, both = scripted(Reply(json={"id": "chatcmpl-1", "choices": [choice]}))
    chunks, completion = both.chunks()
    assert content(chunks) == completion.choices[0].message.content == "Hello" * size
    assert server.sent == 1


@pytest.fixture
def stream_failure(failure: Any) -> Any:
    """Return the error of a stream: `stream_failure(rc.StreamError, reply, match=...)`."""
    return partial(failure, call=Both.chunks)


@pytest.mark.parametrize(
    ("code", "status"),
    [(429, 429), ("429", 429), ("9" * 5000, 500), (4.5, 500), (True, 500), ("rate_limited", 429)],
)
def test_27_an_error_event_stands_for_a_status(code, status):
    error = {"code": code, "message": "m"}
    refusal = parse_error_body(json.dumps({"error": error}).encode())
    assert status_of_error(refusal, error) == status


QUOTA = {"message": "the quota is used up", "code": "insufficient_credits"}


@pytest.mark.parametrize(
    "reply",
    [
        stream_reply(sse({"error": QUOTA})),
        Reply(json={"error": QUOTA}),
        Reply(json={"error": QUOTA}, headers={"content-type": "text/event-stream"}),
        Reply(json={"detail": {"error": QUOTA}}, headers={"content-type": ""}),
        Reply(json={"detail": QUOTA}),
    ],
)
def test_27_an_error_as_json_keeps_its_class_and_reason(stream_failure, reply):
    error = stream_failure(rc.InsufficientCreditsError, reply, match="the quota is used up")
    assert error.code == "insufficient_credits"


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        ("text/html", b"<html>Please log in</html>", "web page"),
        ("text/event-stream", b"<!doctype html><p>Please log in", "web page"),
        ("text/html", b"<html>" + b"endless " * 50_000, "web page"),
        ("text/plain", b"OK", "text/plain"),
        ("application/json", b'{"choices": []}', "JSON instead of a stream"),
        ("application/json", b'{"choices": [{"finish_reason": "x"}, 1]}', "JSON instead of"),
        ("application/json", b'{"choices": [', "JSON"),
    ],
)
def test_27_what_is_not_a_stream_is_a_format_error_after_one_sending(
    stream_failure, kind, body, says
):
    reply = Reply(body=[body], headers={"content-type": kind})
    assert "log in" not in str(stream_failure(rc.ResponseFormatError, reply, match=says))


@pytest.mark.parametrize(
    ("last", "code"),
    [(sse(OVERLOADED), "overloaded"), ([b"data: {secret words\n\n"], None)],
    ids=["error", "not JSON"],
)
def test_28_a_later_error_is_raised_with_what_came(stream_failure, last, code):
    error = stream_failure(rc.StreamError, stream_reply([*sse(A, B, done=False), *last]))
    assert (error.code, error.chunks_received) == (code, 2)
    assert error.partial["choices"][0]["message"]["content"] == "Hello world"
    assert "secret" not in str(error)


@pytest.mark.parametrize("end", ["close", "reset", "keep"])
def test_29_a_cut_stream_is_truncated(stream_failure, end):
    tool = {"index": 0, "id": "call", "function": {"name": "launch", "arguments": '{"gpu": "A1'}}
    cut = {"id": "x", "choices": [{"index": 0, "delta": {"tool_calls": [tool]}}]}
    reply = stream_reply([*sse(A, cut, done=False), 0.05], end=end)
    message = stream_failure(rc.StreamTruncatedError, reply).partial["choices"][0]["message"]
    assert message["content"] == "Hello "
    assert not message.get("tool_calls")


def test_33_an_endless_line_is_refused(stream_failure):
    pieces = [*sse(A, done=False), b"data: ", *[b"x" * 1_000_000] * 9]
    stream_failure(rc.StreamError, stream_reply(pieces))


@pytest.mark.parametrize(("pings", "end"), [([b": ping\n\n", 0.05] * 40, "keep"), ([], "hold")])
def test_35_pings_without_content_are_a_stall(stream_failure, pings, end):
    reply = stream_reply([*sse(A, done=False), *pings], end=end)
    started = time.monotonic()
    error = stream_failure(rc.StreamStalledError, reply, stream_idle_timeout=0.2)
    assert time.monotonic() - started < 1.5
    assert (error.idle_s, error.chunks_received) == (0.2, 1)
    assert isinstance(error, TimeoutError)


@pytest.mark.parametrize("way", ["break", "leave", "raise", "cancel"])
def test_36_leaving_a_stream_frees_its_connection(scripted, is_async, way):
    if way == "cancel" and not is_async:
        pytest.skip("a sync call cannot be cancelled")

    async def consume(client):
        async with entered(client.chat.completions.stream(model="m", messages=[])) as stream:
            if way == "leave":
                return
            async for _ in each(stream):
                if way == "break":
                    break
                if way == "raise":
                    raise KeyError

    async def use(client):
        task = asyncio.create_task(consume(client))
        if way == "cancel":
            await asyncio.sleep(0.2)
            task.cancel()
        [result] = await asyncio.gather(task, return_exceptions=True)
        return type(result), active_connections(client)

    _, both = scripted(stream_reply([*sse(A, B, done=False), 5.0]))
    raised = {"raise": KeyError, "cancel": asyncio.CancelledError}.get(way, type(None))
    assert both.use(use) == (raised, 0)


@pytest.mark.usefixtures("only_new_garbage")
def test_36_a_dropped_stream_is_freed_with_a_warning(scripted):
    async def use(client):
        stream = client.chat.completions.stream(model="m", messages=[])
        enter = getattr(stream, "__aenter__", None) or stream.__enter__
        stream = await awaited(enter())
        del enter
        assert active_connections(client) == 1
        with pytest.warns(ResourceWarning, match="context manager"):
            del stream
            gc.collect()
        await asyncio.sleep(0.05)
        assert active_connections(client) == 0

    _, both = scripted(stream_reply([*sse(A, B, done=False), 5.0]))
    both.use(use)


def test_37_a_finished_stream_gives_its_connection_back(scripted):
    server, both = scripted(stream_reply([*WHOLE, 0.03]))
    for _ in range(3):
        assert len(both.chunks()[0]) == 4
    assert (server.sent, server.connections) == (3, 1)


@pytest.mark.parametrize(
    "refused", [Reply(503), Reply(json=OVERLOADED), stream_reply(sse(OVERLOADED))]
)
def test_38_opening_is_repeated_until_the_first_chunk(scripted, refused):
    server, both = scripted(refused, stream_reply(WHOLE))
    assert content(both.chunks()[0]) == "Hello world"
    assert server.sent == 2


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        (stream_reply([b": hello\n\n"]), rc.APIConnectionError, "ended before its first content"),
        (stream_reply([b": ping\n\n", 0.05] * 40), rc.APITimeoutError, "no response"),
        (stream_reply([b": ping\n\n", 0.05], end="reset"), rc.APIConnectionError, None),
    ],
    ids=["ended", "pings", "reset"],
)
def test_38_a_stream_that_never_begins_is_a_failed_request(stream_failure, reply, error, says):
    stream_failure(error, reply, match=says, stream_idle_timeout=0.2, max_retries=0)


def test_a_stream_is_entered_once(scripted):
    async def use(client):
        stream = client.chat.completions.stream(model="m", messages=[])
        async with entered(stream):
            assert content([chunk async for chunk in each(stream)]) == "Hello world"
        with pytest.raises(rc.ConfigurationError, match="entered once"):
            async with entered(stream):
                pass
        assert stream.completion.choices[0].message.content == "Hello world"

    server, both = scripted(stream_reply(WHOLE))
    both.use(use)
    assert server.sent == 1


def test_wrong_uses_of_streams_say_what_to_do():
    with new_client("http://127.0.0.1:9") as client:
        with pytest.raises(rc.ConfigurationError, match="context manager"):
            list(client.chat.completions.stream(model="m", messages=[]))
        with pytest.raises(ValueError, match=r"chat\.completions\.stream"):
            client.chat.completions.create(model="m", messages=[], stream=True)
