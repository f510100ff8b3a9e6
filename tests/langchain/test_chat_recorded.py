"""Real answers of OpenAI-compatible providers of the models that Runcrate resells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.exceptions import (
    ModelAPIError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelRateLimitError,
)

from langchain_runcrate import RuncrateResponseError, RuncrateStreamError
from tests.langchain.chat_service import STREAMED, WHOLE, chat
from tests.servers import Reply, ScriptedServer

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "recorded"
pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason="the folder with the recorded answers is absent"
)

WEATHER = ("weather", {"location": "San Francisco"})
# Of each stream: how text and thoughts begin, its calls, total tokens, cached, thinking tokens.
STREAMS: dict[str, tuple[Any, ...]] = {
    "deepseek__deepseek_model_thinking_stream__0": (
        *("Hello there! 😊 How", "Hmm, the user just said", [], 218, 0, 198),
    ),
    "groq__groq_model_web_search_tool_stream__0": (
        *("The weather in San Francisco", "<think>\nTo find the current", [], 5362, None, None),
    ),
    "openrouter__openrouter_stream_with_native_options__0": (
        *("I'm Grok, an AI built by xAI.", "", [], 874, 679, 118),
    ),
    "openrouter__openrouter_stream_with_reasoning__0": ("I\u2019m ChatGPT", "", [], 113, 0, 0),
    "openrouter__openrouter_web_search_annotations_stream__0": (
        *("The URL for Pydantic AI's", "", [], 2370, 0, 0),
    ),
    "stream_close__cancel_recorded_provider_stream_huggingface__1": (
        *("Paris", "", [], 42, None, None),
    ),
    "vercel_ai__alibaba-reasoning": (
        *('The word **"strawberry"**', "We are asked:", [], 1379, 0, 1084),
    ),
    "vercel_ai__alibaba-tool-call": ("", "", [WEATHER], 317, 0, None),
    "vercel_ai__deepseek-tool-call": ("", "The user is asking for", [WEATHER], 422, 320, 39),
    "vercel_ai__moonshotai-usage-live": (
        *("OK", "The user is asking me to reply", [], 140, 90, 33),
    ),
    "zai__zai_thinking_stream__0": ("4", "\n1.  **Analyze the User's", [], 577, 0, 561),
}
ANSWERS: dict[str, tuple[Any, ...]] = {
    "cerebras__cerebras_thinking_part_survives_multiturn__0": (
        *("4.", "User asks simple:", [], 116, 0, 25),
    ),
    "crusoe__crusoe_tool_calling__0": (
        *("", "The user wants to know", [("get_weather", {"city": "Paris"})], 204, 0, 25),
    ),
    "deepseek__deepseek_model_thinking_part__0": (
        *("Crossing the street", "Okay, the user is", [], 801, 0, 415),
    ),
    "huggingface__image_url_input__0": ("Hello! How can I", "", [], 296, None, None),
    "huggingface__request_structured_response__0": (
        *("", "", [("final_result", {"response": [2, 3, 5]})], 48, 0, None),
    ),
    "openrouter__openrouter_tool_calling__0": (
        "",
        "",
        [("divide", {"numerator": 123, "denominator": 456, "on_inf": "infinity"})],
        *(177, None, None),
    ),
    "openrouter__openrouter_with_reasoning__0": (
        *("\n\nOf course.", "1.  **Deconstruct", [], 2825, 0, 0),
    ),
}
REFUSALS = {
    "groq__tool_use_failed_error__0": (400, ModelInvalidRequestError, "tool_use_failed"),
    "groq__tool_regular_error__0": (404, ModelNotFoundError, "model_not_found"),
    "openrouter__openrouter_errors_raised__0": (429, ModelRateLimitError, "429"),
    "vercel_ai__moonshotai-error-live-message-only": (
        *(404, ModelNotFoundError, "resource_not_found_error"),
    ),
}
FAILED_STREAM = "groq__tool_use_failed_error_streaming__0"
NO_CHAT = "vercel_ai__groq-transcription-text"


def reply_of(name: str, status: int = 200) -> Reply:
    path = FOLDER / f"{name}.response.sse"
    if path.exists():
        return Reply(headers={"content-type": "text/event-stream"}, body=[path.read_bytes()])
    return Reply(status, json=json.loads((FOLDER / f"{name}.response.json").read_text()))


def test_each_recorded_answer_is_expected():
    names = {path.name.partition(".response.")[0] for path in FOLDER.glob("*.response.*")}
    assert names == {*STREAMS, *ANSWERS, *REFUSALS, FAILED_STREAM, NO_CHAT}


def check(message: Any, expected: tuple[Any, ...]) -> None:
    text, thoughts, calls, total, cached, thinking = expected
    said = message.additional_kwargs.get("reasoning_content", "")
    assert message.text.startswith(text)
    assert bool(message.text) == bool(text)
    assert said.startswith(thoughts)
    assert bool(said) == bool(thoughts)
    assert [(call["name"], call["args"]) for call in message.tool_calls] == calls
    assert all(call["id"] for call in message.tool_calls)
    assert not message.invalid_tool_calls
    usage = message.usage_metadata
    assert usage["total_tokens"] == total
    assert usage.get("input_token_details", {}).get("cache_read") == cached
    assert usage.get("output_token_details", {}).get("reasoning") == thinking
    kinds = [block["type"] for block in message.content_blocks]
    assert kinds == [
        *(["reasoning"] if thoughts else []),
        *(["text"] if text else []),
        *(["tool_call"] * len(calls)),
    ]
    metadata = message.response_metadata
    assert metadata["model_name"]
    assert metadata["model_provider"] == "runcrate"
    assert metadata["finish_reason"] == ("tool_calls" if calls else "stop")


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("ask", STREAMED)
@pytest.mark.parametrize("output_version", [None, "v1"])
def test_streams(name, ask, output_version):
    with ScriptedServer(reply_of(name)) as server:
        message = ask(chat(server, output_version=output_version))
    if output_version == "v1":
        assert isinstance(message.content, list)
        message.additional_kwargs.setdefault("reasoning_content", "")
    check(message, STREAMS[name])


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("ask", WHOLE)
def test_whole_answers(name, ask):
    with ScriptedServer(reply_of(name)) as server:
        check(ask(chat(server)), ANSWERS[name])


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name):
    status, kind, code = REFUSALS[name]
    with ScriptedServer(reply_of(name, status)) as server, pytest.raises(kind) as caught:
        chat(server).invoke("Hi")
    assert caught.value.code == code


def test_a_stream_that_ends_in_an_error():
    with ScriptedServer(reply_of(FAILED_STREAM)) as server:
        with pytest.raises(RuncrateStreamError, match="Tool call validation failed") as caught:
            list(chat(server).stream("Hi"))
    assert isinstance(caught.value, ModelAPIError)
    assert caught.value.code == "tool_use_failed"
    message = caught.value.partial["choices"][0]["message"]
    assert message["reasoning"].startswith("We need to call the tool")


def test_an_answer_of_another_kind():
    with ScriptedServer(reply_of(NO_CHAT)) as server:
        with pytest.raises(RuncrateResponseError, match="`choices`"):
            chat(server).invoke("Hi")


def test_what_only_some_providers_send_is_kept():
    names = (
        "openrouter__openrouter_stream_with_reasoning__0",
        "groq__groq_model_web_search_tool_stream__0",
    )
    with ScriptedServer(*map(reply_of, names)) as server:
        model = chat(server)
        routed, searched = (STREAMED[0](model) for _ in names)
    assert routed.additional_kwargs["reasoning_details"][0]["type"] == "reasoning.encrypted"
    assert routed.response_metadata["provider"] == "OpenAI"
    assert routed.response_metadata["cost"] == 0.00085
    assert routed.response_metadata["cost_source"] == "server"
    assert searched.additional_kwargs["executed_tools"][0]["type"] == "search"
