"""Copies and changed settings: nobody closes the connections that another one uses."""

from __future__ import annotations

import asyncio
import copy
import gc
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage
from pydantic import SecretStr

from llamaindex_runcrate import (
    RuncrateEmbedding,
    RuncrateLLM,
    RuncrateMediaToolSpec,
    RuncrateTranscriptionReader,
)
from runcrate_core import ConfigurationError, RateLimitError
from tests.audio_files import GREETING, spoken
from tests.chat_service import completion
from tests.servers import Reply, ScriptedServer

ASK = [ChatMessage(content="x")]
COPIES = {
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "model_copy(update)": lambda llm: llm.model_copy(update={"temperature": 0.5}),
    "model_copy(option)": lambda llm: llm.model_copy(deep=True, update={"max_retries": 1}),
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
async def test_a_closed_copy_leaves_the_connections_open_until_the_last_one_closes_them(
    emulated_llm, copied
):
    other, last = copied(emulated_llm), copied(emulated_llm)
    assert (await other.achat(ASK)).message.content
    stream = emulated_llm.stream_chat(ASK)
    next(stream)
    client = emulated_llm._sync_client
    await other.aclose()
    assert list(stream)
    assert (await emulated_llm.achat(ASK)).message.content
    with pytest.raises(ConfigurationError, match="closed"):
        other.chat(ASK)
    await emulated_llm.aclose()
    assert client.models.list()
    assert last.chat(ASK).message.content
    await last.aclose()
    with pytest.raises(ConfigurationError, match="closed"):
        client.models.list()


def keys_of(service: Any) -> list[str]:
    return [headers["authorization"].removeprefix("Bearer ") for headers in service.headers]


def _with_key(llm: RuncrateLLM, key: Any) -> RuncrateLLM:
    llm.api_key = key
    return llm


CHANGES = {
    "attribute": _with_key,
    "model_copy": lambda llm, key: llm.model_copy(update={"api_key": key}),
    "attribute of a copy": lambda llm, key: _with_key(copy.copy(llm), key),
    "attribute of a deep copy": lambda llm, key: _with_key(copy.deepcopy(llm), key),
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("kind", [str, SecretStr])
async def test_another_key_is_used_and_shown_nowhere(made_llm, service, changed, kind):
    service.will_say(completion("Hi."))
    llm = made_llm()
    llm.chat(ASK)
    other = changed(llm, kind("rc_live_rotated"))
    other.chat(ASK)
    await other.achat(ASK)
    await llm.achat(ASK)
    last = "rc_live_rotated" if other is llm else "rc_live_test"
    assert keys_of(service) == ["rc_live_test", "rc_live_rotated", "rc_live_rotated", last]
    assert other.api_key is None
    assert "rc_live" not in repr(other) + str(other.to_dict()) + repr(other.__dict__)


@pytest.mark.parametrize("name", ["api_base", "base_url"])
def test_a_copy_with_another_url_has_connections_of_its_own(emulated_llm, name):
    with ScriptedServer(Reply(json=completion("Hi."))) as second:
        other = emulated_llm.model_copy(update={name: f"{second.url}/v1"})
        assert other.api_base == other.to_dict()["api_base"] == f"{second.url}/v1"
        assert other.chat(ASK).message.content == "Hi."
        other.close()
    assert emulated_llm.chat(ASK).message.content != "Hi."


def test_options_are_changed_without_new_connections():
    busy = Reply(429, json={}, headers={"retry-after": "0"})
    with ScriptedServer(Reply(json=completion("Hi.")), busy) as server:
        llm = RuncrateLLM(model="m", api_base=f"{server.url}/v1", max_retries=0)
        llm.chat(ASK)
        other = llm.model_copy(update={"max_retries": 1, "stream_idle_timeout": 5.0})
        assert (other.max_retries, other.stream_idle_timeout) == (1, 5.0)
        llm.default_headers = {"X-Team": "a"}
        assert llm.default_headers is None
        for each in (other, llm):
            with pytest.raises(RateLimitError):
                each.chat(ASK)
        teams = [received.headers.get("x-team") for received in server.received]
        assert teams == [None, None, None, "a"]
        assert server.connections == 1
        other.close()
        llm.close()


def test_an_unusable_value_changes_nothing(emulated_llm):
    for name, value in {"api_base": "ftp://x", "max_retries": -1, "api_key": "no key"}.items():
        with pytest.raises(ConfigurationError) as caught:
            emulated_llm.model_copy(update={name: value})
        assert "no key" not in str(caught.value)
        with pytest.raises(ConfigurationError):
            setattr(emulated_llm, name, value)
    assert emulated_llm.chat(ASK).message.content


@pytest.mark.parametrize(
    ("kind", "method", "given"),
    [
        (RuncrateEmbedding, "get_text_embedding_batch", ["a", "b"]),
        (RuncrateTranscriptionReader, "load_data", Path("hello.mp3")),
        (RuncrateMediaToolSpec, "text_to_speech", "Hello."),
    ],
)
def test_other_parts_serve_event_loops_that_come_and_go(
    runcrate_emulator, tmp_path, monkeypatch, kind, method, given
):
    """LLMs do by the conformance suite; nothing of LlamaIndex is between that leaves files open."""
    monkeypatch.chdir(tmp_path)
    Path("hello.mp3").write_bytes(spoken(GREETING))
    part = kind(api_key=runcrate_emulator.api_key, api_base=runcrate_emulator.inference_url)

    async def use() -> None:
        assert all(await asyncio.gather(*(getattr(part, f"a{method}")(given) for _ in range(2))))
        assert getattr(part, method)(given)

    for _ in range(2):
        asyncio.run(use())
    asyncio.run(part.aclose())
    gc.collect()  # an open socket is a warning, and a warning an error
