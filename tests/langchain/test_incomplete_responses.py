"""An answer that is incomplete is never taken for complete, streamed or not."""

from __future__ import annotations

import asyncio
import json
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_runcrate.responses import ResponseContext, assistant_message
from langchain_runcrate.streaming import StreamReader
from runcrate_core.protocol.chat_stream import ChatStreamReader
from tests.chat_service import call_piece, calls_delta, chunk
from tests.json_values import json_values
from tests.langchain.chat_service import chat, stream, streamed, structured, whole
from tests.schemas import CABINET, PLAN, Cabinet, Dog, Plan
from tests.servers import ScriptedServer, sse, stream_reply

TOOL = {
    "type": "function",
    "function": {
        "name": "wipe",
        "parameters": {"properties": {"path": {"type": "string"}}, "required": ["path"]},
    },
}
CONTEXT = ResponseContext("m", tools=[TOOL])
HALF = '{"path": "/data/ol'

arguments = st.dictionaries(st.text(), json_values(), max_size=3)


def piece(arguments: str, identifier: str | None = None, name: str | None = None) -> Any:
    return calls_delta(call_piece(0, arguments, identifier, name))


def summed(pieces: list[str], finish: str, name: str = "wipe") -> AIMessageChunk:
    """Return the sum of the chunks of a streamed call, its arguments in these pieces."""
    core, reader = ChatStreamReader(idle_s=60, now=0), StreamReader(CONTEXT)
    deltas = [piece("", identifier="c", name=name), *map(piece, pieces)]
    data = b"".join(sse(*map(chunk, deltas), chunk({}, finish)))
    read = [reader.read(one) for one in core.feed(data, 0)]
    chunks = [*filter(None, read), *reader.end(core.completion(), None)]
    total = chunks[0].message
    for one in chunks[1:]:
        total += one.message
    assert isinstance(total, AIMessageChunk)
    return total


def unstreamed(text: str, finish: str) -> AIMessage:
    call = {"id": "c", "function": {"name": "wipe", "arguments": text}}
    return assistant_message({"tool_calls": [call]}, finish_reason=finish, context=CONTEXT)


@settings(max_examples=30)
@given(arguments, st.data(), st.sampled_from(["length", "tool_calls", "stop"]))
def test_a_call_cut_anywhere_is_invalid_streamed_as_whole(values, data, finish):
    text = json.dumps(values, ensure_ascii=data.draw(st.booleans()))
    cut = data.draw(st.integers(0, len(text)))
    piece = data.draw(st.integers(0, cut))
    stream = summed([text[:piece], text[piece:cut]], finish)
    message = unstreamed(text[:cut], finish)
    expected = [values] if cut == len(text) else []
    for one in (stream, message):
        assert [call["args"] for call in one.tool_calls] == expected
        assert len(one.invalid_tool_calls) == 1 - len(expected)
    assert [call["args"] for call in message.invalid_tool_calls] == [text[:cut]] * (cut < len(text))


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("null", {}),
        (" \n", {}),
        ("\n{}", {}),
        (' {}{"path": "a"}', {"path": "a"}),
        ('"{\\"path\\": \\"a\\"}"', {"path": "a"}),
        ('{"path": "a\n\tb"}', {"path": "a\n\tb"}),
        (
            r'{"a": "x\ud83d", "b": "\ud83d\ude00\\ud83d", "c": "\ude00\n"}',
            {"a": "x\ufffd", "b": "\U0001f600\\ud83d", "c": "\ufffd\n"},
        ),
        ('{"path": NaN}', None),
        ("[1]", None),
        ('{"path": 1} {"path": 2}', None),
        ('{"path": 1}]', None),
        ('""', None),
        ("\\", None),
    ],
)
def test_odd_arguments_are_read_in_every_stream_as_in_a_complete_response(text, arguments):
    bare = {"type": "function", "function": {"name": "wipe"}}
    deltas = [piece("", identifier="c", name="wipe"), *map(piece, text), {"tool_calls": None}]
    pieces = stream_reply(sse(*map(chunk, deltas), chunk({}, "tool_calls")))
    call = {"id": "c", "function": {"name": "wipe", "arguments": text}}
    with ScriptedServer(whole({"tool_calls": [call]}, "tool_calls"), pieces) as server:
        model = chat(server).bind_tools([bare])
        events: Any = model.stream_events
        messages = [model.invoke("x"), stream(model), events("x", version="v3").output]
    expected = [] if arguments is None else [arguments]
    assert [[call["args"] for call in one.tool_calls] for one in messages] == [expected] * 3
    for one in messages:
        assert len(one.invalid_tool_calls) == 1 - len(expected)
        assert all(call["args"].startswith(text) for call in one.invalid_tool_calls)


@pytest.mark.parametrize("way", ["invoke", "streaming", "messages", "events v1", "events v2", "v3"])
def test_an_agent_never_runs_half_a_call(way):
    ran = []

    @tool
    def wipe(path: str = "/") -> str:
        """Delete files."""
        ran.append(path)
        return "done"

    async def events(agent: Any, version: str) -> None:
        async for _ in agent.astream_events(question, version=version):
            pass

    question = {"messages": [("user", "x")]}
    half = structured("function_calling", HALF, "length", name="wipe", stream=way != "invoke")
    with ScriptedServer(half) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the beta versions of events
        options = {"streaming": True} if way == "streaming" else {}
        agent: Any = create_agent(chat(server, **options), [wipe])
        if way == "messages":
            list(agent.stream(question, stream_mode="messages"))
        elif way.startswith("events"):
            asyncio.run(events(agent, way.split()[1]))
        elif way == "v3":
            stream: Any = chat(server).bind_tools([wipe]).stream_events("x", version="v3")
            assert stream.output.tool_calls == []
        else:
            assert agent.invoke(question)["messages"][-1].invalid_tool_calls
    assert ran == []


METHODS = ["json_schema", "function_calling", "json_mode"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("schema", [Plan, Plan.model_json_schema()])
@pytest.mark.parametrize("finish", ["length", "stop"])
def test_a_cut_structured_answer_is_an_error(method, schema, finish):
    limit = "token limit" if finish == "length" else None
    for cut in (1, 45, len(PLAN) - 1):
        text = PLAN[:cut]
        replies = [
            structured(method, text, finish, name="Plan", stream=stream) for stream in (False, True)
        ]
        with ScriptedServer(*replies, replies[1], replies[1]) as server:
            plain = chat(server).with_structured_output(schema, method=method)
            with pytest.raises(OutputParserException, match=limit):
                plain.invoke("x")
            with pytest.raises(OutputParserException, match=limit):
                list(plain.stream("x"))
            streaming = chat(server, streaming=True)
            with pytest.raises(OutputParserException, match=limit):
                streaming.with_structured_output(schema, method=method).invoke("x")
            raw = streaming.with_structured_output(schema, method=method, include_raw=True)
            total: Any = None
            for part in raw.stream("x"):
                total = part if total is None else total + part
            assert total["parsed"] is None
            assert isinstance(total["parsing_error"], OutputParserException)
            assert isinstance(total["raw"], AIMessageChunk)
            assert server.sent == 4


@pytest.mark.parametrize("method", METHODS)
def test_validators_meet_complete_data_only(method):
    with ScriptedServer(structured(method, PLAN, name="Plan", stream=True)) as server:
        *partial, last = chat(server).with_structured_output(Plan, method=method).stream("x")
        grown = chat(server).with_structured_output(Plan.model_json_schema(), method=method)
        *dicts, last_dict = grown.stream("x")
    assert len(partial) > 3
    assert all(isinstance(plan, Plan) for plan in partial)
    assert {plan.name for plan in partial} <= {"", "a", "ab"}
    assert last == Plan.model_validate_json(PLAN)
    assert last.name == "AB"
    assert {"name": "ab"} in dicts
    assert len(dicts) > 3
    assert last_dict == json.loads(PLAN)


def test_partial_objects_have_the_form_of_the_complete_one():
    with ScriptedServer(structured("json_schema", CABINET, name="Cabinet", stream=True)) as server:
        chain = chat(server).with_structured_output(Cabinet, method="json_schema")
        *partial, last = chain.stream("x")
    assert last == Cabinet.model_validate_json(CABINET)
    assert partial[-1].model_dump() == last.model_dump()
    assert {each.day for each in partial} == {None, last.day}
    assert {type(each.pet) for each in partial} == {type(None), Dog}


@pytest.mark.parametrize("stream", [False, True])
def test_no_arguments_at_all_do_not_give_an_object_of_defaults(stream):
    class Options(BaseModel):
        """Options."""

        path: str = "/"

    reply = structured("function_calling", "", "tool_calls", name="Options", stream=stream)
    with ScriptedServer(reply) as server:
        model = chat(server, streaming=stream)
        with pytest.raises(OutputParserException, match=r"missing|not complete"):
            model.with_structured_output(Options, method="function_calling").invoke("x")


@pytest.mark.parametrize("stream", [False, True])
def test_tool_names_with_dots_go_to_the_server_and_back(stream):
    parameters = {"type": "object", "properties": {}}
    named = {"name": "weather.get city", "description": "W.", "parameters": parameters}
    call = {"id": "c", "function": {"name": "weather_get_city", "arguments": "{}"}}
    reply = whole({"tool_calls": [call]}, "tool_calls")
    if stream:
        reply = streamed(calls_delta({"index": 0, **call}), finish="tool_calls")
    with ScriptedServer(reply) as server:
        model = chat(server, streaming=stream).bind_tools([named], tool_choice="weather.get city")
        message = model.invoke("x")
        body = server.received[0].json
    assert [call["name"] for call in message.tool_calls] == ["weather.get city"]
    assert body["tools"][0]["function"]["name"] == "weather_get_city"
    assert body["tool_choice"]["function"]["name"] == "weather_get_city"
