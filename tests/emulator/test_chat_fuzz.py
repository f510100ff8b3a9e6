"""Any body gets a reply or an error that names the field, never a crash."""

import json
import time

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcrate_emulator.chat.default_model import reply_of_default_model
from runcrate_emulator.chat.request_body import parse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.inference.model_catalogue import find
from tests.emulator.chat_support import MODEL, ask, called, json_schema, result, tool, user
from tests.json_values import json_values

FRAGMENTS = [
    *"""
Question: |Context: |Answer: |Query: |---------------------|```|Action Input: |{"a": 1}|
{"type": "object"}|{"type": "object", "properties": {"a": {}}}|{{'a': {{'b': 1}}}}|[1] |- |1. |# |
JSON|Return JSON with the key 'a'. |it|and |launch it|, then |Find the cheapest GPU|terminate it|
Paris|Rome and Oslo|named 'x'|"quoted"|$5|20 GB|at least |2026-01-02|[] > []|70 billion |70B |30%|
INV-12|(2010)|don't |is|What is |of|?|.|!|你好|的|天气|à Lyon| |a|The otter eats fish.
""".replace("\n", "").split("|"),
    *("\n", "\n\n", "\t", "\0", "\u202e", "\U0001f600"),
]
TOOLS = [
    tool("get_weather", "Get the weather.", location="string"),
    tool("multiply", "Multiply two numbers.", a="number", b="number"),
    tool("list_gpus", "List GPUs with prices."),
    tool("launch", "Launch a machine.", gpu="string", name="string"),
    tool("terminate", "Terminate a machine.", machine_id="string"),
    tool("search", "Search the docs.", query="string"),
]
ITEMS = {"type": "array", "items": tool("", "", x="number")["function"]["parameters"]}
ANSWER = {"type": ["string", "null"]}
PERSON = tool("", "", name="string", age="integer", items=ITEMS, answer=ANSWER)
SCHEMA = PERSON["function"]["parameters"]
RESULTS = ["", "[]", "12", "Error: x", '{"id": "m_1", "price": 2}']
TEXTS = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=6), max_size=25).map("".join)


@settings(max_examples=100)
@given(TEXTS, TEXTS, st.sampled_from(["auto", "required"]), st.sampled_from(RESULTS))
def test_any_text_gets_a_reply_valid_arguments_and_a_valid_structure(text, system, choice, content):
    assert ask(text, system).content
    messages = [user(text), called("1", "list_gpus"), result("1", content)]
    for conversation in (messages[:1], messages):
        for call in ask(conversation, tools=TOOLS, tool_choice=choice).calls:
            schema = next(t["function"] for t in TOOLS if t["function"]["name"] == call.name)
            jsonschema.validate(json.loads(call.arguments), schema["parameters"])
    answer = ask(text, response_format=json_schema("x", SCHEMA))
    jsonschema.validate(json.loads(answer.content), SCHEMA)


BODY = {
    "model": MODEL,
    "messages": [user("weather?"), called("1", "get_weather", location="Rome"), result("1", "x")],
    "tools": TOOLS[:2],
    "tool_choice": {"type": "function", "function": {"name": "multiply"}},
    "response_format": json_schema("x", {"type": "object"}),
    "stream_options": {"include_usage": True},
    "logprobs": True,
    **dict.fromkeys(["n", "seed", "max_tokens", "top_logprobs", "top_p", "temperature"], 1),
    **dict.fromkeys(["stop", "stream", "parallel_tool_calls", "presence_penalty"]),
    "reasoning_effort": "low",
}


def places(value, path=()):
    """Paths to everything inside a JSON value."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def replaced(value, path, new):
    """A copy of a JSON value with the part at a path exchanged."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


PLACES = st.sampled_from([path for path in places(BODY) if path])


@settings(max_examples=100)
@given(PLACES, json_values(max_leaves=6), PLACES, json_values(max_leaves=6))
def test_any_part_of_a_body_may_be_wrong(path, new, other_path, other):
    body = replaced(BODY, path, new)
    if other_path[0] != path[0]:
        body = replaced(body, other_path, other)
    try:
        reply_of_default_model(parse(body, find(MODEL)), has_reasoning=True)
    except ApiError as error:
        assert error.status in {400, 422}  # noqa: PT017 - most bodies get a reply
        assert error.details["field"] in error.message  # noqa: PT017


MAX_PROCESSOR_S = 20  # where the work grows with the square of a text, these take minutes


@pytest.mark.parametrize(
    "unit", ["(", "1,", '"', "A. ", "a, ", "\n", "{", "A: b\n", "\\", "It is he. ", "name as JSON "]
)
def test_long_and_monotonous_texts_take_no_long_time(unit):
    text = (unit * 20_000)[:20_000]
    began = time.process_time()
    ask(text)
    ask(text, tools=TOOLS)
    ask(text, response_format=json_schema("x", SCHEMA))
    assert time.process_time() - began < MAX_PROCESSOR_S
