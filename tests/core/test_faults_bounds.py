"""Bounds: every wait and every body ends, with both clients against a server that would not."""

from __future__ import annotations

import gzip
import math
import os
import time
import zlib

import pytest

import runcrate_core as rc
from runcrate_core.protocol import body_buffer
from runcrate_core.protocol.body_buffer import BodyBuffer
from tests.core.cloud import memory_below
from tests.servers import Reply, raw_reply

OK = Reply(json={"data": []})
# A byte of white space every so often: the silence between them never reaches its limit.
DRIP: list[bytes | float] = [item for _ in range(100) for item in (b" ", 0.05)]
BOMB = gzip.compress(b'{"data": "' + bytes(120_000_000), 1)


@pytest.mark.parametrize("timeout", [0.2, rc.Timeout(total=0.3)])
@pytest.mark.parametrize(("status", "kind"), [(200, rc.APITimeoutError), (404, rc.NotFoundError)])
def test_a_body_that_drips_has_an_end(failure, status, kind, timeout):
    started = time.monotonic()
    failure(kind, Reply(status, body=DRIP, length=1000), timeout=timeout, max_retries=0)
    assert time.monotonic() - started < 3


def test_a_head_that_drips_has_an_end(failure):
    dripping, began = Reply(json={}, drip_s=0.05), time.monotonic()
    late = r"not complete after 0\.6 s"
    error = failure(rc.APITimeoutError, dripping, match=late, timeout=0.2, max_retries=0)
    assert isinstance(error, TimeoutError)
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
    with memory_below(100):
        packed = raw_reply(BOMB, status=status, content_encoding="gzip")
        failure(kind, packed, match="GET /instances")


def test_a_body_without_end_is_refused(failure, monkeypatch):
    monkeypatch.setattr("runcrate_core.io.response_body.MAX_BODY_BYTES", 1_000_000)
    endless = Reply(body=[b"[" * 100_000] * 50)
    failure(rc.ResponseFormatError, endless, match="larger than is read")


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        *((plain, bytes) for plain in ("", "identity", "UTF-8")),
        *((packed, gzip.compress) for packed in ("gzip", "aws-chunked, gzip")),
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
