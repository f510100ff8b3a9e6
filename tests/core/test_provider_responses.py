"""Real streams and responses of OpenAI-compatible providers of the models that Runcrate resells."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from runcrate_core.protocol.chat_stream import ChatStreamReader
from runcrate_core.protocol.chat_types import extract_cost, extract_reasoning, extract_usage

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "recorded"
pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason="the folder with the recorded responses is absent"
)

FAILED_STREAM = "groq__tool_use_failed_error_streaming__0"
WHOLE_STREAMS = sorted(
    name
    for path in FOLDER.glob("*.sse")
    if (name := path.name.removesuffix(".response.sse")) != FAILED_STREAM
)
# In the names of the streams whose models show their reasoning.
REASONED = ("thinking", "alibaba-reasoning", "deepseek", "moonshotai", "groq_model")


def body_of(name):
    return (FOLDER / f"{name}.response.sse").read_bytes()


def read(pieces):
    reader = ChatStreamReader(idle_s=60.0, now=0.0)
    chunks = [chunk for piece in pieces for chunk in reader.feed(piece, 0.0)]
    return reader, chunks + reader.end(0.0)


def message_of(whole):
    return whole["choices"][0]["message"]


@pytest.mark.parametrize("name", WHOLE_STREAMS)
def test_stream_folds_to_its_response_and_without_its_end_is_cut(name):
    body = body_of(name)
    reader, chunks = read([body])
    assert (reader.fault, reader.completed) == (None, True)
    whole = reader.completion()
    assert (whole["object"], whole["id"]) == ("chat.completion", chunks[0].id)
    [choice] = whole["choices"]
    calls = choice["message"].get("tool_calls", [])
    assert choice["finish_reason"] == ("tool_calls" if calls else "stop")
    assert bool(choice["message"]["content"]) is not bool(calls)
    for call in calls:
        assert json.loads(call["function"]["arguments"]) == {"location": "San Francisco"}
    assert (extract_usage(whole) or {})["total_tokens"] > 40
    assert bool(extract_reasoning(choice["message"])) is any(word in name for word in REASONED)
    cut, _ = read([body[: len(body) // 2]])
    assert cut.fault is not None
    assert cut.fault.kind == "truncated"
    assert "tool_calls" not in message_of(cut.completion(partial=True))


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
