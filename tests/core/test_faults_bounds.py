"""Bounds: every wait and every body ends, with both clients against a server that would not."""

from __future__ import annotations

import gzip
import math
import os
import signal
import threading
import time
import tracemalloc
import zlib
from typing import Any

import pytest

import runcrate_core as rc
from runcrate_core.protocol import body_buffer
from runcrate_core.protocol.body_buffer import BodyBuffer, UndecodableBodyError
from tests.core.both_clients import awaited, each
from tests.servers import Reply, ScriptedServer

OK = Reply(json={"data": []})
# A byte of white space every so often: the silence between them never reaches its limit.
DRIP: list[bytes | float] = [item for _ in range(100) for item in (b" ", 0.05)]
BOMB = gzip.compress(b'{"data": "' + bytes(120_000_000), 1)


def instances(client: Any) -> Any:
    return client.instances.list()


@pytest.mark.parametrize("timeout", [0.2, rc.Timeout(total=0.3)])
@pytest.mark.parametrize("status", [200, 404])
def test_a_body_that_drips_has_an_end(run, status, timeout):
    with ScriptedServer(Reply(status, body=DRIP, length=1000)) as server:
        started = time.monotonic()
        with pytest.raises((rc.APITimeoutError, rc.NotFoundError)) as caught:
            run(instances, server.url, timeout=timeout, max_retries=0)
        assert time.monotonic() - started < 3
    assert isinstance(caught.value, rc.NotFoundError) is (status == 404)


def test_a_head_that_drips_has_an_end(run):
    def drip():
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            for byte in b"HTTP/1.1 200 OK\r\nx-drip: " + b"a" * 100:
                try:
                    connection.sendall(bytes([byte]))
                except OSError:
                    return
                time.sleep(0.05)

    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(rc.APITimeoutError, match=r"not complete after 0\.6 s"):
            run(
                instances,
                f"http://127.0.0.1:{listener.getsockname()[1]}",
                timeout=0.2,
                max_retries=0,
            )
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("timeout", [1, math.inf])
def test_a_connection_is_used_again_after_a_response_in_time(run, timeout):
    slow = Reply(body=[b'{"data":', 0.2, b"[]}"], length=11)
    with ScriptedServer(slow, slow, OK) as server:

        async def thrice(client):
            for _ in range(3):
                await awaited(client.instances.list())

        run(thrice, server.url, timeout=timeout)
        assert (server.sent, server.connections) == (3, 1)


def test_a_small_body_that_decompresses_without_end_is_refused(run):
    reply = Reply(body=[BOMB], length=len(BOMB), headers={"content-encoding": "gzip"})
    with ScriptedServer(reply) as server:
        tracemalloc.start()
        with pytest.raises(rc.ResponseFormatError, match="GET /instances"):
            run(instances, server.url)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert server.sent == 1
    assert peak < 100_000_000


def test_an_error_body_that_decompresses_without_end_keeps_its_status(run):
    reply = Reply(404, body=[BOMB], length=len(BOMB), headers={"content-encoding": "gzip"})
    with ScriptedServer(reply) as server, pytest.raises(rc.NotFoundError):
        run(instances, server.url)


def test_a_body_without_end_is_refused(run, monkeypatch):
    monkeypatch.setattr("runcrate_core.io.response_body.MAX_BODY_BYTES", 1_000_000)
    with ScriptedServer(Reply(body=[b"[" * 100_000] * 50)) as server:
        with pytest.raises(rc.ResponseFormatError, match="larger than is read"):
            run(instances, server.url)
        assert server.sent == 1


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("", bytes), ("identity", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)],
)
def test_bodies_are_decoded(encoding, encode):
    data = os.urandom(3_000_000)
    encoded = encode(data)
    buffer = BodyBuffer({"content-encoding": encoding}, body_buffer.MAX_BODY_BYTES)
    for start in range(0, len(encoded), 65_536):
        buffer.feed(encoded[start : start + 65_536])
    assert buffer.content() == data
    assert not buffer.is_full


def test_bodies_that_cannot_be_decoded_say_so():
    with pytest.raises(UndecodableBodyError):
        BodyBuffer({"content-encoding": "br"}, 10)
    cut = BodyBuffer({"content-encoding": "gzip"}, 10_000)
    cut.feed(gzip.compress(os.urandom(5000))[:-2000])
    with pytest.raises(UndecodableBodyError):
        cut.content()
    assert len(cut.beginning()) > 1000


def test_following_logs_ends_with_the_job(run, monkeypatch):
    monkeypatch.setattr("runcrate_core.api.job_logs.EMPTY_READ_GAP_S", 0.01)
    ended = {"job_id": "j", "status": "succeeded", "cursor": 1, "done": False}
    replies = [
        Reply(json={"data": {**ended, "status": "running", "chunks": [{"text": "a", "seq": 1}]}}),
        Reply(json={"data": {**ended, "chunks": []}}),
    ]

    async def use(client):
        return [chunk.text async for chunk in each(client.jobs.follow_logs("j"))]

    with ScriptedServer(*replies) as server:
        assert run(use, server.url) == ["a"]
        assert server.sent == 3


def test_41_a_child_inherits_no_lock_and_no_counter(run):
    import asyncio

    with ScriptedServer(OK) as server:
        client = run.client(server.url)
        context = client._driver.context
        limiter, budget = context.limiter, context.budget
        while limiter.acquire(0.0, lambda: 0.0) == 0.0:
            pass
        while budget.take():
            pass
        limiter._lock.acquire()
        budget._lock.acquire()
        getattr(client._driver.http, "_lock", threading.Lock()).acquire()
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            signal.alarm(10)
            result = client.instances.list()
            value = asyncio.run(result) if run.is_async else result
            os._exit(0 if value == [] and budget.take() else 1)
        _, status = os.waitpid(child, 0)
        assert status == 0
        limiter._lock.release()
        budget._lock.release()
