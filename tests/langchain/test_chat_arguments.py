"""The constructor: names in use, defaults, mistakes, and what reaches the server."""

from __future__ import annotations

import cProfile
import inspect
import pstats
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from langchain_runcrate import ChatRuncrate, RuncrateEmbeddings
from runcrate_core import Timeout
from tests.chat_service import MODEL
from tests.langchain.chat_service import chat, invoke, stream, streamed, whole
from tests.servers import ScriptedServer


def body(*, call: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """Return what a model with these options sends, without model and messages."""
    with ScriptedServer(whole()) as server:
        chat(server, **options).invoke("Hi", **(call or {}))
    sent = dict(server.received[0].json)
    assert sent.pop("messages") == [{"role": "user", "content": "Hi"}]
    sent.pop("model")
    return sent


@pytest.mark.parametrize(
    ("names", "value"),
    [
        (("model", "model_name"), "m"),
        (("base_url", "api_base"), "https://api.example.com/v1"),
        (("timeout", "request_timeout"), 5.0),
        (("stop", "stop_sequences"), ["x"]),
        (("max_tokens", "max_completion_tokens"), 7),
        (("stream_idle_timeout", "stream_chunk_timeout"), 9.0),
    ],
)
def test_both_names_of_an_argument(names, value):
    rest = {} if "model" in names else {"model": MODEL}
    first, second = (ChatRuncrate(**rest, **{name: value}) for name in names)
    assert first == second
    assert first.model == second.model_name
    with pytest.raises(ValidationError, match="the same argument"):
        ChatRuncrate(**rest, **dict.fromkeys(names, value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("temperature", 0.0), ("top_p", 0.5), ("max_tokens", 10), ("stop", ["x"]), ("seed", 7)),
        *(("frequency_penalty", 0.1), ("presence_penalty", 0.2), ("logit_bias", {"5": 1})),
        *(("logprobs", True), ("top_logprobs", 2), ("n", 1)),
        *(("reasoning_effort", "low"), ("service_tier", "flex")),
    ],
)
def test_each_parameter_is_sent_from_either_place(name, value):
    assert body(**{name: value}) == {name: value}
    assert body(call={name: value}) == {name: value}


def test_the_call_wins_over_the_model():
    assert body() == {}
    assert body(temperature=0.1, call={"temperature": 0.9}) == {"temperature": 0.9}
    assert body(stop=["a"], call={"stop": ["b"]}) == {"stop": ["b"]}
    assert body(stop=["a"], call={"stop": []}) == {}
    assert body(stop=[]) == {}
    assert body(stop="a") == {"stop": "a"}
    assert body(max_tokens=5, call={"max_completion_tokens": 6}) == {"max_tokens": 6}
    assert body(temperature=0.1, call={"temperature": None}) == {}


def test_further_fields_are_sent_and_disabled_ones_are_not():
    extra = {"chat_template_kwargs": {"enable_thinking": False}}
    assert body(extra_body=extra) == extra
    assert body(extra_body=extra, call={"extra_body": {"top_k": 5}}) == {**extra, "top_k": 5}
    assert body(model_kwargs={"min_p": 0.1}) == {"min_p": 0.1}
    assert body(call={"min_p": 0.1, "stream": False}) == {"min_p": 0.1}
    assert body(temperature=0.1, disabled_params={"temperature": None}) == {}
    assert body(seed=1, disabled_params={"seed": [2]}) == {"seed": 1}
    assert body(seed=1, disabled_params={"seed": [1]}) == {}


@pytest.mark.parametrize("named", ["other", "", "gpt-5-codex", "o3"])
def test_the_model_can_be_chosen_with_the_call_and_its_name_decides_nothing(named):
    with ScriptedServer(whole({}, model=named)) as server:
        model = chat(server)
        message = model.invoke("Hi", model=named or "other", tools=[{"type": "web_search"}])
        assert server.received[0].json["model"] == (named or "other")
        assert server.received[0].path == "/v1/chat/completions"
    assert message.response_metadata["model_name"] == (named or "other")


def test_an_unknown_argument_is_sent_and_one_without_effect_is_not_both_with_a_warning():
    with pytest.warns(UserWarning, match="`min_p` is not an argument of ChatRuncrate") as caught:
        model = ChatRuncrate(model=MODEL, min_p=0.1)
    assert model.model_kwargs == {"min_p": 0.1}
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="`use_responses_api` has no effect"):
        model = ChatRuncrate(model=MODEL, use_responses_api=True)
    assert model.model_kwargs == {}
    ChatRuncrate(model=MODEL, use_responses_api=False, organization=None)


@pytest.mark.parametrize(
    ("given", "twice", "name"),
    [
        ({"temperature": 1}, {"temperature": 2}, "temperature"),
        ({"max_completion_tokens": 1}, {"max_tokens": 2}, "max_tokens"),
        ({"min_p": 1}, {"min_p": 2}, "min_p"),
    ],
)
def test_arguments_given_twice_are_refused(given, twice, name):
    with pytest.raises(ValidationError, match=f"`{name}` is given twice"):
        ChatRuncrate(model=MODEL, **given, model_kwargs=twice)
    ours = {"temperature": 2, "min_p": 0.1}
    model = ChatRuncrate(model=MODEL, model_kwargs=ours)
    assert (model.temperature, model.model_kwargs) == (2, {"min_p": 0.1})
    assert ours == {"temperature": 2, "min_p": 0.1}


HEADERS = {"extra_headers": {"X-Token": "secret_value"}}


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (HEADERS, "`default_headers`"),  # these would be traced
        ({"model_kwargs": HEADERS}, "`default_headers`"),
        ({"openai_api_key": "secret_value"}, "`openai_api_key` is called `api_key` here"),
        ({"openai_api_base": "secret_value"}, "`openai_api_base` is called `base_url` here"),
    ],
)
def test_secrets_are_not_taken_for_fields_of_the_body(given, match):
    with pytest.raises(ValueError, match=match) as caught:
        ChatRuncrate(model=MODEL, **given)
    assert "secret_value" not in str(caught.value)


def test_no_limit_for_silent_streams_in_either_form():
    assert ChatRuncrate(model=MODEL, stream_idle_timeout=0).stream_idle_timeout is None
    assert ChatRuncrate(model=MODEL, stream_chunk_timeout=None).stream_idle_timeout is None
    with ScriptedServer(streamed({"content": "x"})) as server:
        assert stream(chat(server, stream_idle_timeout=None)).text == "x"


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        (None, None),
        (5, 5.0),
        ((1, 7), Timeout(connect=1, read=7)),
        (httpx.Timeout(3), Timeout(read=3, connect=3, write=3, pool=3)),
        (Timeout(pool=4), Timeout(pool=4)),
    ],
)
def test_timeouts_have_any_form(timeout, seconds):
    model = ChatRuncrate(model=MODEL, timeout=timeout, base_url=None, max_retries=None)
    assert model.request_timeout == seconds
    assert (model.api_base, model.max_retries) == ("https://api.runcrate.ai/v1", 3)


@pytest.mark.parametrize("key", ["anything", "", None])
def test_any_server_on_this_machine_is_talked_to_with_any_key(monkeypatch, key):
    monkeypatch.delenv("RUNCRATE_API_KEY")
    with ScriptedServer(whole()) as server:
        assert chat(server, api_key=key).invoke("Hi").text == "Hello!"
    sent = server.received[0].headers.get("authorization")
    assert sent == ("Bearer anything" if key else None)


def test_several_answers_of_one_call_and_several_prompts():
    choices = [
        {"index": n, "message": {"content": text}, "finish_reason": "stop"}
        for n, text in enumerate(("A", "B"))
    ]
    with ScriptedServer(whole(choices=choices), whole()) as server:
        [generations] = chat(server, n=2).generate([[]]).generations
        result = chat(server).generate([[], []])
    assert [generation.text for generation in generations] == ["A", "B"]
    first, second = (generation.message for generation in generations)
    assert (first.usage_metadata is None, second.usage_metadata is None) == (False, True)
    assert "cost" not in second.response_metadata
    assert second.response_metadata["model_name"] == MODEL
    assert result.llm_output["token_usage"]["total_tokens"] == 38
    assert result.llm_output["model_name"] == MODEL


def test_making_a_model_is_cheap():
    ChatRuncrate(model=MODEL)  # the first one fills caches
    with cProfile.Profile() as profile:
        ChatRuncrate(model=MODEL)
    assert pstats.Stats(profile).total_calls < 1000


@pytest.mark.parametrize("kind", [ChatRuncrate, RuncrateEmbeddings])
def test_help_shows_the_documented_names(kind):
    shown = set(inspect.signature(kind).parameters)
    assert {"model", "api_key", "base_url", "timeout"} <= shown
    assert not shown & {"model_name", "max_completion_tokens", "stop_sequences", "api_base"}


def test_request_id_rate_limit_and_on_request_headers_are_told():
    limits = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "59", "x-ratelimit-reset": "30"}
    replies = whole(), streamed({"content": "x"})
    for reply in replies:
        reply.headers.update({"x-request-id": "req_1", **limits})
    with ScriptedServer(*replies) as server:
        model = chat(server, include_response_headers=True)
        for message in (invoke(model), stream(model)):
            metadata = message.response_metadata
            assert metadata["headers"]["content-type"]
            assert metadata["request_id"] == "req_1"
            assert metadata["rate_limit"] == {"limit": 60, "remaining": 59, "reset_in_s": 30.0}
        assert "headers" not in invoke(chat(server, streaming=True)).response_metadata
