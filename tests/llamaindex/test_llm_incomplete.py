"""What is incomplete is never taken for complete: cut calls and objects, in every way of asking."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import ChatMessage, ThinkingBlock, ToolCallBlock
from llama_index.core.program.function_program import FunctionCallingProgram
from llama_index.core.tools import FunctionTool, ToolMetadata
from pydantic import BaseModel

from llamaindex_runcrate.tool_calls import UNREADABLE_KEY
from tests.chat_service import call_piece, chunk, completion, end
from tests.llamaindex.calls import PREDICTIONS, PROMPT, WAYS, ask, collected, predict
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS
from tests.schemas import (
    ALBUM,
    CABINET,
    FOLDER,
    HOME,
    PET,
    PLAN,
    Cabinet,
    Folder,
    Folders,
    Home,
    Pet,
    Plan,
    Report,
    problems,
    sent_schema,
)

pytestmark = IGNORED_WARNINGS

METHODS = ("json_schema", "tool", "prompt", "auto")
ENDS = ("structured_predict", "astream_structured_predict")


def says(method: str, text: str, finish_reason: str = "length") -> Any:
    """Answers by tool call where tools are offered, and by text otherwise."""

    def decide(body: dict[str, Any]) -> Any:
        if "tools" in body:
            name = body["tools"][0]["function"]["name"]
            return completion(calls=[("c", name, text)], finish_reason=finish_reason)
        return completion(text, finish_reason=finish_reason)

    return decide


# --- Tool calls -----------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("text", "finish_reason", "tokens", "reason"),
    [
        ("", "length", 7, "token limit"),
        ('{"at": "a', "tool_calls", 20, "token limit"),  # vLLM
        ('{"at": "a"}}', "stop", 7, "not valid JSON"),
        ("[1]", "tool_calls", 7, "list, not an object"),
    ],
)
async def test_a_call_that_is_cut_or_broken_is_not_run_and_says_why(
    made_llm, service, way, text, finish_reason, tokens, reason
):
    usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1}
    service.will_say(
        completion(calls=[("c", "look", text)], finish_reason=finish_reason, usage=usage)
    )
    llm = made_llm(max_tokens=20)
    last = (await ask(llm, way, "x"))[-1]
    assert last.additional_kwargs["finish_reason"] == ("length" if tokens == 20 else finish_reason)
    (block,) = [block for block in last.message.blocks if isinstance(block, ToolCallBlock)]
    assert block.tool_kwargs == text
    (refused,) = llm.get_tool_calls_from_response(last, error_on_no_tool_call=False)
    assert refused.tool_name.startswith("look was not run: its arguments could not be read")
    assert reason in refused.tool_name
    assert refused.tool_kwargs.keys() == {UNREADABLE_KEY}
    with pytest.raises(ValueError, match=r"No tool was run\. look was not run"):
        llm.get_tool_calls_from_response(last)
    # It can be sent back: the arguments are a JSON object.
    service.will_say(completion("ok"))
    llm.chat([last.message])
    sent = service.last["messages"][0]["tool_calls"][0]["function"]
    assert sent["name"] == "look"
    assert json.loads(sent["arguments"]) == ({UNREADABLE_KEY: text} if text else {})


WIPE = '{"folder": "/data", "deep": {"a": 1}}'
STEP = f"Thought: I clean up.\nAction: wipe\nAction Input: {WIPE}"
HALF_CALL = completion(calls=[("c", "wipe", WIPE[:-1])], finish_reason="length")
HALF_STEP = completion(STEP[:-1], finish_reason="length")


CALLS = (
    HALF_CALL,
    completion(calls=[("d", "wipe", WIPE)]),
    "The response ended at the token limit. Call it again with complete JSON arguments.",
)
# What a model only thinks of is not to be run either.
THOUGHT_OF = "<think>Thought: Or?\nAction: wipe\nAction Input: {}</think>"
STEP_AT_LIMIT = completion(THOUGHT_OF + STEP, finish_reason="length")
STEPS = (HALF_STEP, STEP_AT_LIMIT, "was not run: its input could not be read")


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    ("kind", "half", "complete", "words"),
    [(FunctionAgent, *CALLS), (AgentWorkflow, *CALLS), (ReActAgent, *STEPS)],
)
async def test_an_agent_does_not_run_half_a_call_and_tells_the_model(
    made_llm, service, streaming, kind, half, complete, words
):
    ran: list[Any] = []

    def wipe(folder: str = "/", deep: Any = None) -> str:
        """Wipe a folder."""
        ran.append((folder, deep))
        return "wiped"

    service.will_say(half, complete, completion("Thought: I know.\nAnswer: done"))
    one = ReActAgent if kind is ReActAgent else FunctionAgent
    agent: Any = one(name="a", tools=[wipe], llm=made_llm(), streaming=streaming)
    if kind is AgentWorkflow:
        agent = AgentWorkflow(agents=[agent])
    assert str(await agent.run("clean")).endswith("done")
    assert ran == [("/data", {"a": 1})]
    told = service.requests[1]["messages"][-1]["content"]
    assert words in told
    assert "not found" not in told  # as LlamaIndex says of a tool that it does not know
    service.will_say(HALF_STEP)  # as any text, where there is no agent
    assert made_llm().complete("Show me a step.").text == STEP[:-1]


async def test_predict_and_call_and_programs_raise(made_llm, service):
    service.will_say(completion(calls=[("c", "look", '{"at": "a')], finish_reason="length"))
    tool = FunctionTool.from_defaults(lambda at="/": at, name="look", description="Look.")
    program = FunctionCallingProgram.from_defaults(Report, prompt=PROMPT, llm=made_llm())
    for call in (
        lambda: made_llm().predict_and_call([tool], user_msg="x"),
        lambda: made_llm().apredict_and_call([tool], user_msg="x"),
        lambda: program(topic="x"),
        lambda: program.stream_call(topic="x"),
        lambda: program.astream_call(topic="x"),
    ):
        with pytest.raises(ValueError, match="token limit"):
            await collected(call())
    service.will_say(completion("No."))
    with pytest.raises(ValueError, match="called no tool"):
        list(program.stream_call(topic="x"))


@pytest.mark.parametrize("streaming", [True, False])
async def test_tool_names_that_servers_refuse_are_mapped_and_back(made_llm, service, streaming):
    """The core tries other names, and names that would become the same."""
    tool = FunctionTool.from_defaults(lambda: "seen", name="weather.get city", description="Look.")
    wire = "weather_get_city"
    service.will_say(completion(calls=[("c", wire, "{}")]), completion("done"))
    options = {"streaming": streaming, "initial_tool_choice": "weather.get city"}
    await FunctionAgent(tools=[tool], llm=made_llm(), **options).run("x")
    first, second = service.requests
    assert first["tools"][0]["function"]["name"] == wire
    assert first["tool_choice"]["function"]["name"] == wire
    _, call, result = second["messages"]
    assert call["tool_calls"][0]["function"]["name"] == wire
    assert result["content"] == "seen"


# --- Structured output ---------------------------------------------------------------------


@pytest.mark.parametrize("way", PREDICTIONS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("output_cls", "text"), [(Folder, FOLDER), (Report, ALBUM)])
async def test_an_object_cut_anywhere_is_an_error_after_one_request(
    made_llm, service, way, method, output_cls, text
):
    llm = made_llm(structured_output=method)
    cuts = range(1, len(text), 19)
    for end_of_text in cuts:
        service.decides(says(method, text[:end_of_text]))
        with pytest.raises(ValueError, match="token limit"):
            await predict(llm, way, output_cls)
    assert len(service.requests) == len(cuts)
    service.decides(says(method, text, "stop"))
    assert (await predict(llm, way, output_cls))[-1] == output_cls.model_validate_json(text)


@pytest.mark.parametrize("way", PREDICTIONS)
async def test_the_limit_that_was_sent_is_named(made_llm, service, way):
    service.decides(says("auto", FOLDER[:20]))
    with pytest.raises(ValueError, match=r"`max_tokens=7`.*Raise `max_tokens`"):
        await predict(made_llm(max_tokens=7), way, Folder)
    with pytest.raises(ValueError, match="`max_tokens=8`"):
        await predict(made_llm(max_tokens=7), way, Folder, max_tokens=8)
    with pytest.raises(ValueError, match="model's own limit"):
        await predict(made_llm(), way, Folder)


@pytest.mark.parametrize("way", PREDICTIONS)
@pytest.mark.parametrize(
    ("answer", "method", "match"),
    [
        (completion(None, refusal="I cannot."), "auto", "refused or its response was filtered"),
        (completion("I cannot.", finish_reason="content_filter"), "auto", "filtered.*cannot"),
        (completion("I would rather not."), "prompt", "I would rather not"),
        (completion(calls=[("c", "Report", '{"title": ')]), "tool", "call are not complete JSON"),
    ],
)
async def test_a_refusal_and_broken_arguments_are_reported_after_one_request(
    made_llm, service, way, answer, method, match
):
    service.will_say(answer)
    with pytest.raises(ValueError, match=match):
        await predict(made_llm(structured_output=method), way, Report)
    assert len(service.requests) == 1


@pytest.mark.parametrize("way", PREDICTIONS)
@pytest.mark.parametrize("method", METHODS)
async def test_validators_meet_complete_objects_only(made_llm, service, way, method):
    service.decides(says(method, PLAN, "stop"))
    results = await predict(made_llm(structured_output=method), way, Plan)
    assert results[-1] == Plan.model_validate_json(PLAN)
    assert not any(isinstance(partial, Plan) for partial in results[:-1])
    if "stream" in way:
        assert results[-2].name == "ab"
    service.decides(says(method, '{"name": "ab", "steps": []}', "stop"))
    with pytest.raises(ValueError, match="IndexError"):
        await predict(made_llm(structured_output=method), way, Plan)


async def test_partial_objects_have_the_form_of_the_complete_one(made_llm, service):
    service.will_say(completion(CABINET))
    *_, partial, last = await predict(made_llm(), "stream_structured_predict", Cabinet)
    assert isinstance(last, Cabinet)
    assert partial.by_name["a"].name == last.by_name["a"].name == "A"
    assert (partial.either.name, partial.either.children) == ("x", None)
    assert partial.folders[0].children[0].name == "z"
    assert partial.pet == {"kind": "dog", "friend": {"kind": "dog"}}
    assert (partial.day, partial.raw, partial.more) == ("2026-11-21", {"k": [1]}, 1)
    assert partial.model_dump()["folders"][0]["name"] == "y"


# --- Schemas --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ENDS)
@pytest.mark.parametrize("strict", [None, True])
@pytest.mark.parametrize("method", ["json_schema", "tool", "prompt"])
@pytest.mark.parametrize(
    ("output_cls", "text"),
    [
        (Folder, FOLDER),
        (Home, HOME),
        (Pet, PET),
        (Pet, f'{{"root": {PET}}}'),
        (Folders, f"[{FOLDER}]"),
        (Folders, f'{{"root": [{FOLDER}]}}'),
    ],
)
async def test_schemas_keep_their_meaning(made_llm, service, way, strict, method, output_cls, text):
    service.decides(says(method, text, "stop"))
    llm = made_llm(structured_output=method, strict=strict)
    result = (await predict(llm, way, output_cls))[-1]
    value = json.loads(text)
    value = value["root"] if isinstance(value, dict) and "root" in value else value
    assert result == output_cls.model_validate(value)
    body = service.last
    if method == "prompt":
        assert '"$defs"' in body["messages"][-1]["content"]
        return
    schema = sent_schema(body)
    assert schema["type"] == "object"
    assert schema["properties"]
    assert "$defs" in schema
    assert problems(schema, strict=bool(strict)) == []


class OfServer(ToolMetadata):
    """A tool of a server that describes no parameters."""

    def get_parameters_dict(self) -> dict[str, Any]:
        return {}


class Nothing(BaseModel):
    """No fields at all."""


@pytest.mark.parametrize("strict", [None, True])
@pytest.mark.parametrize(
    ("kind", "schema"),
    [*((ToolMetadata, schema) for schema in (Home, Folder, Nothing, None)), (OfServer, None)],
)
async def test_tools_with_nested_and_without_parameters(made_llm, service, kind, schema, strict):
    tool = FunctionTool(lambda **_: "x", kind(name="a", description="A.", fn_schema=schema))
    service.will_say(completion("ok"))
    made_llm(strict=strict).chat_with_tools([tool], user_msg="x")
    sent = sent_schema(service.last)
    assert sent["type"] == "object"
    assert "properties" in sent
    assert problems(sent, strict=bool(strict)) == []


# --- Streams --------------------------------------------------------------------------------

THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "Paris, surely"}]}


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


@pytest.mark.parametrize("way", ["stream_chat", "astream_chat"])
@pytest.mark.parametrize(
    "deltas",
    [
        [[THOUGHT], [said("Par")], "is"],
        [[THOUGHT, said("Par")], [said("is")]],
        [[{"type": "thinking", "thinking": "Paris, surely"}], [said("Par"), "is"]],
    ],
)
async def test_parts_of_content_are_streamed(made_llm, service, way, deltas):
    service.will_say([*(chunk({"content": delta}) for delta in deltas), *end()])
    llm = made_llm()
    chunks = await ask(llm, way, "x")
    assert "".join(each.delta for each in chunks) == "Paris" == chunks[-1].message.content
    assert chunks[-1].delta == ""
    assert chunks[-2].message == chunks[-1].message
    thinking = chunks[-1].message.blocks[0]
    assert isinstance(thinking, ThinkingBlock)
    assert thinking.content == "Paris, surely"
    assert chunks[0].additional_kwargs["thinking_delta"] == "Paris, surely"
    # Thoughts go back in the form in which they came, where they go back at all.
    service.will_say(completion("ok"))
    made_llm(send_reasoning="always").chat([chunks[-1].message])
    assert service.last["messages"][0]["content"][0] == THOUGHT
    llm.chat([chunks[-1].message, ChatMessage(role="user", content="y")])
    assert service.last["messages"][0]["content"] == "Paris"


async def test_half_a_streamed_call_is_shown_but_not_the_last_word(made_llm, service):
    pieces = [call_piece(0, identifier="c", name="look", text='{"at": "Pa')]
    service.will_say([chunk({"tool_calls": pieces}), *end("length")])
    llm = made_llm()
    shown, last = await ask(llm, "stream_chat", "x")
    assert llm.get_tool_calls_from_response(shown)[0].tool_kwargs == {"at": "Pa"}
    assert "was not run" in llm.get_tool_calls_from_response(last, False)[0].tool_name  # noqa: FBT003 - LlamaIndex's signature
