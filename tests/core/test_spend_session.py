"""Sessions: however one is left, what was started in it is ended, and what could not be is said."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from unittest.mock import Mock

import pytest

import runcrate_core as rc
import runcrate_core.toolkit as rt
from runcrate_core.spending import cleanup
from tests.core.agents import start
from tests.core.both_clients import awaited, cancelled, entered, new_client
from tests.core.cloud import respond

LIMITS = rc.SpendLimits(max_price_per_hour=2, max_instances=3, max_gpus=3)


@pytest.fixture
def guard() -> rc.SpendGuard:
    return rc.SpendGuard(LIMITS)


def new(cloud: Any, *, is_async: bool = False) -> Any:
    return new_client(cloud.base_url, is_async=is_async, key=cloud.api_key, max_retries=0)


@pytest.fixture
def client(cloud: Any) -> Iterator[rc.Runcrate]:
    with new(cloud) as client:
        yield client


@pytest.fixture
def opened(cloud: Any, is_async: bool, guard: rc.SpendGuard) -> Any:
    """Open a session with either client; give it, and a function that runs an operation in it."""

    @asynccontextmanager
    async def open_session(used: Any = guard, **options: Any) -> AsyncIterator[Any]:
        async with entered(new(cloud, is_async=is_async)) as client, AsyncExitStack() as stack:
            session = rc.SpendSession(used, client, **options)
            if is_async:
                await stack.enter_async_context(session)
            else:
                stack.enter_context(session)
            yield session, lambda operation: awaited(client.run(operation))

    return open_session


async def test_all_that_was_started_is_ended(opened, cloud, client, guard):
    cloud.clock_speed = 0  # no job ends on its own
    before = client.run(start(guard))
    async with opened() as (session, use):
        instance = await use(start(guard))
        job = await use(guard.run_job(command="sleep 500", gpu_type="A100", max_runtime_minutes=30))
    assert set(session.report.ended) == {instance.name, job.name}
    assert list(cloud.world.live_instances) == [before.id]
    assert cloud.world.live_jobs == {}
    with pytest.raises(rc.SpendRefusedError, match="session in which instances and jobs could be"):
        client.run(start(guard))
    async with opened() as (_, use):
        await use(start(guard))
    assert list(cloud.world.live_instances) == [before.id]


@pytest.mark.parametrize("status", ["stopped", "error"])
@pytest.mark.parametrize("is_seen", [False, True])
async def test_an_instance_that_only_stopped_or_failed_is_deleted(
    opened, cloud, guard, status, is_seen
):
    async with opened() as (_, use):
        instance = await use(start(guard))
        shown = {"id": instance.id, "name": instance.name, "status": status}
        respond(cloud, "GET /instances/{id}", shown, times=None)
        if is_seen:
            await use(guard.settle())
            assert guard.ledger.live == ()
    assert cloud.world.live_instances == {}


@pytest.mark.parametrize("options", [{}, {"used": None}])
async def test_a_session_in_which_nothing_was_started_asks_nothing(opened, cloud, options):
    async with opened(**options) as (session, _):
        pass
    assert session.report == rc.CleanupReport()
    assert cloud.requests == []


def test_one_client_serves_both_kinds(cloud, client, guard):
    async def main():
        pair = rt.SyncAsyncClients(client)
        async with rc.SpendSession(guard, pair) as opened:
            client.run(start(guard))
        await pair.aclose()
        return opened.report

    report = asyncio.run(main())
    assert report is not None
    assert len(report.ended) == 1
    with rc.SpendSession(guard, rt.SyncAsyncClients(client)) as sync:
        client.run(start(guard))
    assert len(sync.report.ended) == 1
    with rc.SpendSession(guard, new(cloud, is_async=True)) as again:
        client.run(start(guard))
    assert len(again.report.ended) == 1


@pytest.mark.parametrize("kind", [ValueError, BaseException, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("can_end", [True, False])
def test_an_exception_ends_everything_or_names_what_could_not_be(
    cloud, client, guard, kind, can_end
):
    if not can_end:
        cloud.fail("DELETE /instances/{id}", status=403, times=None)

    def body():
        with rc.SpendSession(guard, client):
            client.run(start(guard))
            raise kind

    with pytest.raises(kind) as caught:
        body()
    assert bool(cloud.world.live_instances) is not can_end
    notes = "".join(getattr(caught.value, "__notes__", ""))
    assert ("the server ends it after its lifetime" in notes) is not can_end


@pytest.mark.parametrize("when", ["in the body", "while ending", "with all tasks"])
async def test_a_cancellation_ends_everything_before_it_goes_on(cloud, guard, when):
    """An event loop that closes cancels every task, also the one that ends the instances."""
    started = asyncio.Event()

    async def agent():
        async with new(cloud, is_async=True) as client, rc.SpendSession(guard, client):
            await client.run(start(guard))
            cloud.fail("DELETE /instances/{id}", latency_s=0.3)
            started.set()
            if when == "in the body":
                await asyncio.sleep(60)

    task = asyncio.create_task(agent())
    await started.wait()
    if when == "in the body":
        task.cancel()
    await asyncio.sleep(0.1)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for other in others if when == "with all tasks" else ():
        other.cancel()
    await cancelled(task)  # a second one changes nothing
    assert cloud.world.live_instances == {}


async def test_a_launch_that_was_cancelled_on_its_way_is_found_and_ended(cloud, guard, monkeypatch):
    monkeypatch.setattr(cleanup, "END_WAITS_S", (0.1, 0.2, 0.3))
    cloud.fail("POST /instances", latency_s=0.3)

    async def agent():
        async with new(cloud, is_async=True) as client, rc.SpendSession(guard, client):
            await client.run(start(guard))

    task = asyncio.create_task(agent())
    while not guard.ledger.live:  # noqa: ASYNC110 - a reservation sets no event
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    error = await cancelled(task)
    assert "may have been started" in error.__notes__[0]
    assert cloud.world.live_instances == {}
    [entry] = guard.ledger.entries
    assert entry.state == "ended"


def test_what_could_not_be_ended_is_said(cloud, client, guard, caplog):
    cloud.fail("DELETE /instances/{id}", status=403, message="not yours", times=None)
    with pytest.warns(RuntimeWarning, match="could not be ended") as warned:
        with rc.SpendSession(guard, client) as opened:
            instance = client.run(start(guard))
    assert warned[0].filename == __file__
    [(name, reason)] = opened.report.failed
    assert name == instance.name
    assert "not yours" in reason
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert instance.name in record.getMessage()


async def test_one_that_hangs_delays_neither_the_others_nor_leaving(opened, cloud, guard):
    with pytest.warns(RuntimeWarning, match=r"Ended: .* could not be ended .*not done within 1 s"):
        async with opened(timeout=1.0) as (session, use):
            first, second = await use(start(guard)), await use(start(guard))
            cloud.fail(f"DELETE /instances/{first.id}", latency_s=2.5)
            began = time.monotonic()
    assert time.monotonic() - began < 2.4
    assert session.report.ended == (second.name,)
    assert [name for name, _ in session.report.failed] == [first.name]
    while cloud.world.live_instances:  # noqa: ASYNC110 - the request was sent, and is answered
        await asyncio.sleep(0.05)


async def test_a_failure_of_the_ending_itself_is_said(opened, guard, monkeypatch, caplog):
    broken = Mock(side_effect=RuntimeError("a bug"))
    with pytest.warns(RuntimeWarning, match="could not be ended"):
        async with opened() as (_, use):
            await use(start(guard))
            monkeypatch.setattr(cleanup, "terminate_all", broken)
    assert "Terminating everything failed." in caplog.text


# --- signals ---------------------------------------------------------------------------------


def test_handlers_are_installed_by_the_main_thread_and_put_back(client, guard):
    def handlers():
        return [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]

    def body():
        with rc.SpendSession(guard, client):
            seen.append(handlers())

    seen = [handlers()]
    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    body()
    before, of_thread, of_main = seen
    assert of_thread == before == handlers()
    assert not set(of_main) & set(before)


def test_a_handler_of_the_program_stays(client, guard):
    seen: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        own = signal.getsignal(signal.SIGTERM)
        with rc.SpendSession(guard, client):
            assert signal.getsignal(signal.SIGTERM) is own
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert seen == [signal.SIGTERM]


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)]
)
@pytest.mark.parametrize(
    ("body_s", "delays"), [(5, (0.05, 0.051, 0.052, 0.1, 0.2)), (0, (0.2, 0.25))]
)
def test_five_signals_leave_the_body_once_and_end_everything(
    opened, cloud, guard, number, error, body_s, delays
):
    """The first leaves the body; those that come while instances are terminated are held."""

    async def body():
        async with opened() as (_, use):
            await use(start(guard))
            cloud.fail("DELETE /instances/{id}", latency_s=0.4)
            for delay in delays:
                threading.Timer(delay, os.kill, (os.getpid(), number)).start()
            await asyncio.sleep(body_s)

    with pytest.raises(error) as caught:
        asyncio.run(body())
    assert getattr(caught.value, "code", 143) == 143
    assert cloud.world.live_instances == {}
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_tool_that_waits_in_another_thread_stops_when_the_session_is_left(cloud, client):
    cloud.clock_speed = 0  # nothing becomes ready
    box = rt.AgentToolbox(limits=LIMITS, poll_interval=60)
    waits: list[Future[Any]] = []

    def body():
        with box.session(client), ThreadPoolExecutor(1) as pool:  # which joins on its way out
            instance = client.run(start(box.guard))
            asked = box.run_tool("runcrate_wait_for_instance", {"instance_id": instance.id})
            waits.append(pool.submit(client.run, asked))
            while not any(entry.route.endswith("/status") for entry in cloud.requests):
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        body()
    with pytest.raises(rc.RuncrateError, match="session is closing"):
        waits[0].result()
    assert cloud.world.live_instances == {}
    # Outside of the session the same tools go on looking.
    listing = client.run(box.run_tool("runcrate_list_instances", {"include_ended": True}))
    assert listing.data["count"] == 1


def test_a_session_that_only_reads_is_left_by_a_signal(client):
    def body():
        with rt.AgentToolbox().session(client):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        body()
