"""Scripted replies: `on_chat`, `reply_with`, and the errors of scripts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runcrate_emulator import ChatRequest, Emulator, Reply, ScriptError
from tests.emulator.chat_support import called, json_schema, post_chat, result, tool, user
from tests.emulator.test_chat_streams import events, folded

ROOT = Path(__file__).parents[2]
WEATHER = tool("get_weather", "Get the weather.", city="string")
OSLO = ("get_weather", {"city": "Oslo"})


def choice_of(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]


REPLIES = {
    "text": (Reply.text("Grüße, Ada."), {"content": "Grüße, Ada."}, "stop"),
    "json": (Reply.json({"a": [1, None]}), {"content": '{"a": [1, null]}'}, "stop"),
    "reasoning": (
        Reply.text("4", reasoning="2 + 2"),
        {"content": "4", "reasoning_content": "2 + 2"},
        "stop",
    ),
    "refusal": (Reply.refusal("I will not."), {"content": "", "refusal": "I will not."}, "stop"),
    "cut": (Reply.text("The answer", cut_at_length=True), {"content": "The answer"}, "length"),
    "tools": (
        Reply.tool_calls(OSLO, ("get_weather", '{"city": '), text="I look it up."),
        {"content": "I look it up."},
        "tool_calls",
    ),
}


@pytest.mark.parametrize(("reply", "message", "finish"), REPLIES.values(), ids=REPLIES)
def test_a_reply_is_sent_complete_and_streamed(emulator, reply, message, finish):
    emulator.reply_with(reply, reply)
    choice = choice_of(post_chat(emulator, tools=[WEATHER]))
    functions = [call["function"] for call in choice["message"].pop("tool_calls", ())]
    assert [one["arguments"] for one in functions] == [call.arguments for call in reply.calls]
    assert choice["message"] == {"role": "assistant", **message}
    assert choice["finish_reason"] == finish
    chunks = events(post_chat(emulator, tools=[WEATHER], stream=True).text)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    for key, value in message.items():
        assert "".join(delta.get(key, "") for delta in deltas) == value
    streamed, finishes = folded(chunks)
    assert [call["function"] for call in streamed["tool_calls"]] == functions
    assert finishes == [finish]
    assert emulator.unused_replies == 0


def test_an_error_has_its_status_headers_and_envelope_and_costs_nothing(emulator):
    before = emulator.world.ledger.balance
    emulator.reply_with(Reply.error(503, "busy", headers={"Retry-After": "2"}), Reply.text("ok"))
    answer = post_chat(emulator, stream=True)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["error"]["message"] == "busy"
    assert emulator.world.ledger.balance == before
    assert choice_of(post_chat(emulator))["message"]["content"] == "ok"


def test_the_function_gets_the_request_and_may_leave_it(emulator):
    seen: list[ChatRequest] = []

    def script(request: ChatRequest) -> Reply | None:
        seen.append(request)
        return Reply.text(f"You said {request.prompt}.") if request.prompt == "A" else None

    emulator.on_chat = script
    assert choice_of(post_chat(emulator, "A"))["message"]["content"] == "You said A."
    assert "simulated" in choice_of(post_chat(emulator, "B"))["message"]["content"]
    messages = [user("C"), called("1", *OSLO[:1], **OSLO[1]), result("1", "rain")]
    post_chat(emulator, messages=messages, tools=[WEATHER], response_format=json_schema("x", {}))
    assert (seen[-1].prompt, seen[-1].tool_results) == ("C", ("rain",))
    assert [one.name for one in seen[-1].tools] == ["get_weather"]
    emulator.reset()
    assert emulator.on_chat is None


def test_the_queue_comes_before_the_function_which_may_be_async(emulator):
    async def script(_: ChatRequest) -> Reply:
        return Reply.text("function")

    emulator.on_chat = script
    emulator.reply_with(Reply.text("queue"))
    texts = [choice_of(post_chat(emulator))["message"]["content"] for _ in range(2)]
    assert texts == ["queue", "function"]


def test_a_request_that_is_wrong_uses_no_reply(emulator):
    emulator.reply_with(Reply.text("kept"))
    assert post_chat(emulator, temperature=9).status_code == 422
    assert emulator.unused_replies == 1


def raises(_: ChatRequest) -> Reply:
    raise LookupError("no such fixture")


SCRIPTS = {
    "raises": (raises, "`on_chat` raised LookupError: no such fixture"),
    "a string": (lambda _: "Hello", "`on_chat` returned str 'Hello'"),
    "a mapping": (lambda _: {"role": "assistant"}, "`on_chat` returned dict"),
    "unknown tool": (lambda _: Reply.tool_calls(("get_wether", {})), "'get_wether'"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("script", "told"), SCRIPTS.values(), ids=SCRIPTS)
def test_a_wrong_script_is_an_error_of_the_block_that_wrote_it(script, told, stream):
    with (  # noqa: PT012 - the error comes out of the inner block
        pytest.raises(ScriptError) as caught,
        Emulator(on_chat=script) as emulator,
    ):
        answer = post_chat(emulator, tools=[WEATHER], stream=stream)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, "script_error")
        assert told in error["message"]
        assert emulator.crashes == []
        answer.raise_for_status()  # is not the error that shows
    assert told in str(caught.value)
    if script is raises:
        assert isinstance(caught.value.__cause__, LookupError)


def test_the_tools_on_offer_are_named_and_an_unknown_one_can_be_allowed(emulator):
    emulator.reply_with(Reply.tool_calls(("other", {})))
    assert (
        "(offered: get_weather)" in post_chat(emulator, tools=[WEATHER]).json()["error"]["message"]
    )
    assert len(emulator.script_errors) == 1
    emulator.reply_with(Reply.tool_calls(("other", {}), allow_unknown=True))
    assert choice_of(post_chat(emulator, tools=[WEATHER]))["finish_reason"] == "tool_calls"
    emulator.reply_with(Reply.tool_calls(OSLO))
    assert "(offered: none)" in post_chat(emulator).json()["error"]["message"]


WRONG = [
    lambda: Reply.text(3),
    lambda: Reply.text("x", reasoning=None),
    lambda: Reply.json({1, 2}),
    lambda: Reply.json(float("nan")),
    Reply.tool_calls,
    lambda: Reply.tool_calls("get_weather"),
    lambda: Reply.tool_calls(("get_weather", ["Oslo"])),
    lambda: Reply.error(200),
    lambda: Reply.refusal(None),
    lambda: Emulator().reply_with("Hello"),
]


@pytest.mark.parametrize("make", WRONG, ids=range(len(WRONG)))
def test_what_is_no_reply_is_refused_where_it_is_written(make):
    with pytest.raises((TypeError, ValueError)):
        make()


def test_the_fixture_raises_at_its_teardown(tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS)
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "runcrate_emulator.pytest_plugin", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed, 1 error" in outcome.stdout
    assert "ScriptError: `on_chat` returned str 'Hi'" in outcome.stdout


TESTS = """
from runcrate_emulator import Reply
from tests.emulator.chat_support import post_chat

def test_right(runcrate_emulator):
    runcrate_emulator.reply_with(Reply.text("Hi"))
    answer = post_chat(runcrate_emulator)
    assert answer.json()["choices"][0]["message"]["content"] == "Hi"

def test_wrong(runcrate_emulator):
    runcrate_emulator.on_chat = lambda request: "Hi"
    assert post_chat(runcrate_emulator).status_code == 400

def test_next(runcrate_emulator):
    assert runcrate_emulator.on_chat is None
"""


def test_scripted_json_is_not_checked_against_the_schema(emulator):
    emulator.reply_with(Reply.json({"unexpected": True}))
    schema = json_schema("x", {"type": "object", "required": ["name"]})
    content = choice_of(post_chat(emulator, response_format=schema))["message"]["content"]
    assert json.loads(content) == {"unexpected": True}
