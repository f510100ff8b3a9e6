"""Streams: every mixture of text, thoughts and parallel calls, in every form LangChain has."""

from __future__ import annotations

import asyncio
import pickle
from itertools import product
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream

from langchain_runcrate.responses import ResponseContext
from langchain_runcrate.streaming import StreamReader
from tests.chat_service import MODEL, USAGE, call_piece, calls_delta, chunk
from tests.langchain.chat_service import (
    STREAMED,
    chat,
    joined,
    stream,
    streamed,
    usage_chunk,
    whole,
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
EXPECTED_CALLS = [
    {"type": "tool_call", "id": "call_a", "name": "weather", "args": {"city": "Paris"}},
    {"type": "tool_call", "id": "call_b", "name": "time", "args": {"city": "Rome"}},
]
MIXTURES = {
    "+".join(name for name, deltas in parts if deltas) or "nothing": [
        delta for _, deltas in parts for delta in deltas
    ]
    for parts in product(
        [("thoughts", THOUGHTS), ("", [])],
        [("text", TEXT), ("", [])],
        [("calls", CALLS), ("interleaved", INTERLEAVED), ("", [])],
    )
}


def expected_blocks(mixture: str) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if "thoughts" in mixture:
        blocks.append({"type": "reasoning", "reasoning": "Let me think."})
    if "text" in mixture:
        blocks.append({"type": "text", "text": "It is sunny."})
    if "calls" in mixture or "interleaved" in mixture:
        blocks += EXPECTED_CALLS
    return blocks


def without_index(blocks: list[Any]) -> list[dict[str, Any]]:
    return [{key: value for key, value in block.items() if key != "index"} for block in blocks]


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("output_version", [None, "v1"])
@pytest.mark.parametrize("ask", STREAMED)
def test_a_joined_stream_has_every_part_once(mixture, output_version, ask):
    with ScriptedServer(streamed(*MIXTURES[mixture])) as server:
        message = ask(chat(server, output_version=output_version))
    assert without_index(message.content_blocks) == expected_blocks(mixture)
    assert message.text == ("It is sunny." if "text" in mixture else "")
    if "calls" in mixture or "interleaved" in mixture:
        assert message.tool_calls == EXPECTED_CALLS
        assert [piece["index"] for piece in message.tool_call_chunks] == [0, 1]
    assert not message.invalid_tool_calls
    if output_version == "v1":
        assert without_index(message.content) == expected_blocks(mixture)
    else:
        thoughts = message.additional_kwargs.get("reasoning_content")
        assert thoughts == ("Let me think." if "thoughts" in mixture else None)


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
async def test_events_of_version_3_follow_the_protocol(mixture):
    with ScriptedServer(streamed(*MIXTURES[mixture])) as server:
        model = chat(server)
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


def whole_message(mixture: str) -> dict[str, Any]:
    message: dict[str, Any] = {"content": "It is sunny." if "text" in mixture else None}
    if "thoughts" in mixture:
        message["reasoning_content"] = "Let me think."
    if "calls" in mixture or "interleaved" in mixture:
        message["tool_calls"] = [
            {
                "id": f"call_{letter}",
                "type": "function",
                "function": {"name": name, "arguments": f'{{"city": "{city}"}}'},
            }
            for letter, name, city in (("a", "weather", "Paris"), ("b", "time", "Rome"))
        ]
    return message


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("output_version", [None, "v1"])
def test_a_stream_says_what_the_whole_answer_says(mixture, output_version):
    with ScriptedServer(whole(whole_message(mixture)), streamed(*MIXTURES[mixture])) as server:
        model = chat(server, output_version=output_version)
        at_once = model.invoke("Hi")
        by_streaming = chat(server, output_version=output_version, streaming=True)
        in_pieces = [stream(model), by_streaming.invoke("Hi")]
    for message in in_pieces:
        assert without_index(message.content_blocks) == without_index(at_once.content_blocks)
        assert message.tool_calls == at_once.tool_calls
        assert message.additional_kwargs == at_once.additional_kwargs
        assert message.usage_metadata == at_once.usage_metadata
        assert message.response_metadata == at_once.response_metadata
    assert type(in_pieces[1]) is AIMessage


def test_what_is_said_once_stands_on_the_last_chunk_alone():
    seen: list[tuple[str, Any]] = []

    class Handler(BaseCallbackHandler):
        def on_llm_new_token(self, token, *, chunk, **_):
            seen.append((token, chunk.message))

    with ScriptedServer(streamed(*TEXT)) as server:
        chunks = list(chat(server).stream("Hi", config={"callbacks": [Handler()]}))
    *others, last = chunks
    assert [piece.chunk_position for piece in chunks] == [None, None, "last"]
    assert seen == [("It is ", chunks[0]), ("sunny.", chunks[1]), ("", last)]
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
    assert message.__dict__.keys() == validated.__dict__.keys()
    assert repr(message) == repr(validated)
    assert dumps(message) == dumps(validated)
    assert pickle.loads(pickle.dumps(piece)) == piece  # noqa: S301 - its own
    assert message.model_copy(deep=True) == message
    message.id = "set later"
    assert "id" in message.model_fields_set


def test_pieces_share_nothing_that_could_be_changed():
    answer = StreamReader(ResponseContext("m"))
    first, second = (answer.read(chunk(TEXT[0])).message for _ in range(2))
    first.response_metadata["x"] = first.additional_kwargs["x"] = 1
    first.tool_calls.append({})
    first.model_fields_set.add("x")
    assert second.response_metadata == {"model_provider": "runcrate"}
    assert second.additional_kwargs == {}
    assert second.tool_calls == []
    assert "x" not in second.model_fields_set


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@pytest.mark.parametrize("output_version", [None, "v1"])
def test_calls_without_identifiers_get_one_that_is_always_the_same(output_version):
    pieces = [
        call_piece(0, '{"x":', None, "a"),
        call_piece(0, "1}"),
        call_piece(1, "{}", None, "b"),
    ]
    calls = [
        {"type": "function", "function": {"name": name, "arguments": text}}
        for name, text in (("a", '{"x": 1}'), ("b", "{}"))
    ]
    stream_of_calls = streamed(*map(calls_delta, pieces))
    replies = stream_of_calls, stream_of_calls, whole({"content": None, "tool_calls": calls})
    with ScriptedServer(*replies) as server:
        model = chat(server, output_version=output_version)
        events = model.stream_events("Hi", version="v3").output
        for message in (stream(model), model.invoke("Hi"), events):
            assert without_index(message.content_blocks) == [
                {"type": "tool_call", "id": "call_chatcmpl-7_0", "name": "a", "args": {"x": 1}},
                {"type": "tool_call", "id": "call_chatcmpl-7_1", "name": "b", "args": {}},
            ]


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


def test_what_only_some_providers_send_is_kept_and_said_once():
    extra = {
        "annotations": [{"type": "url_citation", "url_citation": {"url": "https://a.example"}}]
    }
    detail = {"type": "reasoning.encrypted", "data": "abc", "index": 0}
    deltas = [{"content": "See."}, extra, {"reasoning_details": [detail]}]
    with ScriptedServer(streamed(*deltas)) as server:
        message = stream(chat(server))
    assert message.additional_kwargs == {**extra, "reasoning_details": [detail]}
    assert message.content_blocks[0]["annotations"] == [
        {"type": "citation", "url": "https://a.example"}
    ]


def test_parts_in_place_of_text_and_old_style_function_calls_are_read():
    deltas = [
        {"refusal": "I will "},
        {"refusal": "not."},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]},
        {"content": [{"type": "text", "text": "Yes."}]},
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": '{"x"'}},
        {"function_call": {"arguments": ": 1}"}},
    ]
    with ScriptedServer(streamed(*deltas, finish="function_call")) as server:
        message = stream(chat(server))
    assert message.content == "Yes."
    assert message.additional_kwargs == {
        "reasoning_content": "Hm.",
        "refusal": "I will not.",
        "function_call": {"name": "f", "arguments": '{"x": 1}'},
    }


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
        for _ in range(100):
            if not server.open_connections:
                break
            await asyncio.sleep(0.01)
        assert server.open_connections == 0


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
