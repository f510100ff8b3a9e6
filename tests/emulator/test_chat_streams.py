"""Limits, counts and streams of chat."""

import asyncio
import re
from functools import partial

import httpx
import pytest

from runcrate_emulator import ChatRequest, Emulator, Reply
from tests.content_parts import image_part, text_part
from tests.emulator.chat_support import events, folded, json_schema, post_chat, tool, user

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
    return lambda text="Hello", **body: post(text, **body).raise_for_status().json()


def test_a_stream_begins_with_the_role_and_ends_with_an_empty_delta(post):
    chunks = events(post(stream=True))
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-1]["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert all("usage" not in chunk for chunk in chunks)
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_thoughts_are_streamed_before_the_answer(post):
    chunks = events(post("What is 2 + 2?", model=REASONER, stream=True))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    kinds = [key for delta in deltas for key in delta if key != "role" and delta[key]]
    assert kinds == sorted(kinds, reverse=True)
    assert {"content", "reasoning_content"} == set(kinds)


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
    size = unlimited["usage"]["completion_tokens"]
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == tokens < size
    cut, full = (one["choices"][0]["message"] for one in (answer, unlimited))
    for key in ("content", "reasoning_content"):
        assert full.get(key, "").startswith(cut.get(key, ""))
    if "reasoning_content" in cut:
        assert cut["content"] == ""
        assert answer["usage"]["completion_tokens_details"] == {"reasoning_tokens": tokens}
    just = whole(**{**body, "max_tokens": size, "max_completion_tokens": None})
    assert just["choices"][0]["finish_reason"] in ("stop", "tool_calls")


def test_tools_schemas_and_images_count(whole):
    def counted(**body):
        return whole(**body)["usage"]["prompt_tokens"]

    plain = counted()
    assert counted(tools=[WEATHER]) > plain
    assert counted(response_format=json_schema("x", {"type": "object"})) > plain
    parts = [text_part("Hello"), image_part("https://example.com/a.png")]
    shown = [{"role": "user", "content": parts}]
    assert counted(model="google/gemini-2.5-flash", messages=shown) > plain + 200


def test_log_probabilities_are_listed_when_asked_for(whole):
    choice = whole(logprobs=True, top_logprobs=2)["choices"][0]
    listed = choice["logprobs"]["content"]
    assert "".join(one["token"] for one in listed) == choice["message"]["content"]
    for one in listed:
        first, second = one["top_logprobs"]
        assert first["token"] == one["token"] != second["token"]
        assert 0 > one["logprob"] > second["logprob"]
        assert bytes(one["bytes"]).decode() == one["token"]
    assert whole()["choices"][0]["logprobs"] is None


async def read(client: httpx.AsyncClient, number: int) -> str:
    messages = [user(f"count to {10 + number % 7}")]
    body = {"model": "deepseek-ai/DeepSeek-V3.2", "messages": messages, "stream": True}
    message, finishes = folded(events(await client.post("/chat/completions", json=body)))
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
