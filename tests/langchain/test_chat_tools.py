"""Tools: every form of tool and choice, strictness, response formats, agents."""

from __future__ import annotations

import copy
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from langchain_runcrate.tools_binding import wire_response_format, wire_tool_choice, wire_tools
from tests.chat_service import calls_delta, chunk, completion, end
from tests.langchain.chat_service import EVERY, chat, is_streamed, reply_of, streamed, whole
from tests.servers import Reply, ScriptedServer, sse, stream_reply


@tool
def get_price(gpu: str, hours: int = 1) -> str:
    """Get the price of a GPU."""
    return f"{gpu}: {2 * hours} USD"


class GetPrice(BaseModel):
    """Get the price of a GPU."""

    gpu: str = Field(description="Its name")


class GetPriceDict(TypedDict):
    """Get the price of a GPU."""

    gpu: Annotated[str, ..., "Its name"]


def get_price_function(gpu: str) -> str:
    """Get the price of a GPU."""
    return gpu


PARAMETERS = {"type": "object", "properties": {"gpu": {"type": "string"}}, "required": ["gpu"]}
ABOUT = {"description": "Get the price of a GPU."}
OLD_CALL = {"id": "a", "type": "function", "function": {"name": "p", "arguments": "{}"}}
OPENAI = {"type": "function", "function": {"name": "p", "parameters": PARAMETERS, **ABOUT}}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (get_price, "get_price"),
        (GetPrice, "GetPrice"),
        (GetPriceDict, "GetPriceDict"),
        (get_price_function, "get_price_function"),
        (OPENAI, "p"),
        ({"type": "function", "name": "p", "parameters": PARAMETERS, **ABOUT}, "p"),
        ({"name": "p", "parameters": PARAMETERS, **ABOUT}, "p"),
        ({"name": "p", "input_schema": PARAMETERS, **ABOUT}, "p"),
        ({"title": "p", **PARAMETERS, **ABOUT}, "p"),
    ],
)
@pytest.mark.parametrize("strict", [None, True, False])
def test_each_form_of_tool(given, name, strict):
    before = copy.deepcopy(given) if isinstance(given, dict) else None
    of_the_provider = {"type": "web_search", "max_results": 3}
    [sent, passed_on] = wire_tools([given, of_the_provider], strict=strict)
    assert passed_on == of_the_provider
    function = sent["function"]
    assert sent["type"] == "function"
    assert function["name"] == name
    assert function["description"] == "Get the price of a GPU."
    assert function["parameters"]["properties"]["gpu"]["type"] == "string"
    assert function.get("strict") is strict
    if before is not None:
        assert given == before


NAMED = {"type": "function", "function": {"name": "p"}}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, None),
        (False, None),
        (True, "required"),
        ("any", "required"),
        ("required", "required"),
        ("auto", "auto"),
        ("none", "none"),
        ("p", NAMED),
        (NAMED, NAMED),
        ({"type": "tool", "name": "p"}, NAMED),
        ({"type": "any"}, "required"),
        ({"type": "auto"}, "auto"),
    ],
)
def test_each_form_of_tool_choice(choice, sent):
    assert wire_tool_choice(choice, [OPENAI]) == sent


@pytest.mark.parametrize("choice", ["q", "", {}, 7])
def test_a_choice_of_a_tool_that_is_not_there_is_refused(choice):
    with pytest.raises(ValueError, match=r"neither a tool that was bound \(`p`\)"):
        wire_tool_choice(choice, [OPENAI])


def test_without_tools_nothing_of_tools_is_sent():
    with ScriptedServer(whole()) as server:
        model = chat(server)
        model.bind_tools([], tool_choice=None, parallel_tool_calls=True).invoke("Hi")
        model.invoke("Hi", tools=[], tool_choice="auto")
    for request in server.received:
        assert request.json.keys() == {"model", "messages"}


@pytest.mark.parametrize("output_version", [None, "v1"])
@pytest.mark.parametrize("ask", EVERY)
def test_signatures_of_calls_go_back_with_them(ask, output_version):
    signature = {"extra_content": {"google": {"thought_signature": "x"}}}
    calls = [{**OLD_CALL, **signature}, {**OLD_CALL, "id": "b"}]
    reply = whole({"content": None, "tool_calls": calls})
    if is_streamed(ask):
        deltas = [OLD_CALL, signature, {**OLD_CALL, "id": "b"}]  # Gemini sends it by itself
        reply = streamed(*(calls_delta(delta) for delta in deltas))
    with ScriptedServer(reply, whole()) as server:
        message = ask(chat(server, output_version=output_version))
        results = [ToolMessage("x", tool_call_id=call["id"]) for call in calls]
        chat(server).invoke([message, *results])
        assert server.received[-1].json["messages"][0]["tool_calls"] == calls


SCHEMA = {"title": "Price", "type": "object", "properties": {"usd": {"type": "number"}}}


def test_tools_and_their_options_are_sent_bound_or_given_with_the_call():
    options = {"tool_choice": "get_price", "parallel_tool_calls": False, "strict": True, "seed": 7}
    with ScriptedServer(whole()) as server:
        model = chat(server)
        model.bind_tools([get_price], **options).invoke("Hi")
        model.invoke("Hi", tools=[get_price], **options)
        model.bind_tools([get_price]).invoke("Hi", tool_choice="any")
        with pytest.raises(ValueError, match="`tool_choice` 'sell'"):
            model.bind_tools([get_price]).invoke("Hi", tool_choice="sell")
    first, second, third = (request.json for request in server.received)
    assert first == second
    assert first["tool_choice"]["function"]["name"] == "get_price"
    assert first["tools"][0]["function"]["strict"] is True
    assert (first["parallel_tool_calls"], first["seed"], "strict" in first) == (False, 7, False)
    assert third["tool_choice"] == "required"


@pytest.mark.parametrize(
    "response_format",
    [
        {"type": "json_schema", "json_schema": {"name": "Price", "schema": SCHEMA}},
        {"name": "Price", "schema": SCHEMA},
    ],
)
def test_response_formats_in_openais_form(response_format):
    sent = wire_response_format(response_format, strict=True)
    closed = SCHEMA | {"required": ["usd"], "additionalProperties": False}
    expected = {"name": "Price", "schema": closed, "strict": True}
    assert sent == {"type": "json_schema", "json_schema": expected}


@pytest.mark.parametrize(
    "schema", [GetPrice, GetPriceDict, {**PARAMETERS, "title": "GetPrice", **ABOUT}]
)
def test_response_formats_from_schemas(schema):
    with ScriptedServer(whole()) as server:
        model = chat(server)
        model.invoke("Hi", response_format={"type": "json_object"})
        model.invoke("Hi", response_format=schema)
        model.bind_tools([], response_format=schema, strict=True).invoke("Hi")
    first, second, third = (request.json["response_format"] for request in server.received)
    assert first == {"type": "json_object"}
    sent, strict = second["json_schema"], third["json_schema"]
    assert sent["name"].startswith("GetPrice")
    assert sent["description"] == "Get the price of a GPU."
    assert sent["schema"]["required"] == ["gpu"]
    assert "strict" not in sent
    assert strict["strict"] is True
    assert strict["schema"]["additionalProperties"] is False


@pytest.mark.parametrize("tools", [[get_price], []])
def test_an_agent_answers_in_a_structure_that_the_model_constrains(tools):
    with ScriptedServer(whole({"content": '{"gpu": "H100"}'})) as server:
        agent = create_agent(chat(server), tools=tools, response_format=GetPrice)
        done = agent.invoke({"messages": [{"role": "user", "content": "Which?"}]})
    assert done["structured_response"] == GetPrice(gpu="H100")
    body = server.received[0].json
    assert body["response_format"]["json_schema"]["name"] == "GetPrice"
    assert len(body.get("tools", [])) == len(tools)


def test_a_model_with_fallbacks_takes_tools_and_schemas():
    refused = Reply(429, {"error": {"message": "slow down", "code": "rate_limited"}})
    arguments = '{"gpu": "H100"}'
    call = Reply(json=completion(calls=[("c", "GetPrice", arguments)]))
    with ScriptedServer(refused, call, refused, whole({"content": arguments})) as server:
        model = chat(server).with_fallbacks([chat(server)])
        message = model.bind_tools([GetPrice]).invoke("x")
        assert message.tool_calls[0]["args"] == {"gpu": "H100"}
        parsed = model.with_structured_output(GetPrice, method="json_schema").invoke("x")
        assert parsed == GetPrice(gpu="H100")


@pytest.mark.parametrize("ask", EVERY)
@pytest.mark.parametrize(("sent_id", "response_id"), [(None, ""), (None, "same"), ("0", "same")])
def test_calls_of_several_turns_have_ids_of_their_own(ask, sent_id, response_id):
    response = completion(calls=[(sent_id, "get_price", '{"gpu": "T4"}')]) | {"id": response_id}
    reply = reply_of(response, stream=is_streamed(ask))
    messages: list[Any] = [HumanMessage("Hi")]
    with ScriptedServer(reply) as server:
        for _ in range(3):
            said = ask(chat(server), messages)
            messages += [said, ToolMessage("1", tool_call_id=said.tool_calls[0]["id"])]
    results = [message.tool_call_id for message in messages[2::2]]
    assert len({*results}) == len(results)
    assert sent_id is None or results == ["0", "0_2", "0_3"]
    sent = server.received[-1].json["messages"]
    assert [one["tool_calls"][0]["id"] for one in sent[1::2]] == results[:2]


@pytest.mark.parametrize("ask", EVERY)
@pytest.mark.parametrize("has_text", [True, False])
def test_calls_in_a_choice_of_their_own_are_those_of_the_response(ask, has_text):
    call = {"index": 0, "id": "a", "function": {"name": "get_price", "arguments": "{}"}}
    said = {"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}
    called = {"index": 1, "message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}
    choices = [said, called] if has_text else [called]
    reply = Reply(json=completion() | {"choices": choices})
    if is_streamed(ask):
        deltas = [{**it, "delta": it["message"], "message": None} for it in choices]
        reply = stream_reply(sse(*(chunk({}, choices=[it]) for it in deltas), *end()[1:]))
    with ScriptedServer(reply) as server:
        message = ask(chat(server))
    assert message.text == "Hi" * has_text
    assert [one["id"] for one in message.tool_calls] == ["a"]
    assert message.response_metadata["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("ask", EVERY)
@pytest.mark.parametrize("function", [True, "get_price", {"name": ["get_price"]}])
def test_a_call_of_an_odd_function_is_invalid(ask, function):
    response = completion("Hi", calls=[("a", "", "")])
    response["choices"][0] |= {"index": "0"}
    response["choices"][0]["message"] |= {"tool_calls": [{"id": "a", "function": function}]}
    reply = Reply(json=response)
    if is_streamed(ask):
        deltas = [{"content": "Hi"}, {"tool_calls": [{"id": "a", "function": function}]}]
        reply = streamed(*deltas, finish="tool_calls")
    with ScriptedServer(reply) as server:
        message = ask(chat(server))
    assert (message.text, message.tool_calls) == ("Hi", [])
    assert [call["id"] for call in message.invalid_tool_calls] == ["a"]


@pytest.mark.parametrize("ask", EVERY)
@pytest.mark.parametrize("output_version", ["v0", "v1"])
@pytest.mark.parametrize(
    "odd",
    [
        {"tool_calls": 5},
        {"annotations": 5},
        {"images": True},
        {"refusal": 5},
        {"reasoning_content": {"a": 1}},
        {"logprobs": [1]},
    ],
)
def test_odd_members_of_a_message_do_not_lose_it(ask, output_version, odd):
    choice = {"logprobs": odd.get("logprobs")}
    response = completion("Hi", **odd)
    response["choices"][0] |= choice
    reply = Reply(json=response)
    if is_streamed(ask):
        said = chunk({"content": "Hi", **odd})
        said["choices"][0] |= choice
        reply = stream_reply(sse(chunk({"content": ""}), said, *end()))
    with ScriptedServer(reply) as server:
        message = ask(chat(server, output_version=output_version))
    assert message.text == "Hi"
    assert message.content_blocks[0]["type"] == "text"
    assert message.tool_calls == []


TREE = {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}}}


@pytest.mark.parametrize("wrong", [None, ["x"], "x", True])
@pytest.mark.parametrize(
    "form",
    [
        lambda schema: {"name": "f", "parameters": schema},
        lambda schema: {"name": "f", "input_schema": schema},
        lambda schema: {"type": "function", "name": "f", "parameters": schema},
        lambda schema: {"type": "function", "function": {"name": "f", "parameters": schema}},
        lambda schema: {"type": "json_schema", "json_schema": {"name": "f", "schema": schema}},
    ],
)
def test_tools_that_refer_to_themselves_are_taken_and_no_others_but_schemas(form, wrong):
    for strict in (None, True):
        [tool] = wire_tools([form(TREE)], strict=strict)
        sent = tool["function"]["parameters"]
        assert (tool["function"]["name"], sent["properties"]) == ("f", TREE["properties"])
    if wrong is not None:
        with pytest.raises(ValueError, match="tool 'f' must be a JSON schema as a dict"):
            wire_tools([form(wrong)], strict=True)
