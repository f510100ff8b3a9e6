"""From the bytes of a body to chunks, and how the stream ended."""

import json
import pickle
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcrate_core.protocol.chat_stream import MAX_TRAILER_S, ChatStreamReader
from runcrate_core.protocol.chat_types import ChatCompletionChunk
from runcrate_core.protocol.response import Failure, TransportFailure
from tests.chat_service import chunk
from tests.json_values import json_values

IDLE_S = 60.0


def text_chunk(content=None, finish_reason=None, index=0):
    return chunk({} if content is None else {"content": content}, finish_reason, index)


def event(data):
    return b"data: " + json.dumps(data).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
HELLO = event(text_chunk("Hel")) + event(text_chunk("lo"))
STOP = event(text_chunk(finish_reason="stop"))
USAGE = event({"id": "c", "choices": [], "usage": {"total_tokens": 3}})


def reader():
    return ChatStreamReader(idle_s=IDLE_S, now=0.0)


def read(*pieces, end=True):
    one = reader()
    chunks = [each for piece in pieces for each in one.feed(piece, 0.0)]
    return one, chunks + (one.end(0.0) if end else [])


def content_of(one):
    return one.completion()["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    "body",
    [
        HELLO + STOP + USAGE + DONE,
        HELLO + STOP + USAGE,  # never sends [DONE]
        HELLO + STOP + USAGE[:-2],  # nor the last blank line
        HELLO + STOP + USAGE + DONE[:-2],
        HELLO + STOP + USAGE + DONE + b"data: rubbish\n\n\xff" + event({"error": "late"}),
        HELLO + STOP + STOP + USAGE + DONE,
        event({"id": "", "choices": [], "prompt_filter_results": []}) + HELLO + STOP + USAGE,
        b"\xef\xbb\xbf: hello\n\n" + HELLO + b"data: \n\n: ping\n\n" + STOP + USAGE + DONE,
        (HELLO + STOP + USAGE + DONE).replace(b"data: ", b"data:"),
        (HELLO + STOP + USAGE + DONE).replace(b'"delta"', b'"message"'),
        HELLO + HELLO.replace(b'"delta"', b'"message"') + STOP + USAGE + DONE,  # a summary
        event({"choices": [{"text": "He"}]}) + event({"choices": [{"text": "llo"}]}) + STOP + USAGE,
        (HELLO + STOP + USAGE + DONE).replace(b"\n\n", b"\n"),
        (HELLO + STOP + USAGE).replace(b"\n\n", b"\n") + b'data: {"cut',
        (HELLO + STOP + USAGE + DONE).replace(b"data: ", b"data:  "),
        (HELLO + STOP + USAGE + DONE).replace(b"\n\n", b" \r\n\r\n"),
        HELLO + event(text_chunk()) + STOP + USAGE.replace(b"choices", b"odd") + DONE,
    ],
)
def test_whole_streams(body):
    one, chunks = read(body)
    assert one.fault is None
    assert one.completed
    assert content_of(one) == "Hello"
    assert one.completion()["usage"] == {"total_tokens": 3}
    assert one.completion()["choices"][0]["finish_reason"] == "stop"
    assert one.chunks_received == len(chunks)
    assert all(type(each) is ChatCompletionChunk for each in chunks)
    assert one.feed(HELLO, 0.0) == one.end(0.0) == []


@pytest.mark.parametrize(
    ("body", "chunks", "detail"),
    [
        (HELLO, 2, ""),
        (HELLO + STOP[:-10], 2, ""),
        (HELLO + event(text_chunk("x", finish_reason="")), 3, ""),
        (HELLO + event(text_chunk("b", index=1)) + STOP, 4, ""),  # choice 1 has not finished
        (USAGE, 1, "it held no response"),
        (USAGE + DONE, 1, "it held no response"),
        (DONE, 0, "it held no response"),
        (b"", 0, "it had no event"),
        (b"<html>busy</html>", 0, "it had no event"),
    ],
)
def test_cut_stream(body, chunks, detail):
    one, received = read(body)
    assert (one.fault.kind, one.fault.detail) == ("truncated", detail)
    assert one.fault.chunks_received == one.chunks_received == len(received) == chunks
    assert not one.completed


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({"error": {"message": "m", "code": "overloaded"}}, {"message": "m", "code": "overloaded"}),
        ({**text_chunk("", "error"), "error": {"code": 502}}, {"code": 502}),
        (
            text_chunk("", "error"),
            {"message": "the model's provider ended the response with an error"},
        ),
        ({"message": "m"}, {"message": "m"}),
    ],
)
@pytest.mark.parametrize("before", [b"", HELLO])
@pytest.mark.parametrize("after", [HELLO, b""])
def test_error_event(sent, error, before, after):
    one, chunks = read((before + b"event: error\n" + event(sent) + after).rstrip())
    assert (one.fault.kind, one.fault.error) == ("error_event", error)
    assert one.fault.chunks_received == len(chunks) == one.chunks_received == (2 if before else 0)
    assert one.feed(HELLO, 0.0) == one.end(0.0) == []
    assert "message" not in repr(one.fault)
    assert pickle.loads(pickle.dumps(one.fault)) == one.fault  # noqa: S301 - our own


def test_the_word_error_is_no_error():
    one, chunks = read(
        event(text_chunk("error")) + event({**text_chunk('"error"'), "error": None}) + DONE
    )
    assert one.fault is None
    assert len(chunks) == 2
    assert content_of(one) == 'error"error"'


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b'{"secret": "s3cret", oops}', 21),
        (b'{"a": 1} {"b": 2}', 9),
        *((other, 0) for other in (b"3", b"[]", b"null", b'"text"')),
        *((huge, 0) for huge in (b"[" * 100_000, b"9" * 5000, b'{"a":' + b"9" * 5000 + b"}")),
    ],
)
def test_invalid_json(data, offset):
    one, chunks = read(HELLO + b"data: " + data + b"\n\n" + HELLO)
    assert len(chunks) == 2
    assert (one.fault.kind, one.fault.offset) == ("invalid_json", offset)
    assert one.fault.detail.startswith("event 3 ")
    assert one.fault.chunks_received == 2
    assert "s3cret" not in repr(one.fault)


@pytest.mark.parametrize(("before", "kind"), [(DONE, None), (event({"error": "m"}), "error_event")])
def test_what_comes_before_a_line_without_an_end_counts(before, kind):
    one = ChatStreamReader(idle_s=IDLE_S, now=0.0, max_event_bytes=1000)
    one.feed(HELLO + before + b"data: " + b"x" * 2000, 0.0)
    assert (one.fault and one.fault.kind) == kind


PING = b": ping\n\n"


def fed(*reads):
    """Return a reader that was fed bytes, each at its second."""
    one = reader()
    for data, second in reads:
        one.feed(data, float(second))
    return one


@pytest.mark.parametrize(
    "ping",
    [
        *(PING, PING[:-1], b"", b"data: \n\n", event({"type": "ping"}), event({"choices": []})),
        *(event(text_chunk("")), event(chunk({"role": "assistant", "content": None}))),
        event(chunk({"content": "", "reasoning": None, "tool_calls": []})),
    ],
)
@pytest.mark.parametrize("start", [b"", HELLO])
def test_signs_of_life_do_not_keep_a_silent_stream_alive(ping, start):
    one = fed((start, 0), *((ping, second) for second in range(1, int(IDLE_S))))
    assert one.fault is None
    one.feed(ping, IDLE_S + 1)
    assert one.fault.kind == "stalled"


@pytest.mark.parametrize("name", ["content", "reasoning_content", "tool_calls", "annotations"])
def test_content_keeps_a_slow_stream_alive(name):
    value = [{"index": 0}] if name in {"tool_calls", "annotations"} else "x"
    one = reader()
    for second in range(0, 2000, 50):
        assert len(one.feed(event(chunk({name: value})), float(second))) == 1
        assert one.feed(PING, second + 1.0) == []
    assert one.fault is None


def test_consumer_that_takes_long_does_not_look_like_a_stall():
    one = fed((HELLO, 1), (PING, 1000))  # it waited in the socket's buffer, as what follows
    assert not one.stalled(1000.0)
    assert len(one.feed(STOP, 1000.0)) == 1
    assert one.fault is None


def test_whole_response_does_not_wait_long_for_its_end():
    """Some servers ping on after the last finish reason and never send `[DONE]`."""
    one = fed((HELLO + STOP, 0), (PING, 1))
    assert not one.done
    one.feed(PING, 1.0 + MAX_TRAILER_S)
    assert (one.done, one.fault) == (True, None)


def test_end_that_comes_late_is_still_read():
    one = fed((HELLO + STOP, 0), (PING, 1), (USAGE + DONE, 100))
    assert one.completion()["usage"] == {"total_tokens": 3}
    assert one.done


def test_error_that_comes_late_is_an_error():
    assert fed((event({"error": "m"}), 1000)).fault.kind == "error_event"


@pytest.mark.parametrize("body", [HELLO + STOP, HELLO + DONE])
def test_connection_that_fails_after_the_response_is_whole(body):
    one, _ = read(body, end=False)
    one.fail(TransportFailure(Failure.BROKEN))
    assert one.fault is None
    assert one.completed


texts = st.text(max_size=12)
calls = st.lists(st.tuples(st.sampled_from("fgh"), st.dictionaries(texts, texts, max_size=2)))


@st.composite
def completions(draw):
    """A complete response, and a body that streams it, its choices interleaved."""
    streams, choices = [], []
    for index in range(draw(st.integers(1, 2))):
        message = {"role": "assistant", "content": None}
        deltas = [{"role": "assistant"}]
        for name in ("reasoning_content", "content", "refusal"):
            pieces = draw(st.lists(texts, max_size=4))
            deltas += [{name: piece} for piece in pieces]
            if pieces:
                message[name] = "".join(pieces)
        for number, (name, arguments) in enumerate(draw(calls)):
            text = json.dumps(arguments)
            place = draw(st.integers(0, len(text)))
            call = {"id": f"call_{index}_{number}", "type": "function"}
            head = {**call, "index": number, "function": {"name": name, "arguments": text[:place]}}
            rest = {"index": number, "function": {"arguments": text[place:]}}
            deltas += [{"tool_calls": [head]}, {"tool_calls": [rest]}]
            call["function"] = {"name": name, "arguments": text}
            message.setdefault("tool_calls", []).append(call)
        reason = draw(st.sampled_from(["stop", "length", "tool_calls"]))
        streams.append([*(event(chunk(delta, None, index)) for delta in deltas)])
        streams[-1].append(event(chunk({}, reason, index)))
        choices.append({"index": index, "message": message, "finish_reason": reason})
    order = draw(st.permutations([n for n, events in enumerate(streams) for _ in events]))
    interleaved = b"".join(streams[number].pop(0) for number in order)
    whole = {**chunk({}), "object": "chat.completion", "usage": {"total_tokens": 3}}
    return {**whole, "choices": choices}, interleaved + USAGE


@given(completions(), st.lists(st.integers(0, 100_000), max_size=20), st.booleans())
def test_folded_stream_is_the_whole_response(drawn, places, done):
    """However the response is cut into deltas, and its bytes into reads."""
    whole, body = drawn
    body += DONE if done else b""
    edges = [0, *sorted(place % len(body) for place in places), len(body)]
    pieces = [body[start:end] for start, end in pairwise(edges)]
    one, chunks = read(*pieces)
    assert one.fault is None
    assert one.completion() == whole
    assert chunks == read(body)[1]


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_make_it_raise(noise, as_data):
    one = reader()
    one.feed((b"data: " if as_data else b"") + noise + b"\n\n" + HELLO, 0.0)
    one.end(0.0)
    one.completion()


NAMES = [
    *("choices", "delta", "index", "tool_calls", "function", "arguments", "name", "id"),
    *("usage", "error", "content", "finish_reason", "logprobs", "x_groq", "function_call"),
]


@given(st.lists(json_values(names=st.sampled_from(NAMES), max_leaves=20), max_size=6))
def test_no_json_makes_it_raise(events):
    one, _ = read(*map(event, events))
    json.dumps(one.completion())
