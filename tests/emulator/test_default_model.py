"""The default model: four rules, and it says that it is a simulation."""

import itertools
import json
import time

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcrate_emulator.chat.arguments import Arguments
from runcrate_emulator.chat.default_model import FIXED_SENTENCE, REASONING
from runcrate_emulator.chat.json_schema import UnsatisfiableSchemaError
from tests.emulator.chat_support import ask, called, calls, json_schema, result, tool, user

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "mood": {"enum": ["sad", "happy"]},
        "note": {"type": ["string", "null"]},
        "tags": {"type": "array", "items": {"type": "number"}},
    },
    "required": ["name", "age", "mood"],
    "additionalProperties": False,
}
WEATHER = tool("get_weather", "Get the weather.", city="string")


def test_rule_1_a_schema_gets_literals_of_the_prompt():
    text = "A person named Ada, 36 years of age, who is happy today."
    value = json.loads(ask(text, response_format=json_schema("p", PERSON)).content)
    assert value == {"name": "Ada", "age": 36, "mood": "happy"}


def test_rule_1_a_schema_in_the_prompt():
    prompt = f"Ada is 36. Answer in JSON of this schema: {json.dumps(PERSON)}"
    jsonschema.validate(json.loads(ask(prompt).content), PERSON)


def test_rule_1_json_mode_gets_an_object_of_the_named_keys():
    text = "A joke as JSON with 'setup' and 'punchline' keys"
    reply = ask(text, response_format={"type": "json_object"})
    assert set(json.loads(reply.content)) == {"setup", "punchline"}


def test_rule_1_a_forced_tool_is_called():
    [(name, arguments)] = calls("Hello", [WEATHER], tool_choice="required")
    assert (name, type(arguments["city"])) == ("get_weather", str)


RENT = tool(
    "shop_rent_car",
    "Rent a car.",
    ["minutes"],
    minutes="integer",
    model={"type": "string", "description": "A model, such as KX20 or MR7."},
)
RETURN = tool("shop_return_car", "Return a car.", car_id="string", expected_name="string")
SHOP = [tool("shop_list_cars", "List cars.", []), RENT, RETURN]


def run_agent(request, **results):
    """Run tools as agents do until the model calls none; return the calls and the last text."""
    messages, made = [user(request)], []
    while new := calls(messages, SHOP):
        for name, arguments in new:
            call_id = f"call_{len(made)}"
            messages += [called(call_id, name, **arguments), result(call_id, results[name])]
            made.append((name, arguments))
    return made, ask(messages, tools=SHOP).content


def test_rule_2_tools_are_called_in_the_order_of_the_verbs():
    made, text = run_agent(
        "List the cars, rent an MR7 for 25 minutes, and then return it.",
        shop_list_cars='[{"model": "KX20"}]',
        shop_rent_car='{"id": "car-1", "name": "blue"}',
        shop_return_car="car-1 blue is back",
    )
    assert made == [
        ("shop_list_cars", {}),
        ("shop_rent_car", {"minutes": 25, "model": "MR7"}),
        ("shop_return_car", {"car_id": "car-1", "expected_name": "blue"}),
    ]
    assert "shop_return_car: car-1 blue is back" in text


def test_rule_2_nothing_more_is_called_after_a_failure():
    error = "Error: the gate is jammed"
    made, text = run_agent("Rent a car for 5 minutes and return it.", shop_rent_car=error)
    assert [name for name, _ in made] == ["shop_rent_car"]
    assert "the gate is jammed" in text


def test_rule_2_tools_that_do_not_fit_are_not_called():
    assert calls("Say hello to Ada.", [WEATHER]) == []
    assert calls("What is the weather in Oslo?", [WEATHER], tool_choice="none") == []


def test_rule_2_a_new_request_starts_again():
    asked, call = user("weather in Rome?"), called("1", "get_weather", city="Rome")
    messages = [asked, call, result("1", "dry"), user("And the weather in Oslo?")]
    assert calls(messages, [WEATHER]) == [("get_weather", {"city": "Oslo"})]


FACTS = "The mast is 40 m tall. The mill grinds oats and was\nbuilt in 1874. The inn is closed."
QUESTION = "When was the mill built?"
ONE_PROMPT = f"Context:\n---\n{FACTS}\n---\nAnswer the query.\nQuery: {QUESTION}\nAnswer:"


@pytest.mark.parametrize("asked", [(QUESTION, FACTS), (ONE_PROMPT,)], ids=["system", "one prompt"])
def test_rule_3_a_sentence_of_the_context_is_quoted(asked):
    reply = ask(*asked)
    assert "1874" in reply.content
    assert "mast" not in reply.content


def test_rule_4_anything_else_gets_a_sentence_that_tells_it_is_simulated():
    for text in ("Hello", "Write a poem about rivers.", "你好"):
        assert ask(text).content == FIXED_SENTENCE
    assert "simulated" in FIXED_SENTENCE


def test_reasoning_is_a_fixed_line_that_can_be_switched_off():
    assert ask("Hello").reasoning == REASONING
    assert ask("Hello", reasoning_effort="none").reasoning == ""


FRAGMENTS = [
    *"""
Question: |Context: |Answer: |Query: |---------------------|```|Action Input: |{"a": 1}|
{"type": "object"}|{"type": "object", "properties": {"a": {}}}|{{'a': {{'b': 1}}}}|[1] |- |1. |# |
JSON|Return JSON with the key 'a'. |it|and |rent it|, then |List the cars|return it|weather in |
Paris|Rome and Oslo|named 'x'|"quoted"|$5|20 GB|at least |2026-01-02|[] > []|70 billion |70B |30%|
INV-12|(2010)|don't |is|What is |of|?|.|!|你好|的|天气|à Lyon| |a|The otter eats fish.
""".replace("\n", "").split("|"),
    *("\n", "\n\n", "\t", "\0", "\u202e", "\U0001f600"),
]
TOOLS = [WEATHER, *SHOP]
RESULTS = ["", "[]", "12", "Error: x", '{"id": "m_1", "price": 2}']
TEXTS = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=6), max_size=25).map("".join)


@settings(max_examples=100)
@given(TEXTS, TEXTS, st.sampled_from(["auto", "required"]), st.sampled_from(RESULTS))
def test_any_text_gets_a_reply_valid_arguments_and_a_valid_structure(text, system, choice, content):
    assert ask(text, system).content
    messages = [user(text), called("1", "shop_list_cars"), result("1", content)]
    for conversation in (messages[:1], messages):
        for call in ask(conversation, tools=TOOLS, tool_choice=choice).calls:
            schema = next(t["function"] for t in TOOLS if t["function"]["name"] == call.name)
            jsonschema.validate(json.loads(call.arguments), schema["parameters"])
    answer = ask(text, response_format=json_schema("x", PERSON))
    jsonschema.validate(json.loads(answer.content), PERSON)


MAX_PROCESSOR_S = 20  # where the work grows with the square of a text, these take minutes


@pytest.mark.parametrize(
    "unit", ["(", "1,", '"', "A. ", "a, ", "\n", "{", "A: b\n", "\\", "It is he. ", "name as JSON "]
)
def test_long_and_monotonous_texts_take_no_long_time(unit):
    text = (unit * 20_000)[:20_000]
    began = time.process_time()
    ask(text)
    ask(text, tools=TOOLS)
    ask(text, response_format=json_schema("x", PERSON))
    assert time.process_time() - began < MAX_PROCESSOR_S


NODE = {
    "type": "object",
    "required": ["value", "children"],
    "properties": {
        "value": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
    },
}
LEAVES = [
    {},
    {"type": "string"},
    {"type": "string", "minLength": 30, "maxLength": 31},
    {"type": "string", "maxLength": 2},
    {"type": "string", "pattern": "^[0-9]+$"},
    *({"type": "string", "format": name} for name in ("date", "date-time", "email", "uri", "uuid")),
    {"type": "integer"},
    {"type": "integer", "minimum": -7, "maximum": -5},
    {"type": "integer", "minimum": 10, "multipleOf": 7},
    {"type": "number", "exclusiveMinimum": 41},
    {"type": "number", "minimum": 0.5, "maximum": 0.75},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["string", "null"]},
    {"const": 7},
    {"enum": ["red", "green"]},
]
SCHEMAS = [
    *LEAVES,
    PERSON,
    {"$ref": "#/$defs/Node", "$defs": {"Node": NODE}},
    {"allOf": [PERSON, {"required": ["tags"]}]},
    {"anyOf": [{"type": "integer", "minimum": 5, "maximum": 4}, {"type": "string"}]},
    {"oneOf": [{"type": "string"}, {"type": "null"}]},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2},
    *({"type": "array", "items": leaf, "minItems": 2, "maxItems": 3} for leaf in LEAVES),
    *({"type": "object", "required": ["x"], "properties": {"x": leaf}} for leaf in LEAVES),
    *({"anyOf": [leaf, {"type": "null"}]} for leaf in LEAVES),
]
PROMPTS = [
    "Anna Smith is 42 and lives in Oslo; write to anna@example.com.",
    "Rent 3 machines under $2 per hour from 2026-03-01, named 'box'.",
    "价格 是 12 元",
]
TOOL_RESULTS = ["done", '{"id": "x-1", "name": "Anna", "age": 7, "tags": ["a"]}', '[{"x": 1}]']


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_values_are_valid_with_and_without_literals(schema):
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(Arguments(schema).value())
    for text, found in itertools.product(PROMPTS, TOOL_RESULTS):
        validator.validate(Arguments(schema, [text], [found]).value())


ENDLESS = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/$defs/N"}}}


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"enum": []},
        {"$ref": "#/$defs/N", "$defs": {"N": ENDLESS}},
    ],
)
def test_a_schema_that_nothing_satisfies_is_given_up(schema):
    with pytest.raises(UnsatisfiableSchemaError):
        Arguments(schema).value()
