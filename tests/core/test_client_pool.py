"""Pools of clients: shared by account, open as long as anyone uses them, closed after the last."""

from __future__ import annotations

import copy
import gc
import pickle
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

import runcrate_core as rc
import runcrate_core.toolkit as rt
from runcrate_core import client_pool
from runcrate_core.ssh.shell_pool import ShellPool
from tests.core.both_clients import awaited
from tests.core.cloud import in_child
from tests.servers import Reply, ScriptedServer

KEY = "rc_live_test"
OK = Reply(json={"data": []})


def lease(url: str = "http://127.0.0.1:9", **options: Any) -> rt.ClientLease:
    options = {"api_key": KEY, "inference_url": f"{url}/v1", **options}
    return rt.ClientLease(rc.Runcrate(**options))


def test_leases_of_an_account_share_connections_budget_and_rate_limit():
    with ScriptedServer(OK) as server:
        one, two = lease(server.url), lease(server.url, max_retries=0)
        assert one.sync is one.sync
        for client in (one.sync, two.sync):
            client.models.list()
        assert server.connections == 1
    contexts = [it._driver.context for it in (one.sync, two.sync, one.async_, two.async_)]
    assert len({id(context.budget) for context in contexts}) == 1
    assert len({id(context.limiter) for context in contexts}) == 1
    assert [context.policy.max_retries for context in contexts] == [3, 0, 3, 0]


@pytest.mark.parametrize(
    "other", [{"api_key": "rc_live_other"}, {"inference_url": "http://127.0.0.1:8/v1"}]
)
def test_other_accounts_have_connections_of_their_own(other):
    one = lease()
    for two in (lease(**other), one.changed(**other)):
        assert two.sync._driver.http is not one.sync._driver.http
    changed = one.changed(max_retries=7)
    assert changed.sync._driver.http is one.sync._driver.http
    assert changed.sync._driver.config.max_retries == 7


def test_an_unused_lease_keeps_the_connections_open():
    with ScriptedServer(OK) as server:
        one, unused = lease(server.url), lease(server.url)
        one.close()
        unused.sync.models.list()
        client = unused.sync
        unused.close()
        with pytest.raises(rc.ConfigurationError, match="closed"):
            client.models.list()
        with pytest.raises(rc.ConfigurationError, match="Make a new object"):
            _ = one.sync
        assert lease(server.url).sync.models.list() == []


async def test_the_last_one_closes_both_kinds():
    with ScriptedServer(OK) as server:
        one = lease(server.url)
        two = copy.copy(one)
        client = one.async_
        one.close()
        await one.aclose()
        await client.models.list()
        await two.aclose()
        with pytest.raises(rc.ConfigurationError, match="closed"):
            await client.models.list()


async def test_a_closed_lease_is_copied_closed():
    one = lease()
    kept_open = copy.copy(one)
    one.close()
    assert one.async_  # until `aclose`
    await one.aclose()
    for copied in (one, copy.copy(one), copy.deepcopy(one), one.changed(max_retries=1)):
        with pytest.raises(rc.ConfigurationError, match="closed"):
            _ = copied.sync
        with pytest.raises(rc.ConfigurationError, match="closed"):
            _ = copied.async_
    other = one.changed(api_key="rc_live_other")
    assert all((other.sync, other.async_, kept_open.sync, kept_open.async_))


@pytest.mark.usefixtures("only_new_garbage")
def test_a_pool_ends_with_its_last_user():
    one = lease("http://127.0.0.1:7")
    client = one.sync
    pool = one.pool
    del one
    gc.collect()
    assert not pool.close_unused()  # as a call in flight would use the client
    del client
    gc.collect()
    assert pool.close_unused()
    assert pool not in client_pool._registry._pools.values()


def test_http_clients_of_the_user_are_never_closed():
    responses = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": []}))
    with httpx.Client(transport=responses) as own:
        client, given = rc.Runcrate(KEY, http_client=own), lease(http_client=own)
        for user in (client, given.sync):
            assert user.models.list() == []
        assert given.sync._driver.http is not lease().sync._driver.http
        with pytest.raises(rc.ConfigurationError, match="async_client"):
            _ = given.async_
        with pytest.raises(rc.ConfigurationError, match=r"httpx\.AsyncClient"):
            rc.AsyncRuncrate(KEY, http_client=own)
        for owner in (client, given):
            with pytest.raises(pickle.PicklingError, match="http_client"):
                pickle.dumps(owner)
            owner.close()
        assert not own.is_closed


def test_an_asynchronous_client_alone_is_enough():
    given = rt.SyncAsyncClients(rc.AsyncRuncrate(KEY, inference_url="http://127.0.0.1:9/v1"))
    assert given.changed(max_retries=1).async_._driver.config.max_retries == 1
    other = given.changed(api_key="rc_live_other")
    assert isinstance(other, rt.ClientLease)
    assert other.sync._driver.config.api_key == "rc_live_other"


def test_a_lock_held_during_a_fork_is_not_held_in_the_child():
    pair, shells = rt.SyncAsyncClients(rc.Runcrate(KEY)), ShellPool()
    sessions = rc.SpendLedger()._sessions

    def locks() -> list[Any]:
        return [client_pool._registry.lock, pair._lock, sessions._lock, shells._lock]

    with ExitStack() as held:
        for lock in locks():
            held.enter_context(lock)
        assert in_child(lambda: all(lock.acquire(blocking=False) for lock in locks()))


async def test_one_client_is_enough_for_both_kinds(cloud):
    for kind, other in ((rc.Runcrate, "async_"), (rc.AsyncRuncrate, "sync")):
        client = kind(cloud.api_key, base_url=cloud.base_url)
        pair = rt.SyncAsyncClients(client)
        twin = getattr(pair, other)
        assert twin is getattr(pair, other)
        assert {pair.sync, pair.async_} == {client, twin}
        assert pair.sync.billing.get_balance().credits_balance == 100
        assert (await pair.async_.billing.get_balance()).credits_balance == 100
        assert twin._driver.context.budget is client._driver.context.budget
        await pair.aclose()
        await awaited(client.aclose() if kind is rc.AsyncRuncrate else client.close())


def test_copies_share_their_ledger_and_their_connections():
    box, pair = rt.AgentToolbox(), rt.SyncAsyncClients()
    assert copy.deepcopy(box) is box
    assert copy.deepcopy(pair) is pair
    pair.close()
