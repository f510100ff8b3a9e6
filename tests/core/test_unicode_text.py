"""Text of models and servers is valid Unicode wherever it is read."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcrate_core.protocol.chat_stream import ChatStreamReader
from runcrate_core.protocol.request import RetrySafety, Surface, json_request
from runcrate_core.protocol.response import Response, json_value
from runcrate_core.protocol.unicode_text import EscapeJoiner, SurrogateJoiner, valid_text
from tests.servers import sse

REQUEST = json_request(Surface.INFERENCE, "POST", "/x", retry=RetrySafety.SAFE, body={})


def deltas_of(*pieces: object) -> tuple[list[object], dict[str, object]]:
    """Return the deltas that a reader gives for these, and the message that it accumulates."""
    reader = ChatStreamReader(idle_s=60, now=0)
    choices = [{"index": 0, "delta": piece, "finish_reason": None} for piece in pieces]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    events = sse(*({"choices": [choice]} for choice in choices))
    chunks = [chunk for event in events for chunk in reader.feed(event, 0)]
    message = reader.completion()["choices"][0]["message"]
    return [chunk["choices"][0]["delta"] for chunk in chunks], message


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([{"content": "\ud83d"}, {"reasoning": "hm"}, {"content": "\ude00"}], "\U0001f600"),
        ([{"content": "a\ud83d"}], "a\ufffd"),
        ([{"content": "\ud83d"}, {"content": "a"}], "\ufffda"),
        ([{"content": "\ude00a"}], "\ufffda"),
        ([{"content": "\ud83d"}, {"content": "\ud83d\ude00"}], "\ufffd\U0001f600"),
    ],
    ids=["joined", "last", "before another", "second alone", "first alone"],
)
def test_a_half_waits_for_its_other_half_and_is_replaced_if_it_stays_alone(pieces, text):
    deltas, message = deltas_of(*pieces)
    assert "".join(delta.get("content") or "" for delta in deltas) == text
    assert message["content"] == text


def test_halves_in_tool_arguments_and_in_other_members():
    def call(arguments):
        return {"tool_calls": [{"index": 3, "function": {"arguments": arguments}}]}

    first = {"tool_calls": [{"index": 3, "id": "c", "function": {"name": "f", "arguments": ""}}]}
    _, message = deltas_of(
        first, call('{"q": "\ud83d'), call('\ude00"}'), {"annotations": [{"a": "\ud83d"}]}
    )
    assert message["tool_calls"][0]["function"]["arguments"] == '{"q": "\U0001f600"}'
    assert message["annotations"] == [{"a": ""}]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.data())
def test_a_text_cut_between_any_utf_16_units_arrives_complete(text, data):
    units = text.encode("utf-16-le")
    cuts = data.draw(st.lists(st.integers(0, len(units) // 2), max_size=3).map(sorted))
    places = [0, *(2 * cut for cut in cuts), len(units)]
    pieces = [units[a:b].decode("utf-16-le", "surrogatepass") for a, b in pairwise(places)]
    deltas, message = deltas_of({"content": "<"}, *({"content": piece} for piece in pieces))
    received = [delta.get("content") or "" for delta in deltas]
    assert "".join(received) == message["content"] == "<" + text
    assert all(piece.encode() or not piece for piece in received)


def test_responses_are_read_as_valid_text():
    body = b'{"a": "x\\ud83d", "b": ["\\ud83d\\ude00"], "\\ude00": [1, null, {}], "c": "\\\\ud83d"}'
    value = json_value(Response(200, {}, body), REQUEST)
    assert value == {"a": "x\ufffd", "b": ["\U0001f600"], "\ufffd": [1, None, {}], "c": "\\ud83d"}


@given(st.text(st.characters(codec=None, categories=["L", "Cs"])))
def test_any_text_becomes_encodable(text):
    assert valid_text(text).encode()[:0] == b""


def test_odd_choices_are_passed_over():
    choice = {"index": None, "delta": None}
    chunk = {"choices": ["odd", choice | {"note": "\ud83d"}], "id": "\ud83d"}
    repair = SurrogateJoiner()
    repair.repair(chunk)
    assert chunk == {"choices": ["odd", choice | {"note": "\ufffd"}], "id": "\ufffd"}
    assert not repair.held


@given(
    st.text('a\\"\ud83d\ude00\U0001f600\n', max_size=6), st.lists(st.integers(0, 60), max_size=4)
)
def test_escapes_in_pieces_of_json_become_encodable(text, places):
    whole = json.dumps(text)
    edges = [0, *sorted(place % len(whole) for place in places), len(whole)]
    joiner = EscapeJoiner()
    joined = "".join(joiner.feed(whole[start:end]) for start, end in pairwise(edges))
    assert (json.loads(joined), joiner.held) == (valid_text(text), "")
