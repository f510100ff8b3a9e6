"""Connections: shared, closed in time, safe with threads, loops, forks, copies and pickles."""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import gc
import io
import json
import logging
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.load import dumpd, dumps, load
from langchain_core.rate_limiters import InMemoryRateLimiter
from pydantic import SecretStr

from langchain_runcrate import ChatRuncrate, RuncrateEmbeddings
from runcrate_core import ConfigurationError, Runcrate, client_pool
from runcrate_core.toolkit import ClientLease
from tests.chat_service import MODEL
from tests.langchain.chat_service import KEY, chat, completion, streamed, whole
from tests.servers import Reply, ScriptedServer

SECRET = "rc_live_secret_value"
HEADERS = {"X-Gateway-Token": "gateway_secret_value"}


def lease(key: str = KEY, **options: Any) -> ClientLease:
    return ClientLease(Runcrate(key, inference_url="http://127.0.0.1:9/v1", **options))


def test_equal_accounts_share_one_client():
    one, two, other = lease(), lease(timeout=5.0, max_retries=0), lease("rc_live_other")
    shared = one.sync._driver.http
    assert two.sync._driver.http is shared
    assert two.sync._driver.config.max_retries == 0
    assert other.sync._driver.http is not shared
    assert two.async_._driver.http is one.async_._driver.http
    assert two.async_._driver.context.limiter is one.sync._driver.context.limiter


def test_models_that_differ_otherwise_share_connections():
    with ScriptedServer(whole()) as server:
        models = [chat(server, temperature=t, max_retries=t, timeout=1 + t) for t in range(5)]
        for model in models:
            model.invoke("Hi")
        assert server.sent == 5
        assert server.connections == 1
        models[0].close()
        models[1].invoke("Hi")
        assert server.connections == 1


OPEN_FILES = Path("/proc/self/fd")


@pytest.mark.skipif(not OPEN_FILES.exists(), reason="open files cannot be counted here")
def test_many_models_open_no_sockets():
    before = len(list(OPEN_FILES.iterdir()))
    models = [ChatRuncrate(model=f"m{number}", api_key=KEY) for number in range(300)]
    for model in models:
        model._sync_client()
    assert len(list(OPEN_FILES.iterdir())) - before < 10


def test_the_last_user_closes_the_connections():
    with ScriptedServer(whole()) as server:
        one, two = chat(server), chat(server)
        one.invoke("Hi")
        two.invoke("Hi")
        one.close()
        assert server.open_connections == 1
        two.close()
        assert closed(server)
        one.invoke("Hi")  # opens a new one
        assert server.connections == 2
        one.close()
        one.close()


@pytest.mark.usefixtures("only_new_garbage")
def test_a_forgotten_model_closes_its_connections():
    with ScriptedServer(whole()) as server:
        chat(server).invoke("Hi")
        gc.collect()
        assert closed(server)
    accounts = list(client_pool._registry._pools)
    assert not [known for known in accounts if server.url in known.inference_url]


def closed(server: ScriptedServer) -> bool:
    for _ in range(200):
        if server.open_connections == 0:
            return True
        server._over.wait(0.01)
    return False


def test_one_model_serves_one_event_loop_after_the_other():
    with ScriptedServer(whole()) as server:
        model = chat(server)

        async def ask() -> str:
            message = await model.ainvoke("Hi")
            return str(message.text)

        async def ask_and_close() -> str:
            text = await ask()
            await model.aclose()
            return text

        assert [asyncio.run(ask_and_close()) for _ in range(3)] == ["Hello!"] * 3
        assert server.sent == 3


@pytest.mark.usefixtures("only_new_garbage")
def test_an_event_loop_that_was_not_closed_does_not_stand_in_the_way():
    with ScriptedServer(whole()) as server:
        model = chat(server)
        for _ in range(3):
            message = asyncio.run(model.ainvoke("Hi"))
            assert message.text == "Hello!"
            gc.collect()
        assert server.sent == 3


def test_threads_share_a_model():
    with ScriptedServer(whole()) as server:
        model = chat(server)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            texts = list(pool.map(lambda number: model.invoke(str(number)).text, range(64)))
        assert texts == ["Hello!"] * 64
        assert server.connections <= 16
        asked = {request.json["messages"][0]["content"] for request in server.received}
        assert asked == {str(number) for number in range(64)}
        model.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on this system")
def test_a_fork_makes_connections_of_its_own():
    program = f"""
import os, sys
from langchain_runcrate import ChatRuncrate
model = ChatRuncrate(model="m", api_key="{KEY}", base_url=sys.argv[1], max_retries=0)
assert model.invoke("parent").text == "Hello!"
child = os.fork()
if child == 0:
    os._exit(0 if model.invoke("child").text == "Hello!" else 1)
_, status = os.waitpid(child, 0)
assert model.invoke("parent again").text == "Hello!"
sys.exit(os.waitstatus_to_exitcode(status))
"""
    with ScriptedServer(whole()) as server:
        command = [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            program,
            f"{server.url}/v1",
        ]
        done = subprocess.run(command, check=False, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        assert server.connections == 2


def transport(seen: list[httpx.Request]) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=completion())

    return httpx.MockTransport(answer)


def test_a_client_of_ones_own_is_used_and_stays_open():
    seen: list[httpx.Request] = []
    with httpx.Client(transport=transport(seen)) as own:
        model = ChatRuncrate(model=MODEL, api_key=KEY, http_client=own)
        assert model.invoke("Hi").text == "Hello!"
        again = copy.deepcopy(model)
        assert again.http_client is own
        assert again.invoke("Hi").text == "Hello!"
        model.close()
        assert not own.is_closed
        with pytest.raises(pickle.PicklingError, match="http_client"):
            pickle.dumps(model)
    assert [str(request.url) for request in seen] == [
        "https://api.runcrate.ai/v1/chat/completions"
    ] * 2


async def test_an_asynchronous_client_of_ones_own_is_used():
    seen: list[httpx.Request] = []
    async with httpx.AsyncClient(transport=transport(seen)) as own:
        model = ChatRuncrate(model=MODEL, api_key=KEY, http_async_client=own)
        assert (await model.ainvoke("Hi")).text == "Hello!"
        await model.aclose()
        assert not own.is_closed
    assert len(seen) == 1


def test_a_client_of_another_library_is_refused_by_name():
    model = ChatRuncrate(model=MODEL, api_key=KEY, http_client=object())
    with pytest.raises(ConfigurationError, match=r"`httpx.Client`, not `builtins.object`"):
        model.invoke("Hi")


def secretive(**options: Any) -> ChatRuncrate:
    fields = {"model": MODEL, "api_key": SECRET, "default_headers": HEADERS, "temperature": 0.5}
    return ChatRuncrate(**{**fields, **options})


def holds_secret(text: str) -> bool:
    return "secret_value" in text


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
    assert not holds_secret(show(model))


def test_mistakes_in_arguments_do_not_show_the_key():
    for mistake in ({"temperature": "hot"}, {"n": 2, "streaming": True}, {"model_name": "x"}):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - whichever it is
            secretive(**mistake)
        assert not holds_secret(str(caught.value))


def test_nothing_secret_is_logged():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with ScriptedServer(whole()) as server:
            model = secretive(base_url=f"{server.url}/v1")
            model.invoke("Hi")
            model.close()
        sent = server.received[0].headers
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert sent["authorization"] == f"Bearer {SECRET}"
    assert sent["x-gateway-token"] == "gateway_secret_value"
    assert not holds_secret(stream.getvalue())


@pytest.mark.parametrize("used", [False, True])
def test_a_pickled_model_takes_the_key_of_its_new_environment(monkeypatch, used):
    with ScriptedServer(whole()) as server:
        model = chat(server, temperature=0.5, profile={"max_input_tokens": 5})
        if used:
            model.invoke("Hi")
        monkeypatch.setenv("RUNCRATE_API_KEY", "rc_live_elsewhere")
        again = pickle.loads(pickle.dumps(model))  # noqa: S301 - its own
        assert again.asdict() == model.asdict()
        assert again.profile == model.profile
        assert again.invoke("Hi").text == "Hello!"
        assert server.received[-1].headers["authorization"] == "Bearer rc_live_elsewhere"
        again.close()
        model.close()


def test_a_pickled_model_without_a_key_says_so_when_used(monkeypatch):
    frozen = pickle.dumps(ChatRuncrate(model=MODEL))
    monkeypatch.delenv("RUNCRATE_API_KEY")
    again = pickle.loads(frozen)  # noqa: S301 - its own
    with pytest.raises(ConfigurationError, match="RUNCRATE_API_KEY"):
        again.invoke("Hi")


def test_models_are_copied_with_their_key():
    model = secretive(callbacks=[], rate_limiter=None)
    for again in (copy.copy(model), copy.deepcopy(model), model.model_copy()):
        assert again.asdict() == model.asdict()
        assert again.api_key.get_secret_value() == SECRET
        assert again.default_headers == HEADERS
        again._sync_client()


def test_a_bound_model_is_pickled_too():
    model = secretive()

    again = pickle.loads(pickle.dumps(model.bind(stop=["x"])))  # noqa: S301 - its own
    assert again.kwargs == {"stop": ["x"]}
    assert again.bound.asdict() == model.asdict()


def test_a_changed_model_is_not_served_by_its_old_client():
    with ScriptedServer(whole()) as one, ScriptedServer(whole()) as two:
        model = chat(one)
        model.invoke("Hi")
        model.api_base = f"{two.url}/v1"
        model.invoke("Hi")
        other = model.model_copy(update={"api_base": f"{one.url}/v1"})
        other.invoke("Hi")
        model.invoke("Hi")
        assert (one.sent, two.sent) == (2, 2)
        model.close()


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
def test_a_dumped_model_is_loaded_with_the_key_of_the_environment():
    model = secretive()
    again = load(
        dumpd(model),
        allowed_objects="all",
        valid_namespaces=["langchain_runcrate"],
        secrets_map={"RUNCRATE_API_KEY": SECRET},
    )
    assert isinstance(again, ChatRuncrate)
    assert again.asdict() == model.asdict()
    assert again.api_key == model.api_key
    assert again.default_headers is None


def test_lanchains_rate_limiter_is_asked():
    limiter = InMemoryRateLimiter(requests_per_second=1000, check_every_n_seconds=0.001)
    taken = []
    acquire = limiter.acquire
    limiter.acquire = lambda **options: taken.append(1) or acquire(**options)
    with ScriptedServer(whole()) as server:
        model = chat(server, rate_limiter=limiter)
        model.invoke("Hi")
        model.close()
    assert taken == [1]


def test_headers_of_the_model_and_of_the_call_are_sent():
    with ScriptedServer(whole()) as server:
        model = chat(server, default_headers={"X-One": "1"})
        model.invoke("Hi", extra_headers={"X-Two": "2"})
        model.close()
    headers = server.received[0].headers
    assert (headers["x-one"], headers["x-two"]) == ("1", "2")
    assert "extra_headers" not in server.received[0].json


def test_embeddings_share_the_connections_of_models():
    vectors = Reply(json={"data": [{"index": 0, "embedding": [0.5, 1.0]}]})
    with ScriptedServer(whole(), vectors) as server:
        model = chat(server)
        embeddings = RuncrateEmbeddings(model="e", api_key=KEY, base_url=f"{server.url}/v1")
        model.invoke("Hi")
        assert embeddings.embed_query("x") == [0.5, 1.0]
        assert server.connections == 1
        again = pickle.loads(pickle.dumps(embeddings))  # noqa: S301 - its own
        assert again.model == "e"
        assert KEY not in repr(embeddings)
        embeddings.close()
        model.close()
        assert closed(server)


def answering_slowly(count: int) -> list[Reply]:
    return [Reply(body=[0.05, json.dumps(completion()).encode()]) for _ in range(count)]


def with_key(model: ChatRuncrate, key: str) -> ChatRuncrate:
    model.api_key = SecretStr(key)
    return model


COPIES: list[Any] = [
    lambda model, key: model.model_copy(update={"api_key": SecretStr(key)}),
    lambda model, key: with_key(copy.copy(model), key),
    lambda model, key: with_key(copy.deepcopy(model), key),
    with_key,  # a key that is rotated on one model
]


@pytest.mark.parametrize("copied", COPIES)
def test_copies_with_other_keys_do_not_disturb_each_other(copied: Any) -> None:
    with ScriptedServer(*answering_slowly(24)) as server:
        model = chat(server)

        def call(number: int) -> str:
            mine = copied(model, f"rc_live_test_{number}")
            text = str(mine.invoke("x").text)
            if number % 5 == 0:
                mine.close()  # while others are in the middle of their calls
            return text

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            assert list(pool.map(call, range(24))) == ["Hello!"] * 24
        keys = {received.headers["authorization"] for received in server.received}
        assert len(keys) > 12


@pytest.mark.usefixtures("only_new_garbage")
def test_a_stream_goes_on_when_its_model_is_closed_or_gone() -> None:
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


def test_a_copy_keeps_its_connections_when_the_model_is_closed() -> None:
    with ScriptedServer(*[whole()] * 3) as server:
        model = chat(server)
        model.invoke("x")
        twin = copy.copy(model)
        twin.invoke("x")
        model.close()
        twin.invoke("x")
        assert server.connections == 1
