"""Chat: replies complete and streamed, limits, and scripts with their errors."""

import os
import subprocess
import sys

import pytest

from runcrate_emulator import ChatRequest, Emulator, Reply, ScriptError
from tests.emulator.chat_support import (
    called,
    choice_of,
    events,
    folded,
    json_schema,
    post_chat,
    result,
    tool,
    user,
)
from tests.repository import ROOT

WEATHER = tool("get_weather", "Get the weather.", city="string")
OSLO = ("get_weather", {"city": "Oslo"})
REASONER = "deepseek-ai/DeepSeek-R1"
COUNT = Reply.text("1, 2, 3, 4, 5, 6, 7, 8, 9")
# Each with further fields of the request, the message and the finish reason.
REPLIES = {
    "text": (Reply.text("Grüße, Ada."), {}, {"content": "Grüße, Ada."}, "stop"),
    "json": (Reply.json({"a": [1, None]}), {}, {"content": '{"a": [1, null]}'}, "stop"),
    "reasoning": (
        Reply.text("4", reasoning="2 + 2"),
        {},
        {"content": "4", "reasoning_content": "2 + 2"},
        "stop",
    ),
    "refusal": (
        Reply.refusal("I will not."),
        {},
        {"content": "", "refusal": "I will not."},
        "stop",
    ),
    "cut": (Reply.text("The answer", cut_at_length=True), {}, {"content": "The answer"}, "length"),
    "cut by the limit": (COUNT, {"max_tokens": 5}, {"content": "1, 2, 3"}, "length"),
    "stopped": (COUNT, {"stop": ["9", "5"]}, {"content": "1, 2, 3, 4, "}, "stop"),
    "stopped at once": (COUNT, {"stop": "1"}, {"content": ""}, "stop"),
    "two": (Reply.text("Hi."), {"n": 2}, {"content": "Hi."}, "stop"),
    "tools": (
        Reply.tool_calls(OSLO, ("get_weather", '{"city": '), text="I look it up."),
        {},
        {"content": "I look it up."},
        "tool_calls",
    ),
    "JSON of another schema": (
        Reply.json({"unexpected": True}),
        {"response_format": json_schema("x", {"type": "object", "required": ["name"]})},
        {"content": '{"unexpected": true}'},
        "stop",
    ),
}


@pytest.mark.parametrize(("reply", "body", "message", "finish"), REPLIES.values(), ids=REPLIES)
def test_a_reply_is_sent_complete_and_streamed(emulator, reply, body, message, finish):
    emulator.reply_with(reply, reply)
    choices = post_chat(emulator, tools=[WEATHER], **body).json()["choices"]
    chunks = events(post_chat(emulator, tools=[WEATHER], stream=True, **body))
    assert len(choices) == body.get("n", 1)
    for index, choice in enumerate(choices):
        whole = choice["message"]
        functions = [call["function"] for call in whole.pop("tool_calls", ())]
        assert [one["arguments"] for one in functions] == [call.arguments for call in reply.calls]
        assert (whole, choice["finish_reason"]) == ({"role": "assistant", **message}, finish)
        streamed, finishes = folded(chunks, index)
        assert streamed.pop("tool_calls", []) == functions
        assert (streamed, finishes) == (whole, [finish])
    assert emulator.unused_replies == 0


def complete(emulator, text="Hello", **body):
    return post_chat(emulator, text, **body).raise_for_status().json()


def test_thoughts_are_streamed_before_the_answer(emulator):
    chunks = events(post_chat(emulator, "What is 2 + 2?", model=REASONER, stream=True))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    kinds = [key for delta in deltas for key in delta if key != "role" and delta[key]]
    assert kinds == sorted(kinds, reverse=True)
    assert {"content", "reasoning_content"} == set(kinds)


LIMITED = {
    "text": ({"text": "count", "max_tokens": 5}, 5),
    "newer name": ({"text": "count", "max_completion_tokens": 3, "max_tokens": 6}, 3),
    "thoughts": ({"text": "What is 2 + 2?", "model": REASONER, "max_tokens": 4}, 4),
    "arguments": ({"text": "weather in Paris?", "tools": [WEATHER], "max_tokens": 9}, 9),
}


@pytest.mark.parametrize(("body", "tokens"), LIMITED.values(), ids=LIMITED)
def test_a_token_limit_cuts_the_answer(emulator, body, tokens):
    emulator.on_chat = lambda request: COUNT if request.prompt == "count" else None
    unlimited = complete(emulator, **{**body, "max_tokens": None, "max_completion_tokens": None})
    answer = complete(emulator, **body)
    size = unlimited["usage"]["completion_tokens"]
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == tokens < size
    cut, full = (one["choices"][0]["message"] for one in (answer, unlimited))
    for key in ("content", "reasoning_content"):
        assert full.get(key, "").startswith(cut.get(key, ""))
    if "reasoning_content" in cut:
        assert cut["content"] == ""
        assert answer["usage"]["completion_tokens_details"] == {"reasoning_tokens": tokens}
    just = complete(emulator, **{**body, "max_tokens": size, "max_completion_tokens": None})
    assert just["choices"][0]["finish_reason"] in ("stop", "tool_calls")


def test_log_probabilities_are_listed_when_asked_for(emulator):
    choice = complete(emulator, logprobs=True, top_logprobs=2)["choices"][0]
    listed = choice["logprobs"]["content"]
    assert "".join(one["token"] for one in listed) == choice["message"]["content"]
    for one in listed:
        first, second = one["top_logprobs"]
        assert first["token"] == one["token"] != second["token"]
        assert 0 > one["logprob"] > second["logprob"]
        assert bytes(one["bytes"]).decode() == one["token"]
    assert complete(emulator)["choices"][0]["logprobs"] is None


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
    post_chat(emulator, messages=messages, tools=[WEATHER])
    assert (seen[-1].prompt, seen[-1].tool_results) == ("C", ("rain",))
    assert [one.name for one in seen[-1].tools] == ["get_weather"]
    emulator.reset()
    assert emulator.on_chat is None


def test_the_queue_comes_before_the_function_which_may_be_async(emulator):
    async def script(_: ChatRequest) -> Reply:
        return Reply.text("function")

    emulator.on_chat = script
    emulator.reply_with(Reply.text("queue"))
    assert post_chat(emulator, temperature=9).status_code == 422  # a wrong request uses no reply
    texts = [choice_of(post_chat(emulator))["message"]["content"] for _ in range(2)]
    assert texts == ["queue", "function"]


def raises(_: ChatRequest) -> Reply:
    raise LookupError("no such fixture")


SCRIPTS = {
    "raises": (raises, "`on_chat` raised LookupError: no such fixture"),
    "a string": (lambda _: "Hello", "`on_chat` returned str 'Hello'"),
    "unknown tool": (
        lambda _: Reply.tool_calls(("get_wether", {})),
        r"'get_wether'.*\(offered: get_weather\)",
    ),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("script", "problem"), SCRIPTS.values(), ids=SCRIPTS)
def test_a_wrong_script_is_an_error_of_the_block_that_wrote_it(script, problem, stream):
    with (  # noqa: PT012 - the error comes out of the inner block
        pytest.raises(ScriptError, match=problem) as caught,
        Emulator(on_chat=script) as emulator,
    ):
        answer = post_chat(emulator, tools=[WEATHER], stream=stream)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, "script_error")
        assert [error["message"]] == [str(one) for one in emulator.script_errors]
        assert emulator.crashes == []
        answer.raise_for_status()  # is not the error that shows
    if script is raises:
        assert isinstance(caught.value.__cause__, LookupError)


def test_a_tool_that_is_not_on_offer_can_be_allowed(emulator):
    emulator.reply_with(Reply.tool_calls(("other", {}), allow_unknown=True), Reply.tool_calls(OSLO))
    assert choice_of(post_chat(emulator, tools=[WEATHER]))["finish_reason"] == "tool_calls"
    assert "(offered: none)" in post_chat(emulator).json()["error"]["message"]


WRONG = {
    "a number": lambda: Reply.text(3),
    "no reasoning": lambda: Reply.text("x", reasoning=None),
    "not JSON": lambda: Reply.json({1, 2}),
    "not a number": lambda: Reply.json(float("nan")),
    "no call": Reply.tool_calls,
    "a name": lambda: Reply.tool_calls("get_weather"),
    "arguments in a list": lambda: Reply.tool_calls(("get_weather", ["Oslo"])),
    "a good status": lambda: Reply.error(200),
    "no refusal": lambda: Reply.refusal(None),
    "a string": lambda: Emulator().reply_with("Hello"),
}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG)
def test_what_is_no_reply_is_refused_where_it_is_written(make):
    with pytest.raises((TypeError, ValueError)):
        make()


TESTS = """
from runcrate_emulator import Reply
from tests.emulator.chat_support import choice_of, post_chat

def test_right(runcrate_emulator):
    runcrate_emulator.reply_with(Reply.text("Hi"))
    assert choice_of(post_chat(runcrate_emulator))["message"]["content"] == "Hi"

def test_wrong(runcrate_emulator):
    runcrate_emulator.on_chat = lambda request: "Hi"
    assert post_chat(runcrate_emulator).status_code == 400

def test_next(runcrate_emulator):
    assert runcrate_emulator.on_chat is None
"""


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
