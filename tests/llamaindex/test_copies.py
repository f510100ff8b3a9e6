"""Copies and changed settings: nobody closes the connections that another one uses."""

from __future__ import annotations

import copy
import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage
from pydantic import SecretStr

from llamaindex_runcrate import RuncrateEmbedding, RuncrateLLM
from runcrate_core import AuthenticationError, ConfigurationError
from runcrate_emulator import Emulator
from tests.chat_service import completion
from tests.llamaindex.conftest import CHAT_MODEL

ASK = [ChatMessage(content="x")]
COPIES = {
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "model_copy": lambda llm: llm.model_copy(),
    "model_copy(deep)": lambda llm: llm.model_copy(deep=True),
    "model_copy(update)": lambda llm: llm.model_copy(update={"temperature": 0.5}),
    "model_copy(option)": lambda llm: llm.model_copy(update={"max_retries": 1}),
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
async def test_a_closed_copy_leaves_the_connections_of_the_others_open(
    emulated_llm, copied
) -> None:
    other = copied(emulated_llm)
    assert (await other.achat(ASK)).message.content
    stream = emulated_llm.stream_chat(ASK)
    next(stream)
    other.close()
    await other.aclose()
    assert list(stream)
    assert emulated_llm.chat(ASK).message.content
    assert (await emulated_llm.achat(ASK)).message.content
    with pytest.raises(ConfigurationError, match="closed"):
        other.chat(ASK)


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
async def test_the_last_one_closes_the_connections(emulated_llm, copied) -> None:
    other = copied(emulated_llm)
    emulated_llm.chat(ASK)
    client, http = emulated_llm._sync_client, emulated_llm._sync_client._driver.http
    twin = emulated_llm._async_client
    await twin.models.list()
    await emulated_llm.aclose()
    assert client.models.list()
    assert other.chat(ASK).message.content
    await other.aclose()
    assert http._own is None
    with pytest.raises(ConfigurationError, match="closed"):
        client.models.list()
    with pytest.raises(ConfigurationError, match="closed"):
        await twin.models.list()


@pytest.mark.usefixtures("only_new_garbage")
def test_a_collected_copy_holds_nothing_open(emulated_llm) -> None:
    client = emulated_llm._sync_client
    copy.copy(emulated_llm)
    gc.collect()
    emulated_llm.close()
    with pytest.raises(ConfigurationError, match="closed"):
        client.models.list()


def keys_of(service: Any) -> list[str]:
    return [headers["authorization"].removeprefix("Bearer ") for headers in service.headers]


CHANGES = {
    "model_copy": lambda llm, key: llm.model_copy(update={"api_key": key}),
    "attribute of a copy": lambda llm, key: _with_key(copy.copy(llm), key),
    "attribute of a deep copy": lambda llm, key: _with_key(copy.deepcopy(llm), key),
}


def _with_key(llm: RuncrateLLM, key: Any) -> RuncrateLLM:
    llm.api_key = key
    return llm


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("kind", [str, SecretStr])
async def test_another_key_is_used_and_shown_nowhere(made_llm, service, changed, kind) -> None:
    service.will_say(completion("Hi."))
    llm = made_llm()
    other = changed(llm, kind("rc_live_rotated"))
    other.chat(ASK)
    await other.achat(ASK)
    llm.chat(ASK)
    await llm.achat(ASK)
    assert keys_of(service) == ["rc_live_rotated"] * 2 + ["rc_live_test"] * 2
    assert other.api_key is None
    assert "rc_live" not in repr(other) + str(other.to_dict()) + repr(other.__dict__)


async def test_a_rotated_key_is_used_by_the_next_call(made_llm, service) -> None:
    service.will_say(completion("Hi."))
    llm = made_llm()
    llm.chat(ASK)
    llm.api_key = "rc_live_rotated"
    llm.chat(ASK)
    await llm.achat(ASK)
    assert keys_of(service) == ["rc_live_test", "rc_live_rotated", "rc_live_rotated"]


def test_a_copy_with_another_url_has_connections_of_its_own(runcrate_emulator) -> None:
    with Emulator() as second:
        first = RuncrateLLM(
            model=CHAT_MODEL,
            api_base=runcrate_emulator.inference_url,
            api_key=runcrate_emulator.api_key,
            max_retries=0,
        )
        copies = [
            first.model_copy(update={"api_base": second.inference_url}),
            first.model_copy(update={"base_url": second.inference_url}),
        ]
        for other in copies:
            assert other.api_base == second.inference_url
            assert other.to_dict()["api_base"] == second.inference_url
            count = len(second.requests)
            other.chat(ASK)
            assert len(second.requests) == count + 1
            other.close()
        assert first.chat(ASK).message.content
        first.close()


def test_threads_with_keys_of_their_own_do_not_disturb_each_other(runcrate_emulator) -> None:
    base = RuncrateLLM(
        model=CHAT_MODEL,
        api_base=runcrate_emulator.inference_url,
        api_key=runcrate_emulator.api_key,
        max_retries=0,
    )
    runcrate_emulator.add_key("rc_live_other")

    def ask(number: int) -> str:
        key = ("rc_live_other", runcrate_emulator.api_key, "rc_live_wrong")[number % 3]
        llm = base.model_copy(update={"api_key": key})
        try:
            return str(list(llm.stream_chat(ASK))[-1].message.content)
        except AuthenticationError:
            return "refused"
        finally:
            llm.close()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(24)))
    assert [answer == "refused" for answer in answers] == [n % 3 == 2 for n in range(24)]
    assert base.chat(ASK).message.content
    base.close()


def test_options_are_changed_without_new_connections(emulated_llm) -> None:
    http = emulated_llm._sync_client._driver.http
    other = emulated_llm.model_copy(update={"max_retries": 7, "stream_idle_timeout": 5.0})
    assert other._sync_client._driver.http is http
    assert other._sync_client._driver.config.max_retries == 7
    assert (other.max_retries, other.stream_idle_timeout) == (7, 5.0)
    assert emulated_llm._sync_client._driver.config.max_retries == 3
    emulated_llm.default_headers = {"X-Team": "a"}
    assert emulated_llm.default_headers is None
    assert dict(emulated_llm._sync_client._driver.config.default_headers) == {"X-Team": "a"}


def test_an_unusable_value_changes_nothing(emulated_llm) -> None:
    for name, value in {"api_base": "ftp://x", "max_retries": -1, "api_key": "no key"}.items():
        with pytest.raises(ConfigurationError) as caught:
            emulated_llm.model_copy(update={name: value})
        assert "no key" not in str(caught.value)
        with pytest.raises(ConfigurationError):
            setattr(emulated_llm, name, value)
    assert emulated_llm.chat(ASK).message.content


def test_embeddings_are_copied_alike(emulated_embedding) -> None:
    copied = emulated_embedding.model_copy(update={"embed_batch_size": 2})
    copied.close()
    assert len(emulated_embedding.get_text_embedding("x")) > 10
    other = emulated_embedding.model_copy(update={"api_key": "rc_live_wrong"})
    with pytest.raises(AuthenticationError):
        other.get_text_embedding("x")
    other.close()
    assert isinstance(copied, RuncrateEmbedding)
