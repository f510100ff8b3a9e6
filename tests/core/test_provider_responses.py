"""Real streams and responses of OpenAI-compatible providers of the models that Runcrate resells."""

from decimal import Decimal
from pathlib import Path

import pytest

from runcrate_core.protocol.chat_stream import ChatStreamReader
from runcrate_core.protocol.chat_types import (
    extract_cost,
    extract_reasoning,
    extract_usage,
)

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "recorded"
pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason="the folder with the recorded responses is absent"
)

WEATHER_IN_SAN_FRANCISCO = ("weather", '{"location": "San Francisco"}')

# Of each stream: chunks, finish reason, total tokens, and how the content, the reasoning and the
# tool calls of its folded whole begin.
WHOLE_STREAMS = {
    "deepseek__deepseek_model_thinking_stream__0": (
        *(211, "stop", 218, "Hello there! 😊 How", "Hmm, the user just said", []),
    ),
    "groq__groq_model_web_search_tool_stream__0": (
        *(226, "stop", 5362, "The weather in San Francisco", "<think>\nTo find the current", []),
    ),
    "openrouter__openrouter_stream_with_native_options__0": (
        *(73, "stop", 874, "I'm Grok, an AI built by xAI.", None, []),
    ),
    "openrouter__openrouter_stream_with_reasoning__0": (
        *(102, "stop", 113, "I\N{RIGHT SINGLE QUOTATION MARK}m ChatGPT", None, []),
    ),
    "openrouter__openrouter_web_search_annotations_stream__0": (
        *(19, "stop", 2370, "The URL for Pydantic AI's", None, []),
    ),
    "stream_close__cancel_recorded_provider_stream_huggingface__1": (
        *(4, "stop", 42, "Paris", None, []),
    ),
    "vercel_ai__alibaba-reasoning": (
        *(275, "stop", 1379, 'The word **"strawberry"**', "We are asked:", []),
    ),
    "vercel_ai__alibaba-tool-call": (
        *(6, "tool_calls", 317, None, None, [WEATHER_IN_SAN_FRANCISCO]),
    ),
    "vercel_ai__deepseek-tool-call": (
        *(52, "tool_calls", 422, "", "The user is asking for", [WEATHER_IN_SAN_FRANCISCO]),
    ),
    "vercel_ai__moonshotai-usage-live": (
        *(19, "stop", 140, "OK", "The user is asking me to reply", []),
    ),
    "zai__zai_thinking_stream__0": (
        *(93, "stop", 577, "4", "\n1.  **Analyze the User's Request:**", []),
    ),
}
FAILED_STREAM = "groq__tool_use_failed_error_streaming__0"


def body_of(name):
    return (FOLDER / f"{name}.response.sse").read_bytes()


def read(pieces):
    reader = ChatStreamReader(idle_s=60.0, now=0.0)
    chunks = [chunk for piece in pieces for chunk in reader.feed(piece, 0.0)]
    return reader, chunks + reader.end(0.0)


def message_of(whole):
    return whole["choices"][0]["message"]


def test_each_recorded_stream_is_expected():
    names = {path.name.removesuffix(".response.sse") for path in FOLDER.glob("*.sse")}
    assert names == {*WHOLE_STREAMS, FAILED_STREAM}


@pytest.mark.parametrize("name", WHOLE_STREAMS)
def test_stream_folds_to_its_response(name):
    count, finish_reason, total_tokens, content, reasoning, calls = WHOLE_STREAMS[name]
    reader, chunks = read([body_of(name)])
    assert reader.fault is None
    assert reader.completed
    assert len(chunks) == count
    whole = reader.completion()
    message = message_of(whole)
    assert whole["object"] == "chat.completion"
    assert whole["id"] == chunks[0].id
    assert len(whole["choices"]) == 1
    assert whole["choices"][0]["finish_reason"] == finish_reason
    assert (extract_usage(whole) or {})["total_tokens"] == total_tokens
    assert (message["content"] or "").startswith(content or "")
    assert (message["content"] is None) == (content is None)
    assert (extract_reasoning(message) or "").startswith(reasoning or "")
    assert (extract_reasoning(message) is None) == (reasoning is None)
    assert [
        (call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls", [])
    ] == calls


@pytest.mark.parametrize("name", WHOLE_STREAMS)
def test_stream_without_its_end_is_cut(name):
    body = body_of(name)
    reader, _ = read([body[: len(body) // 2]])
    assert reader.fault is not None
    assert reader.fault.kind == "truncated"
    assert "tool_calls" not in message_of(reader.completion(partial=True))


def test_stream_that_ends_in_an_error_keeps_what_came():
    reader, chunks = read([body_of(FAILED_STREAM)])
    assert reader.fault is not None
    assert reader.fault.kind == "error_event"
    assert reader.fault.chunks_received == len(chunks) == 94
    assert reader.fault.error is not None
    assert reader.fault.error["code"] == "tool_use_failed"
    partial = reader.completion(partial=True)
    assert partial["choices"][0]["finish_reason"] is None
    reasoning = extract_reasoning(message_of(partial))
    assert reasoning is not None
    assert reasoning.startswith("We need to call the tool")
    assert message_of(partial)["channel"] == "analysis"


def test_members_that_only_one_provider_sends():
    whole = read([body_of("groq__groq_model_web_search_tool_stream__0")])[0].completion()
    (executed,) = message_of(whole)["executed_tools"]
    assert executed["output"].startswith("Title: Weather in San Francisco")
    assert whole["x_groq"]["usage"] == whole["usage"]
    whole = read([body_of("openrouter__openrouter_stream_with_reasoning__0")])[0].completion()
    (detail,) = message_of(whole)["reasoning_details"]
    assert detail["type"] == "reasoning.encrypted"
    assert whole["provider"] == "OpenAI"
    assert whole["choices"][0]["native_finish_reason"] == "completed"
    assert extract_cost(whole) == Decimal("0.00085")
    name = "openrouter__openrouter_web_search_annotations_stream__0"
    annotations = message_of(read([body_of(name)])[0].completion())["annotations"]
    assert [item["type"] for item in annotations] == ["url_citation"] * 5
