"""Server-sent events: the rules of the standard, however the bytes are cut."""

import base64
import json
import pickle
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runcrate_core.protocol.sse import SSEBoundError, SSEDecoder

CASES_FILE = Path(__file__).parents[3] / "shared" / "data" / "sse_cases.json"
CASES = json.loads(CASES_FILE.read_text()) if CASES_FILE.exists() else []
needs_cases = pytest.mark.skipif(not CASES, reason="the folder with the public cases is absent")

# Bytes of which streams are made, so that random inputs reach the rules' corners.
FRAGMENTS = [
    *(b"data", b"data:", b"data: ", b"event:", b"id:", b"retry:", b":", b" ", b"x", b"{}", b"10"),
    *(b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"\0", b"\xef\xbb\xbf", b"\xef", b"\xbb"),
    *("\u2028".encode(), "\u0085".encode(), "é".encode(), "😀".encode(), b"\xff", b"[DONE]"),
]
bodies = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(b"".join)


def cut(body, places):
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


def decode(pieces, *, lenient=False, **bounds):
    decoder = SSEDecoder(**bounds)
    return [data for piece in pieces for data in decoder.feed(piece)] + decoder.close(
        lenient=lenient
    )


@needs_cases
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_public_case(case):
    body = base64.b64decode(case["raw_bytes_base64"])
    assert decode([body]) == [event["data"] for event in case["expected_events"]]


@given(bodies, st.lists(st.integers(0, 10_000), max_size=12))
@example(b"\xef\xbb\xbfdata:x\r\n\r\ndata: y\r\rdata: z\n\n", list(range(40)))
def test_any_cut_gives_the_events_of_the_whole(body, places):
    for lenient in (False, True):
        assert decode(cut(body, places), lenient=lenient) == decode([body], lenient=lenient)


@given(bodies, st.lists(st.integers(0, 10_000), max_size=12), st.integers(1, 12))
def test_bound_does_not_depend_on_the_cut(body, places, bound):
    def outcome(pieces):
        decoder, events, exceeded = SSEDecoder(max_event_bytes=bound), [], False
        for piece in pieces:
            try:
                events += decoder.feed(piece)
            except SSEBoundError as error:
                events += error.events
                exceeded = True
        return events, exceeded

    assert outcome(cut(body, places)) == outcome([body])


LINES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))


@given(st.lists(LINES, max_size=5))
def test_data_comes_back_as_it_was_sent(texts):
    for end in ("\n", "\r\n", "\r"):
        body = "".join(f"data: {text}{end}{end}" for text in texts).encode()
        assert decode([body]) == texts


def test_event_is_given_as_soon_as_its_blank_line_ends():
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\r\n\r") == ["a"]  # the LF to come belongs to this CR
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\ndata: b\xff\r\n\r\n") == ["b\ufffd"]
    assert decoder.feed(b"id: 1\nevent: x\nretry: 5\n\nevent: y\ndata: c\n\n") == ["c"]


@pytest.mark.parametrize(
    ("ending", "kept"),
    [
        (b"data: [DONE]", ["[DONE]"]),
        (b"data:[DONE]\n", ["[DONE]"]),
        (b'data: {"a": 1}', ['{"a": 1}']),
        (b"data: [1]\r", ["[1]"]),
        (b'data: {"a": ', []),
        (b"data: 12", []),  # may have been 123
        (b"data: " + b"[" * 100_000, []),
        (b"data: [DON", []),
        (b": comment", []),
        (b"", []),
    ],
)
def test_event_that_the_body_ends_in(ending, kept):
    """Discarded by the standard; kept leniently when nothing of it can be missing."""
    body = b"data: first\n\n" + ending
    assert decode([body]) == ["first"]
    assert decode([body], lenient=True) == ["first", *kept]


@pytest.mark.parametrize("piece", [b"x" * 40, b": x\n" * 10])
def test_a_line_and_comments_without_an_end_are_bounded(piece):
    decoder = SSEDecoder(max_event_bytes=1000)
    for _ in range(25):
        assert decoder.feed(piece) == []
    with pytest.raises(SSEBoundError, match="1000") as caught:
        decoder.feed(piece)
    assert caught.value.events == ()


def test_events_before_one_too_large_are_kept():
    body = b"data: a\n\ndata: " + b"x" * 100 + b"\n\ndata: c\n\n"
    with pytest.raises(SSEBoundError) as caught:
        SSEDecoder(max_event_bytes=50).feed(body)
    assert caught.value.events == ("a",)
    assert "xxx" not in repr(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).events == ("a",)  # noqa: S301 - our own


def test_time_does_not_grow_with_the_square_of_an_event():
    """A megabyte in reads of 4 bytes: rescanning the unfinished event would take minutes."""
    decoder = SSEDecoder()
    decoder.feed(b"data: ")
    for _ in range(100_000):
        decoder.feed(b"x\n:y")
    assert decoder.feed(b"\n\n") == ["x"]
