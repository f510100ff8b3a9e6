"""Streams: every mixture of text, thoughts and parallel calls, in every form LangChain has."""

from __future__ import annotations

import asyncio
import json
from itertools import product
from typing import Any

import pytest
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream

from langchain_runcrate.responses import ResponseContext
from langchain_runcrate.streaming import StreamReader
from tests.chat_service import MODEL, USAGE, call_piece, calls_delta, chunk, completion
from tests.langchain.chat_service import (
    STREAMED,
    Recorder,
    chat,
    closed,
    joined,
    reply_of,
    stream,
    streamed,
    usage_chunk,
)
from tests.servers import ScriptedServer, sse, stream_reply

THOUGHTS = [{"reasoning_content": "Let me "}, {"content": None, "reasoning_content": "think."}]
TEXT = [{"content": "It is "}, {"content": "sunny."}]
CALLS = [
    calls_delta(call_piece(0, "", "call_a", "weather")),
    calls_delta(call_piece(0, '{"city": ')),
    calls_delta(call_piece(0, '"Paris"}')),
    calls_delta(call_piece(1, "", "call_b", "time")),
    calls_delta(call_piece(1, '{"city": "Rome"}')),
]
# The calls of an answer that sends their pieces in turns.
INTERLEAVED = [
    calls_delta(call_piece(0, "", "call_a", "weather"), call_piece(1, "", "call_b", "time")),
    calls_delta(call_piece(1, '{"city": '), call_piece(0, '{"city": ')),
    calls_delta(call_piece(0, '"Paris"}')),
    calls_delta(call_piece(1, '"Rome"}')),
]
# Of a server that does not identify its calls.
NAMELESS = [
    calls_delta(call_piece(0, '{"city": ', None, "weather")),
    calls_delta(call_piece(0, '"Paris"}')),
    calls_delta(call_piece(1, '{"city": "Rome"}', None, "time")),
]
MIXTURES = {
    "+".join(name for name, deltas in parts if deltas) or "nothing": [
        delta for _, deltas in parts for delta in deltas
    ]
    for parts in product(
        [("thoughts", THOUGHTS), ("", [])],
        [("text", TEXT), ("", [])],
        [("calls", CALLS), ("interleaved", INTERLEAVED), ("nameless", NAMELESS), ("", [])],
    )
}


def expected_calls(mixture: str) -> list[dict[str, Any]]:
    if mixture.endswith("nameless"):
        ids = ["call_chatcmpl-7_0", "call_chatcmpl-7_1"]
    else:
        ids = ["call_a", "call_b"] if mixture.endswith(("calls", "interleaved")) else []
    called = zip(ids, ("weather", "time"), ("Paris", "Rome"), strict=False)
    return [
        {"type": "tool_call", "id": identifier, "name": name, "args": {"city": city}}
        for identifier, name, city in called
    ]


def expected_blocks(mixture: str) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if "thoughts" in mixture:
        blocks.append({"type": "reasoning", "reasoning": "Let me think."})
    if "text" in mixture:
        blocks.append({"type": "text", "text": "It is sunny."})
    return blocks + expected_calls(mixture)


def without_index(blocks: list[Any]) -> list[dict[str, Any]]:
    return [{key: value for key, value in block.items() if key != "index"} for block in blocks]


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("output_version", [None, "v1"])
def test_every_part_comes_once_streamed_as_whole(mixture, output_version):
    text = "It is sunny." if "text" in mixture else ""
    thoughts = {"reasoning_content": "Let me think."} if "thoughts" in mixture else {}
    calls = [
        (None if "nameless" in mixture else call["id"], call["name"], json.dumps(call["args"]))
        for call in expected_calls(mixture)
    ]
    response = completion(text or None, calls=calls, finish_reason="stop", **thoughts)
    with ScriptedServer(reply_of(response), streamed(*MIXTURES[mixture])) as server:
        model = chat(server, output_version=output_version)
        at_once = model.invoke("Hi")
        by_streaming = chat(server, output_version=output_version, streaming=True).invoke("Hi")
        pieces = [ask(model) for ask in STREAMED]
    assert type(by_streaming) is AIMessage
    assert at_once.additional_kwargs == thoughts
    for message in (at_once, by_streaming, *pieces):
        assert without_index(message.content_blocks) == expected_blocks(mixture)
        assert message.text == text
        assert message.tool_calls == expected_calls(mixture)
        assert not message.invalid_tool_calls
        assert message.additional_kwargs == at_once.additional_kwargs
        assert message.usage_metadata == at_once.usage_metadata
        assert message.response_metadata == at_once.response_metadata
        if output_version == "v1":
            assert without_index(message.content) == expected_blocks(mixture)
    for message in pieces:
        assert [piece["index"] for piece in message.tool_call_chunks] == [0, 1][: len(calls)]


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
async def test_events_of_version_3_follow_the_protocol(mixture):
    recorder = Recorder()
    with ScriptedServer(streamed(*MIXTURES[mixture])) as server:
        model = chat(server, callbacks=[recorder])
        reply = model.stream_events("Hi", version="v3")
        async_reply = await model.astream_events("Hi", version="v3")
        both = [
            (list(reply), reply.output),
            ([event async for event in async_reply], await async_reply.output),
        ]
        await model.aclose()
    for events, message in both:
        assert_valid_event_stream(events)
        assert without_index(message.content) == expected_blocks(mixture)
        assert message.usage_metadata["total_tokens"] == 19
        assert message.response_metadata["finish_reason"] == "stop"
        assert message.response_metadata["model_provider"] == "runcrate"
    assert "".join(token for token, _ in recorder.tokens) == 2 * both[0][1].text


def test_what_is_said_once_stands_on_the_last_chunk_alone():
    recorder = Recorder()
    with ScriptedServer(streamed(*TEXT)) as server:
        chunks = list(chat(server).stream("Hi", config={"callbacks": [recorder]}))
    *others, last = chunks
    info = recorder.ended[0].generations[0][0].generation_info  # where tracers look
    assert info == {"finish_reason": "stop"}
    assert [piece.chunk_position for piece in chunks] == [None, None, "last"]
    assert recorder.tokens == [("It is ", chunks[0]), ("sunny.", chunks[1]), ("", last)]
    for piece in others:
        assert piece.response_metadata == {"model_provider": "runcrate"}
        assert piece.usage_metadata is None
    assert last.response_metadata == {
        "cost": 5.7e-06,
        "cost_source": "catalogue",
        "finish_reason": "stop",
        "id": "chatcmpl-7",
        "model_name": MODEL,
        "model_provider": "runcrate",
        "token_usage": USAGE,
    }
    assert last.usage_metadata == {"input_tokens": 12, "output_tokens": 7, "total_tokens": 19}


@pytest.mark.parametrize(
    "delta",
    [TEXT[0], THOUGHTS[0], THOUGHTS[1], {"role": "assistant", "content": "Hi"}, CALLS[1]],
    ids=["text", "thoughts", "thoughts beside null", "text beside role", "arguments"],
)
def test_a_piece_that_was_not_validated_is_like_one_that_was(delta):
    answer = StreamReader(ResponseContext("m"))
    answer.read(chunk(CALLS[0]))
    piece = answer.read(chunk(delta))
    message = piece.message
    validated = AIMessageChunk(
        content=message.content,
        additional_kwargs=message.additional_kwargs,
        response_metadata=message.response_metadata,
        tool_call_chunks=message.tool_call_chunks,
    )
    # LangChain takes a piece of arguments for a call that went wrong; this does not.
    validated.tool_calls, validated.invalid_tool_calls = [], []
    assert piece == ChatGenerationChunk(message=validated)
    assert dumps(message) == dumps(validated)
    again = AIMessageChunk.model_validate(message.model_dump(exclude_unset=True))
    for name in ("content", "additional_kwargs", "tool_call_chunks"):
        assert getattr(again, name) == getattr(message, name)  # none is lost as not set
    before, names = message.model_dump(), set(message.model_fields_set)
    other = answer.read(chunk(delta)).message  # which shares nothing with it
    other.response_metadata["x"] = other.additional_kwargs["x"] = 1
    other.tool_calls.append({})
    other.model_fields_set.add("x")
    assert (message.model_dump(), message.model_fields_set) == (before, names)


def test_log_probabilities_come_with_their_tokens():
    told = [{"content": [{"token": text}]} for text in ("It ", "is")]
    pieces = [
        {**chunk({}), "choices": [{"index": 0, "delta": {"content": "x"}, "logprobs": logprobs}]}
        for logprobs in told
    ]
    with ScriptedServer(stream_reply(sse(*pieces, chunk({}, "stop")))) as server:
        chunks = list(chat(server).stream("Hi", logprobs=True))
    assert [piece.response_metadata.get("logprobs") for piece in chunks] == [*told, None]
    tokens = joined(chunks).response_metadata["logprobs"]["content"]
    assert [token["token"] for token in tokens] == ["It ", "is"]


CITED = {"annotations": [{"type": "url_citation", "url_citation": {"url": "https://a.example"}}]}
DETAILS = {"reasoning_details": [{"type": "reasoning.encrypted", "data": "abc", "index": 0}]}


@pytest.mark.parametrize(
    ("deltas", "kept"),
    [
        ([{"content": "Yes."}, CITED, DETAILS], CITED | DETAILS),
        (
            [{"refusal": "I will "}, {"content": "Yes."}, {"refusal": "not."}],
            {"refusal": "I will not."},
        ),
        (
            [
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]},
                {"content": [{"type": "text", "text": "Yes."}]},
            ],
            {"reasoning_content": "Hm."},
        ),
        (
            [
                {"content": "Yes.", "function_call": {"name": "f", "arguments": ""}},
                {"function_call": {"arguments": '{"x"'}},
                {"function_call": {"arguments": ": 1}"}},
            ],
            {"function_call": {"name": "f", "arguments": '{"x": 1}'}},
        ),
    ],
)
def test_what_only_some_providers_send_is_kept_and_said_once(deltas, kept):
    with ScriptedServer(streamed(*deltas)) as server:
        message = stream(chat(server))
    assert message.content == "Yes."
    assert message.additional_kwargs == kept
    cited = [{"type": "citation", "url": "https://a.example"}] if "annotations" in kept else None
    assert message.content_blocks[-1].get("annotations") == cited


def test_usage_may_be_left_out_for_servers_without_it():
    with ScriptedServer(streamed(*TEXT)) as server:
        model = chat(server, stream_usage=False)
        list(model.stream("Hi"))
        list(model.stream("Hi", stream_usage=True))
        list(chat(server).stream("Hi"))
        list(chat(server).stream("Hi", stream_usage=False))
        list(chat(server, model_kwargs={"stream_options": {"x": 1}}).stream("Hi"))
    sent = [request.json.get("stream_options") for request in server.received]
    included = {"include_usage": True}
    assert sent == [None, included, included, None, {"x": 1}]


def test_several_answers_are_not_streamed():
    with (
        ScriptedServer(streamed(*TEXT)) as server,
        pytest.raises(ValueError, match="cannot be str"),
    ):
        list(chat(server, n=2).stream("Hi"))
    assert server.sent == 0


async def test_a_stream_that_is_left_gives_its_connection_back():
    many = [{"content": f"word {number} "} for number in range(500)]
    with ScriptedServer(streamed(*many)) as server:
        model = chat(server)
        for _ in model.stream("Hi"):
            break
        generator = model.astream("Hi")
        await anext(generator)
        await generator.aclose()
        await model.aclose()
        model.close()
        assert await asyncio.to_thread(closed, server)


COUNTING = [chunk(delta, usage={**USAGE, "completion_tokens": n}) for n, delta in enumerate(TEXT)]


@pytest.mark.parametrize(
    "events",
    [
        [chunk(TEXT[0]), chunk({}, "stop", usage=USAGE)],
        [*COUNTING, chunk({}, "stop"), usage_chunk()],
    ],
    ids=["beside the finish reason", "counting up"],
)
def test_usage_is_read_once_wherever_it_is(events):
    with ScriptedServer(stream_reply(sse(*events))) as server:
        assert stream(chat(server)).usage_metadata["output_tokens"] == 7
