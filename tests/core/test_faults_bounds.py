"""Bounds: every wait and every body ends, with both clients against a server that would not."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import math
import os
import signal
import socket
import threading
import time
import tracemalloc
import zlib

import pytest

import runcrate_core as rc
from runcrate_core.protocol import body_buffer
from runcrate_core.protocol.body_buffer import BodyBuffer, UndecodableBodyError
from tests.core.both_clients import KEY
from tests.core.cloud import Both
from tests.servers import Reply

OK = Reply(json={"data": []})
# A byte of white space every so often: the silence between them never reaches its limit.
DRIP: list[bytes | float] = [item for _ in range(100) for item in (b" ", 0.05)]
BOMB = gzip.compress(b'{"data": "' + bytes(120_000_000), 1)


def packed(status: int) -> Reply:
    return Reply(status, body=[BOMB], length=len(BOMB), headers={"content-encoding": "gzip"})


@pytest.mark.parametrize("timeout", [0.2, rc.Timeout(total=0.3)])
@pytest.mark.parametrize(("status", "kind"), [(200, rc.APITimeoutError), (404, rc.NotFoundError)])
def test_a_body_that_drips_has_an_end(failure, status, kind, timeout):
    started = time.monotonic()
    failure(kind, Reply(status, body=DRIP, length=1000), timeout=timeout, max_retries=0)
    assert time.monotonic() - started < 3


def test_a_head_that_drips_has_an_end(is_async):
    def drip():
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            for byte in b"HTTP/1.1 200 OK\r\nx-drip: " + b"a" * 100:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        with Both(url, KEY, is_async=is_async, timeout=0.2, max_retries=0) as both:
            with pytest.raises(rc.APITimeoutError, match=r"not complete after 0\.6 s"):
                both("instances.list")
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("timeout", [1, math.inf])
def test_a_connection_is_used_again_after_a_response_in_time(scripted, timeout):
    slow = Reply(body=[b'{"data":', 0.2, b"[]}"], length=11)
    server, both = scripted(slow, slow, OK, timeout=timeout)
    for _ in range(3):
        both("instances.list")
    assert (server.sent, server.connections) == (3, 1)


@pytest.mark.parametrize(
    ("status", "kind"), [(200, rc.ResponseFormatError), (404, rc.NotFoundError)]
)
def test_a_small_body_that_decompresses_without_end_is_refused(failure, status, kind):
    tracemalloc.start()
    failure(kind, packed(status), match="GET /instances")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000_000


def test_a_body_without_end_is_refused(failure, monkeypatch):
    monkeypatch.setattr("runcrate_core.io.response_body.MAX_BODY_BYTES", 1_000_000)
    endless = Reply(body=[b"[" * 100_000] * 50)
    failure(rc.ResponseFormatError, endless, match="larger than is read")


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("", bytes),
        ("identity", bytes),
        ("UTF-8", bytes),
        ("aws-chunked, gzip", gzip.compress),
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
    ],
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


def test_following_logs_ends_with_the_job(scripted, monkeypatch):
    monkeypatch.setattr("runcrate_core.api.job_logs.EMPTY_READ_GAP_S", 0.01)
    ended = {"job_id": "j", "status": "succeeded", "cursor": 1, "done": False}
    first = {**ended, "status": "running", "chunks": [{"text": "a", "seq": 1}]}
    replies = [Reply(json={"data": page}) for page in (first, {**ended, "chunks": []})]
    server, both = scripted(*replies)
    assert [chunk.text for chunk in both.values("jobs.follow_logs", "j")] == ["a"]
    assert server.sent == 3


def test_41_a_child_inherits_no_lock_and_no_counter(scripted, is_async):
    _, both = scripted(OK)
    context = both.client._driver.context
    limiter, budget = context.limiter, context.budget
    while limiter.acquire(0.0, lambda: 0.0) == 0.0:
        pass
    while budget.take():
        pass
    limiter._lock.acquire()
    budget._lock.acquire()
    connections = getattr(both.client._driver.http, "_lock", threading.Lock())
    connections.acquire()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the child ends, whatever the parent set
            signal.alarm(30)
            result = both.client.instances.list()
            value = asyncio.run(result) if is_async else result
            status = 0 if value == [] and budget.take() else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status == 0
    for lock in (limiter._lock, budget._lock, connections):
        lock.release()
