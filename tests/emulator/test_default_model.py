"""The default model: four rules, and it says that it is a simulation."""

import json

import jsonschema
import pytest

from runcrate_emulator.chat.default_model import FIXED_SENTENCE, REASONING
from tests.emulator.chat_support import ask, called, calls, json_schema, result, tool, user

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "mood": {"enum": ["sad", "happy"]},
        "note": {"type": "string"},
    },
    "required": ["name", "age", "mood"],
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
