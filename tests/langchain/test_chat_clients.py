"""Connections: shared, closed in time, safe with threads, loops, copies and pickles.

Pools, forks and the life of connections are tested with the core's client pool and faults.
"""

from __future__ import annotations

import asyncio
import copy
import gc
import json
import pickle
from typing import Any

import pytest
from langchain_core.load import dumpd, dumps
from pydantic import SecretStr

from langchain_runcrate import ChatRuncrate, RuncrateEmbeddings
from runcrate_core import ConfigurationError
from tests.chat_service import MODEL, Service
from tests.langchain.chat_service import KEY, chat, closed, completion, streamed, whole
from tests.servers import Reply, ScriptedServer

SECRET = "rc_live_secret_value"
HEADERS = {"X-Gateway-Token": "gateway_secret_value"}


@pytest.mark.usefixtures("only_new_garbage")
def test_models_share_connections_which_the_last_one_closes():
    vectors = Reply(json={"data": [{"index": 0, "embedding": [0.5, 1.0]}]})
    with ScriptedServer(whole(), whole(), vectors, vectors, whole()) as server:
        models = [chat(server, temperature=t, max_retries=t, timeout=1 + t) for t in range(2)]
        for model in models:
            model.invoke("Hi")
        embeddings = RuncrateEmbeddings(model="e", api_key=KEY, base_url=f"{server.url}/v1")
        embeddings.embed_query("x")
        for model in models:
            model.close()
            model.close()
        assert embeddings.embed_query("x") == [0.5, 1.0]
        assert server.connections == 1
        embeddings.close()
        assert closed(server)
        chat(server).invoke("Hi")  # a new one, of a model that is forgotten
        assert server.connections == 2
        gc.collect()
        assert closed(server)


@pytest.mark.usefixtures("only_new_garbage")
def test_one_model_serves_one_event_loop_after_the_other():
    with ScriptedServer(whole()) as server:
        model = chat(server)
        for _ in range(3):
            assert asyncio.run(model.ainvoke("Hi")).text == "Hello!"
            gc.collect()
        asyncio.run(model.aclose())


async def test_clients_of_ones_own_are_used_and_stay_open():
    service = Service()
    service.will_say(completion())
    own = service.http_clients()
    model = ChatRuncrate(model=MODEL, **own)
    again = copy.deepcopy(model)
    assert again.http_client is own["http_client"]
    assert model.invoke("Hi").text == again.invoke("Hi").text == "Hello!"
    assert (await model.ainvoke("Hi")).text == "Hello!"
    assert {headers["host"] for headers in service.headers} == {"api.runcrate.ai"}
    model.close()
    await model.aclose()
    assert not any(client.is_closed for client in own.values())
    with pytest.raises(pickle.PicklingError, match="http_client"):
        pickle.dumps(model)
    own["http_client"].close()
    await own["http_async_client"].aclose()


def secretive(**options: Any) -> ChatRuncrate:
    fields = {"model": MODEL, "api_key": SECRET, "default_headers": HEADERS, "temperature": 0.5}
    return ChatRuncrate(**{**fields, **options})


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        dumps,
        lambda model: json.dumps(dumpd(model)),
        lambda model: str(model.asdict()),
        lambda model: model.model_dump_json(),
        lambda model: str(model.model_dump()),
        lambda model: str(model._get_invocation_params(extra_headers=HEADERS)),
        lambda model: str(model._get_ls_params(extra_headers=HEADERS)),
        lambda model: model._get_llm_string(extra_headers=HEADERS),
        lambda model: pickle.dumps(model).decode("latin-1"),
        lambda model: repr(model._client_settings()),
        lambda model: repr(model._sync_client()),
        lambda model: pickle.dumps(model.bind_tools([])).decode("latin-1"),
    ],
)
@pytest.mark.parametrize("used", [False, True])
def test_neither_key_nor_headers_are_shown(show, used):
    model = secretive()
    if used:
        _ = model._serialized
        model._sync_client()
    assert "secret_value" not in show(model)


@pytest.mark.parametrize("used", [False, True])
def test_copies_have_the_key_and_pickles_that_of_their_environment(monkeypatch, used):
    with ScriptedServer(whole()) as server:
        settings = {"profile": {"max_input_tokens": 5}, "default_headers": HEADERS}
        model = chat(server, temperature=0.5, **settings)
        if used:
            model.invoke("Hi")
        for again in (copy.copy(model), copy.deepcopy(model), model.model_copy()):
            assert again.asdict() == model.asdict()
            assert again.invoke("Hi").text == "Hello!"
            assert server.received[-1].headers["authorization"] == f"Bearer {KEY}"
            assert server.received[-1].headers["x-gateway-token"] == "gateway_secret_value"
        monkeypatch.setenv("RUNCRATE_API_KEY", "rc_live_elsewhere")
        again = pickle.loads(pickle.dumps(model))  # noqa: S301 - its own
        bound = pickle.loads(pickle.dumps(model.bind(stop=["x"])))  # noqa: S301 - its own
        chain = model.with_structured_output({"title": "T", "type": "object"}, method="json_mode")
        assert pickle.loads(pickle.dumps(chain)).last == chain.last  # noqa: S301 - its own
        assert again.asdict() == bound.bound.asdict() == model.asdict()
        assert bound.kwargs == {"stop": ["x"]}
        assert again.profile == model.profile
        assert again.invoke("Hi").text == "Hello!"
        assert server.received[-1].headers["authorization"] == "Bearer rc_live_elsewhere"
        monkeypatch.delenv("RUNCRATE_API_KEY")
        keyless = pickle.loads(pickle.dumps(secretive()))  # noqa: S301 - its own
        with pytest.raises(ConfigurationError, match="RUNCRATE_API_KEY"):
            keyless.invoke("Hi")
        again.close()
        model.close()


def test_headers_of_model_and_call_are_sent():
    with ScriptedServer(whole()) as server:
        model = chat(server, default_headers={"X-One": "1"})
        model.invoke("Hi", extra_headers={"X-Two": "2"})
        model.close()
    headers = server.received[0].headers
    assert (headers["x-one"], headers["x-two"]) == ("1", "2")
    assert "extra_headers" not in server.received[0].json


def with_key(model: ChatRuncrate, key: str) -> ChatRuncrate:
    model.api_key = SecretStr(key)
    return model


@pytest.mark.parametrize(
    "copied",
    [
        lambda model, key: model.model_copy(update={"api_key": SecretStr(key)}),
        lambda model, key: with_key(copy.copy(model), key),
        lambda model, key: with_key(copy.deepcopy(model), key),
        with_key,  # a key that is rotated on one model
    ],
)
def test_copies_with_other_keys_have_connections_of_their_own(copied):
    with ScriptedServer(whole()) as server:
        model = chat(server)
        model.invoke("x")
        other = copied(model, "rc_live_other")
        other.invoke("x")
        model.invoke("x")
        other.close()
        model.invoke("x")
        keys = [one.headers["authorization"].removeprefix("Bearer ") for one in server.received]
        last = "rc_live_other" if other is model else KEY
        assert keys == [KEY, "rc_live_other", last, last]


@pytest.mark.usefixtures("only_new_garbage")
def test_a_stream_goes_on_when_its_model_is_closed_or_gone():
    with ScriptedServer(streamed(*({"content": text} for text in "abc")), whole()) as server:
        model = chat(server)
        stream = model.stream("x")
        pieces = [next(stream).text]
        model.close()
        model.invoke("y")
        del model
        gc.collect()
        pieces += [chunk.text for chunk in stream]
        assert "".join(pieces) == "abc"
