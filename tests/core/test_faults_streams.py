"""Fault table, rows 27 to 39: streams, with both clients against a real socket."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from typing import Any

import pytest

import runcrate_core as rc
from runcrate_core.protocol.error_mapping import parse_error_body, status_of_error
from tests.core.both_clients import SYNC, each, entered
from tests.servers import Reply, ScriptedServer, sse, stream_reply, text_chunk

A, B, END = text_chunk("Hello "), text_chunk("world"), text_chunk("", "stop")
USAGE = {"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 1, "total_tokens": 3}}
WHOLE = sse(A, B, END, USAGE)
OVERLOADED = {"error": {"code": "overloaded", "message": "try later"}}


def content(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_a_whole_stream_folds_to_the_response(run):
    with ScriptedServer(stream_reply(WHOLE)) as server:
        chunks, completion = run.chunks(server.url)
    assert content(chunks) == completion.choices[0].message.content == "Hello world"
    assert completion.usage.total_tokens == 3
    assert server.received[0].json["stream_options"] == {"include_usage": True}


def test_an_odd_field_loses_no_streamed_response(run):
    odd = {**text_chunk("Hello", "stop"), "created": "in the past"}
    with ScriptedServer(stream_reply(sse(odd))) as server:
        _, completion = run.chunks(server.url)
    assert (completion.choices[0].message.content, completion.created) == ("Hello", None)


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
        *(
            Reply(json=body, headers={"content-type": kind})
            for kind, body in (
                ("application/json", {"error": QUOTA}),
                ("text/event-stream", {"error": QUOTA}),
                ("", {"detail": {"error": QUOTA}}),
                ("application/json", {"detail": QUOTA}),
            )
        ),
    ],
)
def test_27_an_error_as_json_keeps_its_class_and_reason(run, reply):
    with ScriptedServer(reply) as server:
        with pytest.raises(rc.InsufficientCreditsError, match="the quota is used up") as caught:
            run.chunks(server.url)
        assert server.sent == 1
    assert caught.value.code == "insufficient_credits"


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        ("text/html", b"<html>Please log in</html>", "web page"),
        ("text/event-stream", b"<!doctype html><p>Please log in", "web page"),
        ("text/html", b"<html>" + b"endless " * 50_000, "web page"),
        ("text/plain", b"OK", "text/plain"),
        ("application/json", b'{"choices": []}', "JSON instead of a stream"),
        ("application/json", b'{"choices": [', "JSON"),
    ],
)
def test_27_what_is_not_a_stream_is_a_format_error_after_one_sending(run, kind, body, says):
    with ScriptedServer(Reply(body=[body], headers={"content-type": kind})) as server:
        with pytest.raises(rc.ResponseFormatError, match=says) as caught:
            run.chunks(server.url)
        assert server.sent == 1
    assert "log in" not in str(caught.value)


@pytest.mark.parametrize(
    ("last", "code"),
    [(sse(OVERLOADED), "overloaded"), ([b"data: {secret words\n\n"], None)],
    ids=["error", "not JSON"],
)
def test_28_a_later_error_is_raised_with_what_came(run, last, code):
    with ScriptedServer(stream_reply([*sse(A, B, done=False), *last])) as server:
        with pytest.raises(rc.StreamError) as caught:
            run.chunks(server.url)
        assert server.sent == 1
    error = caught.value
    assert (error.code, error.chunks_received) == (code, 2)
    assert error.partial["choices"][0]["message"]["content"] == "Hello world"
    assert "secret" not in str(error)


@pytest.mark.parametrize("end", ["close", "reset", "keep"])
def test_29_a_cut_stream_is_truncated(run, end):
    tool = {"index": 0, "id": "call", "function": {"name": "launch", "arguments": '{"gpu": "A1'}}
    cut = {"id": "x", "choices": [{"index": 0, "delta": {"tool_calls": [tool]}}]}
    with ScriptedServer(stream_reply([*sse(A, cut, done=False), 0.05], end=end)) as server:
        with pytest.raises(rc.StreamTruncatedError) as caught:
            run.chunks(server.url)
    message = caught.value.partial["choices"][0]["message"]
    assert message["content"] == "Hello "
    assert not message.get("tool_calls")


def test_33_an_endless_line_is_refused(run):
    pieces = [*sse(A, done=False), b"data: ", *[b"x" * 1_000_000] * 9]
    with ScriptedServer(stream_reply(pieces)) as server, pytest.raises(rc.StreamError):
        run.chunks(server.url)


@pytest.mark.parametrize(
    "silence", [{"pieces": [b": ping\n\n", 0.05] * 40}, {"pieces": [], "end": "hold"}]
)
def test_35_pings_without_content_are_a_stall(run, silence):
    silence = dict(silence)
    pieces = [*sse(A, done=False), *silence.pop("pieces")]
    with ScriptedServer(stream_reply(pieces, **silence)) as server:
        started = time.monotonic()
        with pytest.raises(rc.StreamStalledError) as caught:
            run.chunks(server.url, stream_idle_timeout=0.2)
    assert time.monotonic() - started < 1.5
    assert (caught.value.idle_s, caught.value.chunks_received) == (0.2, 1)
    assert isinstance(caught.value, TimeoutError)


def pool_of(client: Any) -> Any:
    return client._driver.http.client(client._driver.config)._transport._pool


def active(client: Any) -> int:
    return sum(not connection.is_idle() for connection in pool_of(client).connections)


class Abandoned(Exception):
    """Raised by a consumer."""


@pytest.mark.parametrize("way", ["break", "leave", "raise", "cancel"])
async def test_36_leaving_a_stream_frees_its_connection(run, way):
    if way == "cancel" and not run.is_async:
        pytest.skip("a sync call cannot be cancelled")

    async def consume(client):
        async with entered(client.chat.completions.stream(model="m", messages=[])) as stream:
            if way == "leave":
                return
            async for _ in each(stream):
                if way == "break":
                    break
                if way == "raise":
                    raise Abandoned

    with ScriptedServer(stream_reply([*sse(A, B, done=False), 5.0])) as server:
        async with entered(run.client(server.url)) as client:
            task = asyncio.create_task(consume(client))
            if way == "cancel":
                await asyncio.sleep(0.2)
                task.cancel()
            [result] = await asyncio.gather(task, return_exceptions=True)
            expected = {"raise": Abandoned, "cancel": asyncio.CancelledError}
            assert isinstance(result, expected.get(way, type(None)))
            assert active(client) == 0


@pytest.mark.usefixtures("only_new_garbage")
async def test_36_a_dropped_stream_is_freed_with_a_warning(run):
    with ScriptedServer(stream_reply([*sse(A, B, done=False), 5.0])) as server:
        async with entered(run.client(server.url)) as client:
            stream = client.chat.completions.stream(model="m", messages=[])
            stream = await stream.__aenter__() if run.is_async else stream.__enter__()
            assert active(client) == 1
            with pytest.warns(ResourceWarning, match="context manager"):
                del stream
                gc.collect()
            await asyncio.sleep(0.05)
            assert active(client) == 0


def test_37_the_end_mark_is_the_end_even_if_the_body_stays_open(run):
    with ScriptedServer(stream_reply(WHOLE, end="hold")) as server:
        started = time.monotonic()
        chunks, _ = run.chunks(server.url)
        assert time.monotonic() - started < 1.0
    assert content(chunks) == "Hello world"


def test_37_a_finished_stream_gives_its_connection_back(run):
    async def use(client):
        for _ in range(3):
            async with entered(client.chat.completions.stream(model="m", messages=[])) as stream:
                assert len([chunk async for chunk in each(stream)]) == 4

    with ScriptedServer(stream_reply([*WHOLE, 0.03])) as server:
        run(use, server.url)
        assert (server.sent, server.connections) == (3, 1)


@pytest.mark.parametrize(
    "refused", [Reply(503), Reply(json=OVERLOADED), stream_reply(sse(OVERLOADED))]
)
def test_38_opening_is_repeated_until_the_first_chunk(run, refused):
    with ScriptedServer(refused, stream_reply(WHOLE)) as server:
        chunks, _ = run.chunks(server.url)
        assert server.sent == 2
    assert content(chunks) == "Hello world"


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        (stream_reply([b": hello\n\n"]), rc.APIConnectionError, "ended before its first content"),
        (stream_reply([b": ping\n\n", 0.05] * 40), rc.APITimeoutError, "no response"),
        (stream_reply([b": ping\n\n", 0.05], end="reset"), rc.APIConnectionError, None),
    ],
    ids=["ended", "pings", "reset"],
)
def test_38_a_stream_that_never_begins_is_a_failed_request(run, reply, error, says):
    with ScriptedServer(reply) as server:
        with pytest.raises(error, match=says):
            run.chunks(server.url, stream_idle_timeout=0.2, max_retries=0)
        assert server.sent == 1


def test_a_stream_is_entered_once(run):
    async def use(client):
        stream = client.chat.completions.stream(model="m", messages=[])
        async with entered(stream):
            assert content([chunk async for chunk in each(stream)]) == "Hello world"
        with pytest.raises(rc.ConfigurationError, match="entered once"):
            async with entered(stream):
                pass
        assert stream.completion.choices[0].message.content == "Hello world"

    with ScriptedServer(stream_reply(WHOLE)) as server:
        run(use, server.url)
        assert server.sent == 1


def test_a_stream_that_is_not_entered_says_so():
    with ScriptedServer(stream_reply(WHOLE)) as server:
        client = SYNC.client(server.url)
        with pytest.raises(rc.ConfigurationError, match="context manager"):
            list(client.chat.completions.stream(model="m", messages=[]))
        client.close()
        assert server.sent == 0


def test_stream_is_not_an_argument_of_create():
    client = SYNC.client("http://127.0.0.1:9")
    with pytest.raises(ValueError, match=r"chat\.completions\.stream"):
        client.chat.completions.create(model="m", messages=[], stream=True)
    client.close()
