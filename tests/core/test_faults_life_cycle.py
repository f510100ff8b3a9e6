"""Fault table, rows 40 to 43: loops, forks, threads and closing."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

import runcrate_core as rc
import runcrate_core.toolkit as rt
from runcrate_core.io import httpx_adapter
from runcrate_core.protocol.chat_accumulator import CompletionContext
from runcrate_core.protocol.downloads import download_flow
from runcrate_core.protocol.request import RetrySafety, Surface, json_request
from runcrate_core.protocol.steps import InvokeCallback, ReadBytes
from runcrate_core.protocol.stream_start import StreamRequest, open_stream
from tests.core.both_clients import new_client
from tests.core.cloud import in_child
from tests.servers import Reply, ScriptedServer, sse, stream_reply, text_chunk

OK = Reply(json={"data": []})


@pytest.mark.parametrize("threads", [1, 2])
def test_40_one_async_client_under_two_loops(threads):
    async def several():
        await asyncio.gather(*(client.instances.list() for _ in range(5)))
        await client.instances.list()

    with ScriptedServer(OK) as server:
        client = new_client(server.url, is_async=True)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda _: asyncio.run(several()), range(2)))
        assert server.sent == 12
        assert 2 <= server.connections <= 10  # none of one loop is used by the other


def run_without_clean_up(main: Any) -> None:
    """Run a coroutine as LlamaIndex does behind blocking calls: the loop is closed and no more."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main)
    loop.close()


@pytest.mark.usefixtures("only_new_garbage")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of who cleans up no better
@pytest.mark.parametrize("run_in_loop", [asyncio.run, run_without_clean_up])
def test_40_loops_that_have_ended_are_not_kept(run_in_loop):
    with ScriptedServer(OK) as server:
        client = new_client(server.url, is_async=True)
        ended: list[weakref.ref[asyncio.AbstractEventLoop]] = []

        async def once():
            ended.append(weakref.ref(asyncio.get_running_loop()))
            await client.instances.list()

        for run_once in (run_in_loop, run_in_loop, asyncio.run):
            run_once(once())
        gc.collect()
        assert [loop() for loop in ended[:2]] == [None, None]


@pytest.mark.usefixtures("only_new_garbage")
def test_40_connections_of_a_dropped_client_are_closed_with_the_loop():
    async def several() -> None:
        client = new_client(server.url, is_async=True)
        await asyncio.gather(*(client.instances.list() for _ in range(5)))

    with ScriptedServer(OK) as server:
        asyncio.run(several())
        gc.collect()  # a connection that is still open is an error here
        assert server.connections > 1


def test_40_without_an_event_loop_of_asyncio_nothing_is_sent():
    with ScriptedServer(OK) as server:
        client = new_client(server.url, is_async=True)
        with pytest.raises(rc.ConfigurationError, match="no event loop of asyncio is running"):
            client.instances.list().send(None)
        with pytest.raises(StopIteration):
            client.aclose().send(None)
        assert server.sent == 0


def downloading(client: rc.Runcrate, folder: Path) -> Any:
    return download_flow(f"{client._driver.config.inference_url}/file", folder / "file")


def opening(client: rc.Runcrate, _: Path) -> Any:
    request = json_request(Surface.INFERENCE, "POST", "/chat/completions", retry=RetrySafety.SAFE)
    asked = StreamRequest(request, CompletionContext())
    return open_stream(asked, client._driver.context, idle_s=10)


@pytest.mark.parametrize(
    ("start", "last"),
    [(downloading, ReadBytes), (opening, ReadBytes), (opening, InvokeCallback)],
)
def test_40_a_flow_that_is_abandoned_with_its_loop_only_cleans_up(tmp_path, start, last):
    with ScriptedServer(stream_reply(sse(text_chunk("a")))) as server:
        with new_client(server.url, on_request=lambda _: None) as client:
            flow = start(client, tmp_path)
            step = next(flow)
            while not isinstance(step, last):
                step = flow.send(client._driver._do(step))
            flow.close()  # which raises if the flow asks for anything more
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_41_a_fork_opens_its_own_connections():
    with ScriptedServer(OK) as server, new_client(server.url) as client:
        client.instances.list()
        assert in_child(lambda: client.instances.list() == [])
        assert server.connections == 2
        client.instances.list()
        assert server.connections == 2


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_41_a_child_inherits_no_lock_and_no_counter(scripted, is_async):
    _, both = scripted(OK)
    driver = both.client._driver
    limiter, budget = driver.context.limiter, driver.context.budget
    while limiter.acquire(0.0, lambda: 0.0) == 0.0:
        pass
    both.spend_retry_budget()
    connections = getattr(driver.http, "_lock", threading.Lock())

    def work():
        result = both.client.instances.list()
        return (asyncio.run(result) if is_async else result) == [] and budget.take()

    with limiter._lock, budget._lock, connections:
        assert in_child(work)


def test_42_fifty_threads_share_one_client():
    barrier = threading.Barrier(50)

    def work(_):
        barrier.wait()
        used = client._driver.http.client(client._driver.config)
        return id(used), client.instances.list()

    with ScriptedServer(OK) as server, new_client(server.url) as client:
        with ThreadPoolExecutor(50) as pool:
            results = list(pool.map(work, range(50)))
    assert results == [(results[0][0], [])] * 50


def test_43_closing_twice_is_once_and_use_after_closing_is_refused(at, is_async):
    both = at("http://127.0.0.1:9")
    for _ in range(2):
        both("aclose" if is_async else "close")
    with pytest.raises(rc.ConfigurationError, match="closed"):
        both("instances.list")


def test_39_a_full_pool_says_so(monkeypatch):
    monkeypatch.setattr(httpx_adapter, "LIMITS", httpx.Limits(max_connections=1))
    with ScriptedServer(stream_reply([*sse(text_chunk("a"), done=False), 5.0])) as server:
        client = new_client(server.url, timeout=rc.Timeout(pool=0.2), max_retries=0)
        with client, client.chat.completions.stream(model="m", messages=[]):
            started = time.monotonic()
            with pytest.raises(rc.APITimeoutError, match="context managers") as caught:
                client.instances.list()
            assert time.monotonic() - started < 1
    assert caught.value.may_have_been_received is False
    assert server.sent == 1


def test_39_more_calls_than_connections_wait_for_each_other(monkeypatch):
    monkeypatch.setattr(httpx_adapter, "LIMITS", httpx.Limits(max_connections=2))
    slow = Reply(body=[0.2, b'{"data": []}'])
    with ScriptedServer(slow) as server:
        with new_client(server.url, timeout=0.6, max_retries=0) as client:
            with ThreadPoolExecutor(12) as pool:  # the last waits twice as long as for the service
                list(pool.map(lambda _: client.instances.list(), range(12)))
    assert (server.sent, server.connections) == (12, 2)


SECRET = {"api_key": "rc_live_other", "default_headers": {"x-secret": "hidden"}}
SYNC_ONE = rc.Runcrate(**SECRET, environment="staging")
ASYNC_ONE = rc.AsyncRuncrate(**SECRET, environment="staging")
HOLDERS = {
    "sync": SYNC_ONE,
    "async": ASYNC_ONE,
    "pair of sync": rt.SyncAsyncClients(SYNC_ONE),
    "pair of async": rt.SyncAsyncClients(ASYNC_ONE),
    "pair of async by name": rt.SyncAsyncClients(None, ASYNC_ONE),
    "lease": rt.ClientLease(SYNC_ONE),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_clients_are_copied_and_pickled_without_their_key(holder, monkeypatch):
    if isinstance(holder, rc.Runcrate | rc.AsyncRuncrate):
        assert copy.deepcopy(holder) is copy.copy(holder) is holder
    assert "rc_live" not in repr(holder)
    data = pickle.dumps(holder)
    assert b"rc_live" not in data
    assert b"hidden" not in data
    monkeypatch.setenv("RUNCRATE_API_KEY", "rc_live_worker")
    restored = pickle.loads(data)  # noqa: S301 - our own bytes
    for client in (getattr(restored, "sync", restored), getattr(restored, "async_", restored)):
        config = client._driver.config
        assert (config.api_key, config.environment) == ("rc_live_worker", "staging")


def test_derived_clients_share_connections_and_change_only_what_was_asked():
    with ScriptedServer(OK) as server, new_client(server.url) as client:
        client.instances.list()
        client.with_options(environment="staging", max_retries=0).instances.list()
        with pytest.raises(rc.ConfigurationError, match="`speed`"):
            client.with_options(speed=9)
    assert server.connections == 1
    paths = [request.path.removeprefix("/api/v1") for request in server.received]
    assert paths == ["/instances", "/instances?environment=staging"]
