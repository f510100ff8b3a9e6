"""Tool calls: prepared, streamed in pieces, selected, and read while they are being written."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ToolCallBlock
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from llamaindex_runcrate.partial_json import PartialJson
from llamaindex_runcrate.responses import ChunkReader, ResponseContext
from llamaindex_runcrate.schemas import wire_tool_choice, wire_tools
from llamaindex_runcrate.structured_responses import json_values as values_in
from tests.chat_service import call_piece, calls_delta, chunk, completion, end
from tests.json_values import json_values
from tests.llamaindex.calls import STREAMS, WAYS, ask, ask_with_tools


def look(at: str, days: int = 1) -> str:
    """Look at something."""
    return f"{at} for {days}"


TOOLS = [FunctionTool.from_defaults(look)]


@pytest.mark.parametrize("way", WAYS)
async def test_tools_are_offered(made_llm, service, way):
    service.will_say(completion(calls=[("c1", "look", '{"at": "x"}')]))
    await ask_with_tools(made_llm(), way, TOOLS, "Look!", allow_parallel_tool_calls=True)
    assert service.last["messages"] == [{"role": "user", "content": "Look!"}]
    (tool,) = service.last["tools"]
    assert tool["type"] == "function"
    assert tool["function"]["name"] == "look"
    assert tool["function"]["parameters"]["required"] == ["at"]
    assert "strict" not in tool["function"]
    assert "additionalProperties" not in tool["function"]["parameters"]
    assert not {"tool_choice", "parallel_tool_calls"} & service.last.keys()
    for strict in (True, False):
        await ask_with_tools(made_llm(strict=True), way, TOOLS, "Look!", strict=strict)
        assert service.last["tools"][0]["function"]["strict"] is strict
    await ask(made_llm(), way, "x", tools=[], tool_choice="required", parallel_tool_calls=False)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & service.last.keys()


@pytest.mark.parametrize(
    ("choice", "required", "sent"),
    [
        (None, False, None),
        (None, True, "required"),
        ("auto", True, "auto"),
        ("any", False, "required"),
        ("none", False, "none"),
        ("look", False, {"type": "function", "function": {"name": "look"}}),
        ({"type": "x"}, False, {"type": "x"}),
    ],
)
def test_tool_choice(choice, required, sent):
    assert wire_tool_choice(choice, required=required) == sent


@pytest.mark.parametrize("way", WAYS)
async def test_only_one_call_where_only_one_is_wanted(made_llm, service, way):
    calls = [("c1", "look", '{"at": "a"}'), ("c2", "look", '{"at": "b"}')]
    service.will_say(completion(calls=calls))
    llm = made_llm()
    for each in await ask_with_tools(llm, way, TOOLS, "Look!"):
        assert len(llm.get_tool_calls_from_response(each, error_on_no_tool_call=False)) <= 1
        blocks = [b for b in each.message.blocks if isinstance(b, ToolCallBlock)]
        assert len(blocks) == len(each.message.additional_kwargs.get("tool_calls", []))
    assert service.last["parallel_tool_calls"] is False
    both = await ask_with_tools(llm, way, TOOLS, "Look!", allow_parallel_tool_calls=True)
    assert [c.tool_id for c in llm.get_tool_calls_from_response(both[-1])] == ["c1", "c2"]


def piece(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return chunk({"tool_calls": [call_piece(*args, **kwargs)]})


A, B = {"at": "aaa"}, {"at": "bbb", "days": 2}
A_TEXT, B_TEXT = json.dumps(A), json.dumps(B)
NAMELESS = completion(calls=[(None, "look", text) for text in (A_TEXT, B_TEXT)])
INTERLEAVED = [
    piece(0, "", "1", "look"),
    piece(1, "", "2", "look"),
    piece(0, A_TEXT[:7]),
    piece(1, B_TEXT[:7]),
    piece(0, A_TEXT[7:]),
    piece(1, B_TEXT[7:]),
]
LATE = [piece(1, B_TEXT, "2", "look"), piece(0, A_TEXT, "1", "look")]


@pytest.mark.parametrize("way", WAYS)
async def test_signatures_of_calls_go_back_with_them(made_llm, service, way):
    signature = {"extra_content": {"google": {"thought_signature": "x"}}}
    whole = completion(calls=[("1", "look", A_TEXT), ("2", "look", B_TEXT)])
    calls = whole["choices"][0]["message"]["tool_calls"]
    calls[0] |= signature
    service.will_say(whole)
    if way in STREAMS:
        pieces = [call_piece(0, A_TEXT, "1", "look"), signature, call_piece(1, B_TEXT, "2", "look")]
        service.will_say([*(chunk(calls_delta(one)) for one in pieces), *end("tool_calls")])
    last = (await ask_with_tools(made_llm(), way, TOOLS, "x", allow_parallel_tool_calls=True))[-1]
    service.will_say(completion("ok"))
    made_llm().chat([last.message])
    assert service.last["messages"][0]["tool_calls"] == calls


@pytest.mark.parametrize(
    ("way", "answer", "ids"),
    [
        *((way, [*INTERLEAVED, *end("tool_calls")], ["1", "2"]) for way in STREAMS),
        *((way, [*LATE, *end("tool_calls")], ["1", "2"]) for way in STREAMS),
        *((way, NAMELESS, ["call_chatcmpl-7_0", "call_chatcmpl-7_1"]) for way in WAYS),
    ],
)
async def test_calls_have_ids_of_their_own_that_stay(made_llm, service, way, answer, ids):
    """The core puts them in order; its tests try all servers, LangChain's several turns."""
    service.will_say(answer)
    llm = made_llm()
    chunks = await ask(llm, way, "x")
    calls = llm.get_tool_calls_from_response(chunks[-1])
    assert [(call.tool_id, call.tool_name, call.tool_kwargs) for call in calls] == [
        (each, "look", arguments) for each, arguments in zip(ids, (A, B), strict=True)
    ]
    assert {
        (call.tool_id, call.tool_name)
        for each in chunks
        for call in llm.get_tool_calls_from_response(each, error_on_no_tool_call=False)
    } == {(each, "look") for each in ids}
    if way in STREAMS:
        assert chunks[-2].message == chunks[-1].message
    service.will_say(completion("ok"))
    llm.chat([chunks[-1].message])
    assert [call["id"] for call in service.last["messages"][0]["tool_calls"]] == ids


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("text", "arguments"), [("", {}), (json.dumps(A_TEXT), A)], ids=["none", "written twice over"]
)
async def test_arguments_are_those_that_the_core_reads(made_llm, service, way, text, arguments):
    service.will_say(completion(calls=[("c", "look", text)]))
    llm = made_llm()
    last = (await ask(llm, way, "x"))[-1]
    (call,) = llm.get_tool_calls_from_response(last)
    assert (call.tool_name, call.tool_kwargs) == ("look", arguments)
    (legacy,) = last.message.additional_kwargs["tool_calls"]  # which LlamaIndex's programs read
    assert json.loads(legacy["function"]["arguments"]) == arguments


def test_calls_of_other_integrations_are_selected(made_llm):
    class Call(BaseModel):
        id: str
        type: str
        function: dict[str, str]

    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": A_TEXT}}
    block = ToolCallBlock(tool_call_id="c", tool_name="look", tool_kwargs=A_TEXT)
    for message in (
        ChatMessage(role="assistant", additional_kwargs={"tool_calls": [call]}),
        ChatMessage(role="assistant", additional_kwargs={"tool_calls": [Call(**call)]}),
        ChatMessage(role="assistant", blocks=[block]),
    ):
        (selected,) = made_llm().get_tool_calls_from_response(ChatResponse(message=message))
        assert (selected.tool_id, selected.tool_name, selected.tool_kwargs) == ("c", "look", A)


async def test_tool_calls_come_whole_where_streaming_them_is_off(made_llm, service):
    service.will_say(completion("Looking.", calls=[("c1", "look", A_TEXT)]))
    llm = made_llm(stream_tool_calls=False)
    for way in STREAMS:
        (only,) = await ask_with_tools(llm, way, TOOLS, "x")
        assert only.delta == "Looking."
        assert llm.get_tool_calls_from_response(only)[0].tool_kwargs == A
        assert "stream" not in service.last
        assert len(await ask(llm, way, "x")) > 1


def seconds_for(pieces: int, text: str) -> float:
    """Processor time for a call whose arguments come in so many pieces."""
    chunks = [piece(0, identifier="c", name="look", text='{"items": [')]
    chunks += [piece(0, text=text) for _ in range(pieces)]
    reader = ChunkReader(ResponseContext())
    started = time.process_time()
    for each in chunks:
        response = reader.read(each)
        assert response is not None
        block = response.message.blocks[-1]
        assert isinstance(block, ToolCallBlock)
        assert isinstance(block.tool_kwargs, dict)
    return time.process_time() - started


@pytest.mark.parametrize("text", ['{"a": 1}, ', "word "])
def test_four_thousand_pieces_of_arguments_cost_a_linear_time(text):
    seconds_for(100, text)
    few, many = (min(seconds_for(pieces, text) for _ in range(2)) for pieces in (1000, 4000))
    assert many < 10 * few  # four times for linear, sixteen for square


@pytest.mark.parametrize("text", ["[1," * 20_000, '{"a": ' * 20_000, "[x] {y} " * 10_000 + "{"])
def test_an_answer_of_open_brackets_alone_is_given_up(text):
    started = time.process_time()
    with pytest.raises(ValueError, match="not closed"):
        list(values_in(text))
    assert time.process_time() - started < 2


@settings(max_examples=40)
@given(
    value=st.lists(json_values()) | st.dictionaries(st.text(), json_values(), max_size=4),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1]),
    sizes=st.lists(st.integers(1, 7), min_size=1),
)
def test_any_json_read_in_any_pieces_is_itself(value, ascii_only, indent, sizes):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    reader = PartialJson()
    position, turn = 0, 0
    seen: list[tuple[Any, str]] = []
    while position < len(text):
        size = sizes[turn % len(sizes)]
        reader.feed(text[position : position + size])
        position, turn = position + size, turn + 1
        seen.append((reader.value(), json.dumps(reader.value())))
    assert reader.is_complete
    assert reader.value() == json.loads(text)
    assert all(json.dumps(before) == dumped for before, dumped in seen)


@pytest.mark.parametrize(
    ("text", "value", "broken"),
    [
        ("", None, False),
        ("  ", None, False),
        ('"ab', "ab", False),
        ("12", None, False),
        ("12 ", 12, False),
        ('{"a": 1', {}, False),
        ('{"a": 1,', {"a": 1}, False),
        ('{"a": tru', {}, False),
        ('{"a": "x\\', {"a": "x"}, False),
        ('{"a": "x\\u00e', {"a": "x"}, False),
        ('{"a": "x\\ud83d', {"a": "x"}, False),
        ('{"a": "x\\ud83d\\ude00', {"a": "x😀"}, False),
        ('{"a": {"b": [1, {"c": "d', {"a": {"b": [1, {"c": "d"}]}}, False),
        ('{"a": 1,}', {"a": 1}, False),
        ("[1, 2,]", [1, 2], False),
        ('{"a": 1} and more', {"a": 1}, False),
        ('{"a" 1}', {}, True),
        ('{"a": truth}', {}, True),
        ('{"a": ?}', {}, True),
        ('{"a": "\\uzzzz"}', {"a": ""}, True),
        ('{"a": 1]', {"a": 1}, True),
        ("]", None, True),
    ],
)
def test_unfinished_and_broken_json(text, value, broken):
    reader = PartialJson()
    reader.feed(text)
    assert reader.value() == value
    assert reader.is_broken is broken


def test_the_schema_of_a_tool_is_its_own_and_that_of_its_class_as_it_is_now():
    class Look(BaseModel):
        city: str

    tool = FunctionTool.from_defaults(lambda city: city, name="look", fn_schema=Look)

    def city() -> Any:
        return wire_tools([tool])[0]["function"]["parameters"]["properties"]["city"]

    city()["title"] = "changed by the caller"
    assert city() == {"title": "City", "type": "string"}
    Look.model_fields["city"].description = "Its name."
    Look.model_rebuild(force=True)
    assert city()["description"] == "Its name."


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("function", [True, "look", {"name": ["look"]}])
async def test_a_call_of_an_odd_function_is_not_run(made_llm, service, way, function):
    call = {"id": "a", "function": function}
    whole = completion("Hi")
    whole["choices"][0]["message"]["tool_calls"] = [call]
    pieces = [chunk({"content": "Hi"}), chunk({"tool_calls": [call]}), *end("tool_calls")]
    service.will_say(pieces if way in STREAMS else whole)
    llm = made_llm()
    *_, last = await ask(llm, way, "x")
    [selection] = llm.get_tool_calls_from_response(last, error_on_no_tool_call=False)
    assert (last.message.content, selection.tool_id) == ("Hi", "a")
    assert selection.tool_name not in ("look", "True")


@pytest.mark.parametrize("way", WAYS)
async def test_tools_of_llamaindex_are_taken_by_plain_calls_too(made_llm, service, way):
    service.will_say(completion(calls=[("a", "my_look", A_TEXT)]))
    llm, tools = made_llm(), [FunctionTool.from_defaults(look, name="my.look")]
    *_, last = await ask(llm, way, "x", tools=tools, tool_choice="my.look")
    [tool] = service.last["tools"]
    assert tool["function"]["name"] == "my_look"
    assert service.last["tool_choice"]["function"] == {"name": "my_look"}
    [selection] = llm.get_tool_calls_from_response(last)
    assert (selection.tool_name, selection.tool_kwargs) == ("my.look", A)
    for wrong in ([5], [tool, *tools]):
        with pytest.raises(TypeError, match="all tools of LlamaIndex or all dicts"):
            await ask(llm, way, "x", tools=wrong)
