"""What a chat request may hold, and the refusal that names the field when it may not."""

import base64
from functools import partial

import pytest

from tests.emulator.chat_support import called, post_chat, result, tool, user

EVERYTHING = "google/gemini-2.5-flash"
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
        "789c63f8cfc000000301010018dd8db00000000049454e44ae426082"
    )
).decode()


@pytest.fixture
def post(emulator):
    return partial(post_chat, emulator)


def part(kind, **fields):
    return [{"role": "user", "content": [{"type": kind, **fields}]}]


def image(url):
    return part("image_url", image_url={"url": url})


WRONG_FORM = {
    "no messages": ({"messages": []}, "messages"),
    "messages no list": ({"messages": "Hello"}, "messages"),
    "message no object": ({"messages": ["Hello"]}, "messages[0]"),
    "unknown role": ({"messages": [{"role": "developer", "content": "x"}]}, "messages[0].role"),
    "role of a wrong type": ({"messages": [{"role": 3, "content": "x"}]}, "messages[0].role"),
    "no content": ({"messages": [{"role": "user"}]}, "messages[0].content"),
    "null content": ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
    "content number": ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
    "part no object": (
        {"messages": [{"role": "user", "content": ["x"]}]},
        "messages[0].content[0]",
    ),
    "unknown part": ({"messages": part("hologram")}, "messages[0].content[0].type"),
    "text no text": ({"messages": part("text", text=3)}, "messages[0].content[0].text"),
    "image for a text model": (
        {"messages": image(f"data:image/png;base64,{PIXEL}")},
        "messages[0].content[0].type",
    ),
    "name no text": ({"messages": [{**user("x"), "name": 3}]}, "messages[0].name"),
    "tool answer without an id": (
        {"messages": [{"role": "tool", "content": "x"}]},
        "messages[0].tool_call_id",
    ),
    "tool answer to nothing": ({"messages": [result("1", "x")]}, "messages[0].tool_call_id"),
    "tool calls of a user": (
        {"messages": [{**called("1", "f"), "role": "user"}]},
        "messages[0].tool_calls",
    ),
    "arguments no JSON": (
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{"}}],
                }
            ]
        },
        "messages[0].tool_calls[0].function.arguments",
    ),
    "tools no list": ({"tools": {}}, "tools"),
    "tool of another kind": ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    "tool without function": ({"tools": [{"type": "function"}]}, "tools[0].function"),
    "tool with a bad name": ({"tools": [tool("a b", "")]}, "tools[0].function.name"),
    "two tools of a name": ({"tools": [tool("a", "")] * 2}, "tools[1].function.name"),
    "parameters no object": (
        {
            "tools": [
                {"type": "function", "function": {"name": "a", "parameters": {"type": "array"}}}
            ]
        },
        "tools[0].function.parameters",
    ),
    "choice without tools": ({"tool_choice": "auto"}, "tool_choice"),
    "unknown choice": ({"tools": [tool("a", "")], "tool_choice": "any"}, "tool_choice"),
    "choice of a tool not on offer": (
        {
            "tools": [tool("a", "")],
            "tool_choice": {"type": "function", "function": {"name": "b"}},
        },
        "tool_choice.function.name",
    ),
    "temperature no number": ({"temperature": "hot"}, "temperature"),
    "temperature true": ({"temperature": True}, "temperature"),
    "max_tokens no integer": ({"max_tokens": 1.5}, "max_tokens"),
    "stop no text": ({"stop": [3]}, "stop[0]"),
    "stream no flag": ({"stream": "yes"}, "stream"),
    "stream_options no object": ({"stream_options": [1]}, "stream_options"),
    "alternatives without logprobs": ({"top_logprobs": 2}, "top_logprobs"),
    "unknown format": ({"response_format": {"type": "xml"}}, "response_format.type"),
    "format no object": ({"response_format": "json"}, "response_format"),
    "schema without a name": (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
        "response_format.json_schema.name",
    ),
    "format without a schema": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
        "response_format.json_schema.schema",
    ),
    "no model": ({"model": None}, "model"),
}
OUT_OF_RANGE = [
    ("temperature", -0.1),
    ("temperature", 2.1),
    ("top_p", 1.5),
    ("frequency_penalty", -3),
    ("presence_penalty", 2.5),
    ("max_tokens", 0),
    ("max_completion_tokens", 0),
    ("n", 0),
    ("n", 9),
]
BAD_PARTS = {
    "image at a file": (image("file:///etc/passwd"), "image_url.url"),
    "image at plain http": (image("http://example.com/a.png"), "image_url.url"),
    "image of no base64": (image("data:image/png;base64,***"), "image_url.url"),
    "image that is none": (image("data:text/plain;base64,eA=="), "image_url.url"),
    "image without an address": (part("image_url", image_url={}), "image_url.url"),
    "audio without data": (part("input_audio", input_audio={"format": "wav"}), "input_audio.data"),
    "audio without format": (
        part("input_audio", input_audio={"data": "eA=="}),
        "input_audio.format",
    ),
    "file without data": (part("file", file={"file_id": "file-1"}), "file.file_data"),
}


@pytest.mark.parametrize(("body", "field"), WRONG_FORM.values(), ids=WRONG_FORM)
def test_a_wrong_form_is_refused_by_name(post, body, field):
    answer = post(**body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "validation_error")
    assert error["type"] == "invalid_request_error"
    assert error["details"] == {"field": field}
    assert f"`{field}`" in error["message"]


@pytest.mark.parametrize(("field", "value"), OUT_OF_RANGE)
def test_a_value_out_of_range_is_refused_by_name(post, field, value):
    answer = post(**{field: value})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"] == {"field": field}


@pytest.mark.parametrize(("messages", "field"), BAD_PARTS.values(), ids=BAD_PARTS)
def test_a_bad_attachment_is_refused_by_name(post, messages, field):
    answer = post(model=EVERYTHING, messages=messages)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"] == {"field": f"messages[0].content[0].{field}"}


def test_an_unknown_model_is_not_found(post):
    answer = post(model="nobody/nothing")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    assert "nobody/nothing" in answer.json()["error"]["message"]


def test_a_model_of_another_kind_does_not_chat(post):
    answer = post(model="openai/whisper-1")
    assert answer.status_code == 422
    assert answer.json()["error"]["details"] == {"field": "model"}


def test_a_conversation_longer_than_the_model_holds_is_refused(post):
    answer = post(messages=[user("word " * 140_000)])
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"
    assert post(max_tokens=131_071).json()["error"]["code"] == "context_length_exceeded"


def test_an_empty_balance_runs_nothing(emulator, post):
    emulator.world.ledger.balance = 0
    answer = post()
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "insufficient_credits")


def test_fields_that_are_not_documented_pass_through(post):
    assert post(user="me", seed=3, top_k=5, metadata={"a": 1}).status_code == 200


def test_every_documented_alias_is_a_model(post):
    answer = post(model="deepseek/deepseek-v3.2").json()
    assert answer["model"] == "deepseek/deepseek-v3.2"


def test_a_null_counts_as_absent(post):
    nothing = dict.fromkeys(
        ["temperature", "stop", "tools", "tool_choice", "response_format", "max_tokens", "n"]
    )
    assert post(**nothing).status_code == 200


def test_a_chat_is_paid_for(emulator, post):
    before = emulator.world.ledger.balance
    usage = post().json()["usage"]
    (use,) = emulator.world.ledger.inference
    assert (use.prompt_tokens, use.completion_tokens) == (
        usage["prompt_tokens"],
        usage["completion_tokens"],
    )
    paid = before - emulator.world.ledger.balance
    assert paid > 0
    assert float(paid) == pytest.approx(float(use.cost_usd), abs=1e-6)  # a balance has 6 digits
