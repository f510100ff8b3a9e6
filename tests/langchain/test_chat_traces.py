"""What traces of a call hold: provider, model, parameters, versions; never key or headers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from langchain_runcrate import ChatRuncrate
from tests.chat_service import MODEL
from tests.langchain.chat_service import EVERY, Recorder, chat, is_streamed, streamed, whole
from tests.servers import ScriptedServer


def traced(ask: Any, **options: Any) -> tuple[dict[str, Any], Any]:
    recorder = Recorder()
    reply = streamed({"content": "Hello!"}) if is_streamed(ask) else whole()
    secret = {"api_key": "rc_live_secret_value", "default_headers": {"X-Token": "secret_value"}}
    with ScriptedServer(reply) as server:
        model = chat(server, temperature=0.5, max_tokens=9, **secret)
        bound = model.bind(extra_headers={"X-Other": "secret_value"}, **options)
        ask(bound, config={"callbacks": [recorder]})
    return recorder.started[0], recorder.ended[0]


@pytest.mark.parametrize("ask", EVERY)
@pytest.mark.parametrize("model", [MODEL, "other/model"])
def test_traces_hold_what_was_asked_of_whom_and_nothing_secret(ask, model):
    started, ended = traced(ask, stop=["x"], **({} if model == MODEL else {"model": model}))
    metadata, params = started["metadata"], started["invocation_params"]
    whom = {"ls_provider": "runcrate", "ls_model_name": model, "ls_model_type": "chat"}
    what = {"ls_temperature": 0.5, "ls_max_tokens": 9, "ls_stop": ["x"]}
    assert (whom | what).items() <= metadata.items()
    assert {"langchain-core", "runcrate-integrations"} <= metadata["lc_versions"].keys()
    assert (params["model"], params["temperature"], params["stop"]) == (model, 0.5, ["x"])
    assert params["_type"] == "chat-runcrate"
    message = ended.generations[0][0].message
    assert message.usage_metadata["total_tokens"] == 19
    assert ("cost" in message.response_metadata) == (model == MODEL)  # whose price is known
    assert "secret_value" not in json.dumps(started, default=str)
    assert "secret_value" not in str(ended)


def test_models_differ_in_the_cache_where_their_answers_may():
    one, two = (ChatRuncrate(model=MODEL, temperature=number) for number in (0, 1))
    assert one._get_llm_string() != two._get_llm_string()
    assert one._get_llm_string() == ChatRuncrate(model=MODEL, temperature=0)._get_llm_string()
    assert one._get_llm_string(extra_headers={"a": "1"}) == one._get_llm_string()


@pytest.mark.parametrize("ask", EVERY)
@pytest.mark.parametrize("name", ["api_key", "default_headers", "openai_api_key", "base_url"])
def test_a_call_takes_no_settings_of_the_connection_and_shows_none(ask, name):
    recorder = Recorder()
    with ScriptedServer(whole()) as server, pytest.raises(ValueError, match=f"takes no `{name}`"):
        ask(chat(server), config={"callbacks": [recorder]}, **{name: "secret_value"})
    assert server.sent == 0
    assert recorder.started
    assert "secret_value" not in str(recorder.started)
