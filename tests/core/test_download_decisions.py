"""Downloads decided without I/O: ranges, validators and lengths."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runcrate_core as rc
from runcrate_core.protocol.body_buffer import Inflater
from runcrate_core.protocol.downloads import external_request
from runcrate_core.protocol.ranges import ContentRange, content_range, validator
from runcrate_core.protocol.transfer import Transfer, Wanted


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


def test_more_than_was_announced_is_refused():
    transfer = Transfer(external_request("https://example.com/x"), Wanted())
    transfer.begin(200, {"content-length": "2"})
    assert list(transfer.take(b"abc")) == [b"abc"]
    with pytest.raises(rc.ResponseFormatError, match="more than the 2 bytes"):
        transfer.is_whole()
