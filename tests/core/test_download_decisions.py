"""Downloads decided without I/O: ranges, validators, and one version of a file whatever comes."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runcrate_core as rc
from runcrate_core.protocol.attempts import CallContext
from runcrate_core.protocol.body_buffer import Inflater
from runcrate_core.protocol.downloads import external_request, transfer_flow
from runcrate_core.protocol.ranges import ContentRange, content_range, validator
from runcrate_core.protocol.response import Failure, Response, TransportFailure
from runcrate_core.protocol.retry import RetryPolicy
from runcrate_core.protocol.steps import (
    CloseStream,
    GetRunner,
    Now,
    OpenStream,
    ReadBytes,
    RunInThread,
    Sleep,
    StreamedResponse,
)
from runcrate_core.protocol.transfer import Transfer, Wanted

FILE = external_request("https://example.com/x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes 0-4/5", ContentRange(0, 4, 5)),
        (" bytes 3-4/* ", ContentRange(3, 4, None)),
        *((reverse, None) for reverse in ("bytes 4-3/5", "bytes 0-5/5", "bytes -1-4/5")),
        *((other, None) for other in ("bytes */5", "bytes=0-4/5", "bytes 0-4", "")),
        *((odd, None) for odd in ("bytes \u0660-4/5", "bytes 0-99999999999999999999/*")),
    ],
)
def test_ranges_are_read(text, expected):
    assert content_range({"content-range": text}) == expected


@pytest.mark.parametrize(
    ("headers", "tag"),
    [
        ({"etag": '"a"'}, '"a"'),
        ({"etag": '"a"', "last-modified": "d"}, '"a"'),
        ({"etag": 'W/"a"', "last-modified": "d"}, "d"),
        ({"last-modified": "d"}, "d"),
        ({"etag": 'W/"a"'}, None),
        ({}, None),
        ({"etag": '"a"', "accept-ranges": "None"}, None),
        ({"etag": '"a"', "content-encoding": "gzip"}, None),
        ({"etag": '"a"', "content-encoding": "Identity"}, '"a"'),
        ({"etag": '"a"', "content-encoding": "aws-chunked, UTF-8"}, '"a"'),
    ],
)
def test_validators_are_strong_ones(headers, tag):
    assert validator(headers) == tag


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=3), st.integers(1, 500))
def test_gzip_is_decoded_whichever_way_it_is_cut(members, piece):
    packed = b"".join(gzip.compress(member) for member in members)
    gunzip, pieces = Inflater(), [packed[at : at + piece] for at in range(0, len(packed), piece)]
    assert b"".join(out for each in pieces for out in gunzip.feed(each)) == b"".join(members)
    assert gunzip.is_whole
    assert list(gunzip.feed(b"")) == []


class Sink(bytearray):
    """A file in memory."""

    write = bytearray.extend
    restart = bytearray.clear

    def reserve(self, size: int) -> None:
        pass


@dataclass(frozen=True)
class Behaviour:
    """The behaviour of a server for one opening."""

    version: int = 0
    heeds_range: bool = True
    shift: int = 0
    tagged: bool = True
    cut_after: int | None = None
    status: int | None = None


def response_of(behaviour: Behaviour, data: bytes, asked: dict[str, str]) -> Any:
    """Return the response to a request with these headers."""
    if behaviour.status is not None:
        return Response(behaviour.status)
    headers = {"etag": f'"{behaviour.version}"'} if behaviour.tagged else {}
    start = 0
    if behaviour.heeds_range and "range" in asked and asked["if-range"] == headers.get("etag"):
        start = int(asked["range"].removeprefix("bytes=").removesuffix("-"))
        if start >= len(data):
            return Response(416)
        start = min(start + behaviour.shift, len(data) - 1)
        headers["content-range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
    headers["content-length"] = str(len(data) - start)
    sent = data[start:][: behaviour.cut_after]
    pieces = [*(sent[at : at + 7] for at in range(0, len(sent), 7))]
    end = None if len(sent) == len(data) - start else TransportFailure(Failure.BROKEN)
    status = 206 if "content-range" in headers else 200
    return StreamedResponse(status, headers, iter([*pieces, end]))


def received(
    versions: list[bytes], behaviours: list[Behaviour], wanted: Wanted
) -> tuple[bytes, Transfer]:
    """Run a transfer without I/O; return the file. The last behaviour is that of all further."""
    sink, transfer = Sink(), Transfer(FILE, wanted)
    policy = RetryPolicy(max_retries=3, random=lambda: 0.0)
    runner = SimpleNamespace(context=CallContext(policy=policy))
    flow, next_ones = transfer_flow(transfer, sink, None), chain(behaviours, repeat(behaviours[-1]))
    opened, reply = 0, None
    while True:
        try:
            step = flow.send(reply)
        except StopIteration:
            return bytes(sink), transfer
        match step:
            case GetRunner():
                reply = runner
            case RunInThread(function):
                reply = function()
            case OpenStream(request):
                assert opened == 0
                behaviour = next(next_ones)
                data = versions[behaviour.version]
                reply = response_of(behaviour, data, dict(request.headers))
                opened += isinstance(reply, StreamedResponse)
            case ReadBytes(source):
                reply = next(source.body)
            case CloseStream():
                opened -= 1
                reply = None
            case Sleep() | Now():
                reply = 0.0
            case _:
                raise AssertionError(step)


BEHAVIOURS = st.builds(
    Behaviour,
    version=st.integers(0, 1),
    heeds_range=st.booleans(),
    shift=st.sampled_from([0, 0, 0, 1, -1]),
    tagged=st.booleans(),
    cut_after=st.one_of(st.none(), st.integers(0, 60)),
    status=st.sampled_from([None] * 6 + [416, 503]),
)


@given(st.binary(max_size=60), st.binary(max_size=60), st.lists(BEHAVIOURS, min_size=1, max_size=8))
def test_a_download_is_one_version_of_the_file_or_an_error(one, two, behaviours):
    """Whatever a server does with ranges and cuts, two versions are never mixed."""
    try:
        data, transfer = received([one, two], behaviours, Wanted())
    except rc.RuncrateError:
        return
    assert data in {one, two}
    assert transfer.received == len(data)


@given(st.binary(min_size=1, max_size=60), st.lists(st.integers(0, 59), max_size=3))
def test_a_good_server_that_cuts_is_always_survived(data, cuts):
    behaviours = [Behaviour(cut_after=at) for at in cuts] + [Behaviour()]
    wanted = Wanted.of(limit=60, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    assert received([data], behaviours, wanted)[0] == data


def test_more_than_was_announced_is_refused():
    transfer = Transfer(FILE, Wanted())
    transfer.begin(200, {"content-length": "2"})
    assert list(transfer.take(b"abc")) == [b"abc"]
    with pytest.raises(rc.ResponseFormatError, match="more than the 2 bytes"):
        transfer.is_whole()
