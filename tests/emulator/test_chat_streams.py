"""Limits, counts and streams: a stream folds to the complete response."""

import asyncio
import json
import re
from functools import partial

import httpx
import pytest

from runcrate_emulator import ChatRequest, Emulator, Reply
from tests.emulator.chat_support import json_schema, post_chat, tool, user

REASONER = "deepseek-ai/DeepSeek-R1"
WEATHER = tool("get_weather", "Get the weather.", city="string")
STREAMS_AT_ONCE = 500


def counting(request: ChatRequest) -> Reply | None:
    """Counts as far as the prompt says; anything else is left to the default model."""
    if found := re.search(r"count to (\d+)", request.prompt):
        return Reply.text(", ".join(map(str, range(1, int(found[1]) + 1))))
    return None


@pytest.fixture
def post(emulator):
    emulator.on_chat = counting
    return partial(post_chat, emulator)


@pytest.fixture
def whole(post):
    def whole(text="Hello", **body):
        answer = post(text, **body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return whole


def events(text):
    """The events of a stream, its end mark checked and taken off."""
    lines = [line for line in text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


@pytest.fixture
def streamed(post):
    def streamed(text="Hello", **body):
        answer = post(text, stream=True, **body)
        assert answer.headers["content-type"].startswith("text/event-stream")
        return events(answer.text)

    return streamed


def folded(chunks, index=0):
    """A stream's deltas as one message and its finish reasons."""
    message = {"content": "", "reasoning_content": "", "tool_calls": []}
    finishes = []
    for chunk in chunks:
        for choice in chunk["choices"]:
            if choice["index"] != index:
                continue
            delta = choice["delta"]
            for key in ("content", "reasoning_content"):
                message[key] += delta.get(key) or ""
            for part in delta.get("tool_calls", ()):
                if "id" in part:
                    assert part["index"] == len(message["tool_calls"])
                    message["tool_calls"].append(json.loads(json.dumps(part)))
                else:
                    call = message["tool_calls"][part["index"]]
                    call["function"]["arguments"] += part["function"]["arguments"]
            if choice["finish_reason"]:
                finishes.append(choice["finish_reason"])
    return message, finishes


SAME = {
    "text": {},
    "long": {"text": "count to 60"},
    "reasoning": {"model": REASONER, "text": "What is 2 + 2?"},
    "tools": {"text": "weather in Paris and Rome?", "tools": [WEATHER]},
    "cut": {"text": "count to 60", "max_tokens": 7},
    "stopped": {"text": "count to 60", "stop": ["12"]},
    "json": {"text": "x", "response_format": {"type": "json_object"}},
    "two": {"text": "count to 60", "n": 2},
}


@pytest.mark.parametrize("body", SAME.values(), ids=SAME)
def test_a_stream_folds_to_the_whole_answer(whole, streamed, body):
    choices, chunks = whole(**body)["choices"], streamed(**body)
    assert len(choices) == body.get("n", 1)
    for index, choice in enumerate(choices):
        message, finishes = folded(chunks, index)
        assert message["content"] == choice["message"]["content"]
        assert message["reasoning_content"] == choice["message"].get("reasoning_content", "")
        assert finishes == [choice["finish_reason"]]
        assert [call["function"] for call in message["tool_calls"]] == [
            call["function"] for call in choice["message"].get("tool_calls", ())
        ]


def test_a_stream_begins_with_the_role_and_ends_with_an_empty_delta(streamed):
    chunks = streamed()
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-1]["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert all("usage" not in chunk for chunk in chunks)
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_thoughts_are_streamed_before_the_answer(streamed):
    kinds = [
        key
        for chunk in streamed("What is 2 + 2?", model=REASONER)
        for key in chunk["choices"][0]["delta"]
        if key != "role" and chunk["choices"][0]["delta"][key]
    ]
    assert kinds == sorted(kinds, reverse=True)
    assert {"content", "reasoning_content"} == set(kinds)


def test_arguments_come_in_parts_with_the_name_only_once(streamed):
    parts = [
        part
        for chunk in streamed("weather in Buenos Aires?", tools=[WEATHER])
        for part in chunk["choices"][0]["delta"].get("tool_calls", ())
    ]
    assert parts[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert parts[0]["type"] == "function"
    assert len(parts) > 3
    assert all(set(part) == {"index", "function"} for part in parts[1:])
    joined = "".join(part["function"]["arguments"] for part in parts)
    assert json.loads(joined) == {"city": "Buenos Aires"}


LIMITED = {
    "text": ({"text": "count to 100", "max_tokens": 5}, 5),
    "newer name": ({"text": "count to 100", "max_completion_tokens": 3, "max_tokens": 50}, 3),
    "thoughts": ({"text": "What is 2 + 2?", "model": REASONER, "max_tokens": 4}, 4),
    "arguments": ({"text": "weather in Paris?", "tools": [WEATHER], "max_tokens": 9}, 9),
}


@pytest.mark.parametrize(("body", "tokens"), LIMITED.values(), ids=LIMITED)
def test_a_token_limit_cuts_the_answer(whole, body, tokens):
    unlimited = whole(**{**body, "max_tokens": None, "max_completion_tokens": None})
    answer = whole(**body)
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == tokens < unlimited["usage"]["completion_tokens"]
    cut, full = (one["choices"][0]["message"] for one in (answer, unlimited))
    for key in ("content", "reasoning_content"):
        assert full.get(key, "").startswith(cut.get(key, ""))
    if "reasoning_content" in cut:
        assert cut["content"] == ""
        assert answer["usage"]["completion_tokens_details"] == {"reasoning_tokens": tokens}
    size = unlimited["usage"]["completion_tokens"]
    just = whole(**{**body, "max_tokens": size, "max_completion_tokens": None})
    reasons = [one["choices"][0]["finish_reason"] for one in (just, unlimited)]
    assert reasons[0] == reasons[1] != "length"


@pytest.mark.parametrize(
    ("stop", "text"),
    [("5", "1, 2, 3, 4, "), (["9", "3"], "1, 2, "), ("1", ""), ("x", "1, 2, 3, 4, 5, 6")],
)
def test_a_stop_text_ends_the_answer_before_it(whole, stop, text):
    choice = whole("count to 6", stop=stop)["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": text}
    assert choice["finish_reason"] == "stop"


def test_tools_schemas_and_images_count(whole):
    plain = whole()["usage"]["prompt_tokens"]
    assert whole(tools=[WEATHER])["usage"]["prompt_tokens"] > plain
    schema = json_schema("x", {"type": "object"})
    assert whole(response_format=schema)["usage"]["prompt_tokens"] > plain
    link = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    shown = [{"role": "user", "content": [{"type": "text", "text": "Hello"}, link]}]
    answer = whole(model="google/gemini-2.5-flash", messages=shown)
    assert answer["usage"]["prompt_tokens"] > plain + 200


def test_log_probabilities_are_listed_when_asked_for(whole):
    choice = whole(logprobs=True, top_logprobs=2)["choices"][0]
    listed = choice["logprobs"]["content"]
    assert "".join(one["token"] for one in listed) == choice["message"]["content"]
    for one in listed:
        assert one["top_logprobs"][0]["token"] == one["token"]
        assert len({other["token"] for other in one["top_logprobs"]}) == 2
        assert 0 > one["logprob"] > one["top_logprobs"][1]["logprob"]
        assert bytes(one["bytes"]).decode() == one["token"]
    assert whole()["choices"][0]["logprobs"] is None


def test_ids_are_the_same_for_the_same_seed(emulator, whole):
    ids = [whole()["id"], whole()["id"]]
    emulator.reset()
    assert [whole()["id"], whole()["id"]] == ids
    assert ids[0].startswith("chatcmpl-")


async def read(client: httpx.AsyncClient, number: int) -> str:
    body = {
        "model": "deepseek-ai/DeepSeek-V3.2",
        "messages": [user(f"count to {10 + number % 7}")],
        "stream": True,
    }
    async with client.stream("POST", "/chat/completions", json=body) as answer:
        text = (await answer.aread()).decode()
    message, finishes = folded(events(text))
    assert finishes == ["stop"]
    return message["content"]


async def test_500_streams_at_once_are_served_without_an_error():
    with Emulator(requests_per_minute=10 * STREAMS_AT_ONCE, on_chat=counting) as emulator:
        async with httpx.AsyncClient(
            base_url=emulator.inference_url,
            headers={"Authorization": f"Bearer {emulator.api_key}"},
            limits=httpx.Limits(max_connections=STREAMS_AT_ONCE),
            timeout=60,
        ) as client:
            texts = await asyncio.gather(*(read(client, n) for n in range(STREAMS_AT_ONCE)))
        assert emulator.crashes == []
    assert all(text.endswith(str(10 + n % 7)) for n, text in enumerate(texts))
