"""Large bodies: the same bytes and values as small ones, made and read off the event loop."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcrate_core import AsyncRuncrate
from runcrate_core.api.resources import AsyncResource, async_endpoint
from runcrate_core.io.concurrency import run_in_steps
from runcrate_core.io.request_body import UPLOAD_PIECE_BYTES, async_body, is_piecewise, pieces_of
from runcrate_core.protocol import large_values
from runcrate_core.protocol.json_body import encode_json
from runcrate_core.protocol.large_values import LARGE, load_json
from runcrate_core.protocol.request import RetrySafety, Surface, json_request
from runcrate_core.protocol.steps import Call
from tests.chat_service import completion
from tests.json_values import json_values
from tests.servers import Reply, ScriptedServer, sse, stream_reply, text_chunk

TEXTS = st.text(st.sampled_from('a"\\\né😀u0d83x'), max_size=60)
VALUES = json_values(TEXTS, max_leaves=12)


@pytest.fixture(autouse=True, scope="module")
def _short_steps() -> Any:
    """Let a step have 12 characters, so that short values take many."""
    before = large_values.STEP
    large_values.STEP = 12
    yield
    large_values.STEP = before


def outcome(function: Any, *args: Any) -> str:
    try:
        return repr(function(*args))
    except ValueError as error:
        return repr((type(error), str(error)))


ENCODINGS = st.sampled_from(["utf-8", "utf-16", "utf-32", "utf-8-sig"])


@given(VALUES, st.booleans(), st.sampled_from([None, 1]), ENCODINGS)
def test_json_is_read_as_by_the_standard_library(value, escaped, indent, encoding):
    body = json.dumps(value, ensure_ascii=escaped, indent=indent).encode(encoding)
    assert repr(load_json(body)) == repr(json.loads(body))


@given(VALUES, st.data())
def test_broken_json_is_refused_in_the_words_of_the_standard_library(value, data):
    body = json.dumps(value).encode()
    place = data.draw(st.integers(0, len(body)))
    odd = data.draw(st.sampled_from([b"", b",", b"}", b'"', b"\\", b"\xff"]))
    broken = body[:place] + odd + body[place + 1 :]
    assert outcome(load_json, broken) == outcome(json.loads, broken)


@given(VALUES)
def test_json_is_written_as_by_the_standard_library(value):
    at_once = large_values.dump_json(value)
    assert asyncio.run(run_in_steps(large_values.dump_json, value)) == at_once
    assert at_once == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@given(st.binary(max_size=60))
def test_base64_is_that_of_the_standard_library(data):
    assert large_values.encode_base64(data) == base64.b64encode(data).decode()
    assert large_values.decode_base64(large_values.encode_base64(data)) == data


@pytest.mark.parametrize("text", ["AA==" + "AAAA" * 4, "AAA", "A*==", "AAAA" * 3 + "A"])
def test_what_is_not_base64_is_refused(text):
    with pytest.raises(ValueError, match=r"base64|padding|data"):
        large_values.decode_base64(text)


async def test_a_long_text_with_a_lone_surrogate_is_refused_by_its_name():
    with pytest.raises(ValueError, match=r"`messages\[0\]\.content` is not valid Unicode"):
        await run_in_steps(encode_json, {"messages": [{"content": "a" * 30 + "\ud800"}]})


async def test_a_large_body_goes_up_in_pieces():
    body = b"ab" * UPLOAD_PIECE_BYTES
    assert is_piecewise(body)
    assert not is_piecewise(body[:UPLOAD_PIECE_BYTES])
    assert not is_piecewise(None)
    assert [len(piece) for piece in pieces_of(body)] == [UPLOAD_PIECE_BYTES] * 2
    assert b"".join([piece async for piece in async_body(body)]) == body


class Threads(AsyncResource):
    """An endpoint that returns the threads which made its request and read its response."""

    @staticmethod
    def _make(texts: list[Any]) -> Call[tuple[int, int]]:
        made_in = threading.get_ident()
        request = json_request(
            Surface.INFERENCE, "POST", "/x", retry=RetrySafety.SAFE, body={"texts": texts}
        )
        return Call(request, lambda _: (made_in, threading.get_ident()))

    find = async_endpoint(_make)


@pytest.mark.parametrize("size", [10, LARGE // 2 + 1])
async def test_large_requests_and_responses_are_handled_in_threads(size):
    text = "x" * size
    with ScriptedServer(Reply(json={"text": text * 2})) as server:
        async with AsyncRuncrate("rc_live_test", inference_url=f"{server.url}/v1") as client:
            threads = await Threads(client.models._driver).find([text, (text,)])
    is_off_loop = tuple(thread != threading.get_ident() for thread in threads)
    assert is_off_loop == (2 * size > LARGE,) * 2
    assert server.received[0].json == {"texts": [text, [text]]}


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_large_chat_is_encoded_in_short_steps_off_the_event_loop(monkeypatch, streamed):
    monkeypatch.setattr(large_values, "STEP", LARGE)
    encode, steps = large_values._encode, []

    def counted(value):
        encoded = encode(value)
        steps.append((threading.get_ident(), len(encoded)))
        return encoded

    monkeypatch.setattr(large_values, "_encode", counted)
    text = "a" * (3 * LARGE)
    answered = stream_reply(sse(text_chunk("ok", "stop")))
    with ScriptedServer(answered if streamed else Reply(json=completion(text))) as server:
        async with AsyncRuncrate("rc_live_test", inference_url=f"{server.url}/v1") as client:
            arguments: Any = {"model": "m", "messages": [{"role": "user", "content": text}]}
            if streamed:
                async with client.chat.completions.stream(**arguments) as stream:
                    assert [chunk async for chunk in stream]
            else:
                whole = await client.chat.completions.create(**arguments)
                assert whole.choices[0].message.content == text
    assert server.received[0].json["messages"][0]["content"] == text
    assert [length for _, length in steps][1:] == [LARGE + len('""')] * 3
    assert threading.get_ident() not in {thread for thread, _ in steps}
