"""Tool calls put together from badly numbered pieces."""

import copy
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcrate_core.protocol.tool_calls import ToolCallAssembler


def piece(index, call_id, name, arguments):
    """One piece of a call, without what is `None`."""

    def present(**members):
        return {key: value for key, value in members.items() if value is not None}

    function = present(name=name, arguments=arguments)
    return present(index=index, id=call_id, function=function)


def assemble(chunks):
    """Repair chunks; gives their calls, as (id, name, arguments), by the assembler and by index.

    Naive consumers join the pieces by their index alone.
    """
    assembler, joined = ToolCallAssembler(), {}
    for chunk_or_piece in chunks:
        pieces = chunk_or_piece if isinstance(chunk_or_piece, list) else [chunk_or_piece]
        chunk = [piece(*one) if isinstance(one, tuple) else copy.deepcopy(one) for one in pieces]
        assembler.repair(chunk)
        for delta in chunk:
            call = joined.setdefault(delta["index"], ["", "", ""])
            function = delta.get("function") or {}
            assert isinstance(function.get("arguments", ""), str)
            for at, text in enumerate((delta.get("id"), function.get("name"))):
                call[at] += text or ""
            call[2] += function.get("arguments", "")
    calls = [
        (c["id"], *map(c["function"].get, ("name", "arguments"))) for c in assembler.assembled()
    ]
    return calls, [tuple(call) for _, call in sorted(joined.items())]


_ = None  # what a piece does not hold
X, X_1, X_2 = '{"x": 1}', '{"x"', ": 1}"  # the arguments of `f`, and their halves
Y, Y_1, Y_2 = '{"y": 2}', '{"y"', ": 2}"  # those of `g`
A, B = ("a", "f", X), ("b", "g", Y)
UNNAMED_A, UNNAMED_B = (_, "f", X), (_, "g", Y)

# Chunks of one or more pieces (index, id, name, arguments), and the calls that they are.
CASES = {
    "interleaved": (
        [
            [(0, "a", "f", ""), (1, "b", "g", "")],
            [(0, _, _, X_1), (1, _, _, Y_1)],
            [(1, _, _, Y_2), (0, _, _, X_2)],
        ],
        [A, B],
    ),
    "whole calls in one chunk without index": ([[(_, "a", "f", X), (_, "b", "g", Y)]], [A, B]),
    "whole calls without index and id": ([(_, _, "f", X), (_, _, "g", Y)], [UNNAMED_A, UNNAMED_B]),
    "twice the same function, without index and id": (
        [[(_, _, "f", X), (_, _, "f", X)]],
        [UNNAMED_A, UNNAMED_A],
    ),
    "index 0 for each call, interleaved by id": (
        [[(0, "a", "f", X_1), (0, "b", "g", Y_1)], [(0, "b", "g", Y_2), (0, "a", "f", X_2)]],
        [A, B],
    ),
    "index 0 for each whole call without id": (
        [(0, _, "f", X), (0, _, "g", Y)],
        [UNNAMED_A, UNNAMED_B],
    ),
    "name in each piece, no id": (
        [(0, _, "f", text) for text in ('{"x": ', "{}", "}", "")],
        [(_, "f", '{"x": {}}')],
    ),
    "id in each piece, no index": (
        [[(_, "a", "f", X_1), (_, "b", "g", Y_1)], (_, "b", _, Y_2), (_, "a", _, X_2)],
        [A, B],
    ),
    "parallel calls continued in their order": (
        [[(_, "a", "f", X_1), (_, "b", "g", Y_1)], [(_, _, _, X_2), (_, _, _, Y_2)]],
        [A, B],
    ),
    "the end of a call and the start of the next in one chunk": (
        [(_, "a", "f", X_1), [(_, _, _, X_2), (_, "b", "g", Y)]],
        [A, B],
    ),
    "first index is 1": ([(1, "a", "f", X), (2, "b", "g", Y)], [A, B]),
    "later call comes first": ([(1, "b", "g", Y), (0, "a", "f", X)], [A, B]),
    "an index that had to be given away": (
        [[(0, "a", "f", X), (0, "b", "g", ""), (1, "c", "h", "")], (1, _, _, "{}"), (0, _, _, Y)],
        [A, B, ("c", "h", "{}")],
    ),
    "arguments as object and null": (
        [(0, "a", "f", {"x": 1}), [{"index": 0, "function": {"arguments": None}}]],
        [A],
    ),
    "no function at all": ([[{"index": 0, "id": "a", "function": None}], (0, _, "f", X)], [A]),
    "index alone first": ([[{"index": 0}], (0, "a", "f", X)], [A]),
    "index only later": ([(_, "a", "f", X_1), (0, _, _, X_2), (0, _, _, "")], [A]),
    "late id": ([(_, _, "f", X_1), (_, "a", _, X_2), (_, "a", _, "")], [A]),
    "two calls under one id": (
        [(0, "a", "f", X_1), (1, "a", "g", Y_1), (1, "a", _, Y_2), (0, "a", _, X_2)],
        [A, ("a_2", *B[1:])],
    ),
    "two whole calls under one id, with index 0": (
        [(0, "a", "f", X), (0, "a", "f", Y)],
        [A, ("a_2", "f", Y)],
    ),
    "two whole calls under one id, without index": (
        [(_, "a", "f", X), (_, "a", "f", Y)],
        [A, ("a_2", "f", Y)],
    ),
    "another id in each piece": (
        [
            [(0, "a", "f", ""), (0, "p", _, X_1), (1, "b", "g", Y_1)],
            [(1, "q", _, Y_2), (0, "r", _, X_2)],
            [(0, "s", _, ""), (1, "t", _, "")],
        ],
        [A, B],
    ),
    "the same placeholder for an id in all further pieces": (
        [[(0, "a", "f", X_1), (1, "b", "g", Y_1)], [(0, "null", _, X_2), (1, "null", _, Y_2)]],
        [A, B],
    ),
    "index 0 and the same function for each call, interleaved by id": (
        [(0, "a", "f", X_1), (0, "b", "f", Y_1), [(0, "a", _, X_2), (0, "b", _, Y_2)]],
        [A, ("b", "f", Y)],
    ),
    "another id in each piece, no index": (
        [(_, "a", "f", X_1), (_, "p", _, X_2), (_, "b", "g", Y)],
        [A, B],
    ),
    "another index with a known id and no name": ([(0, "a", "f", X_1), (1, "a", _, X_2)], [A]),
    "the whole call again at its end": (
        [(0, "a", "f", X_1), (0, _, _, X_2), (0, "a", "f", X)],
        [A],
    ),
    "name after the first arguments": ([(0, "a", _, X_1), (0, _, "f", X_2)], [A]),
    "name in pieces": ([(0, "a", "get", ""), (0, _, "_it", "")], [("a", "get_it", "")]),
    "arguments without any mark come first": ([(_, _, _, "{}")], [(_, "", "{}")]),
    "index as text": ([("0", "a", "f", X_1), ("0", _, _, X_2)], [A]),
    "index that is none": ([(-1, "a", "f", X_1), (True, _, _, X_2)], [A]),
    "arguments closed, name again without arguments": (
        [(0, _, "f", X), (0, _, "f", "")],
        [UNNAMED_A],
    ),
    "arguments that only look closed": (
        [(_, _, "f", '{"x": {}'), (_, _, "f", "}")],
        [(_, "f", '{"x": {}}')],
    ),
}


@pytest.mark.parametrize(("chunks", "calls"), CASES.values(), ids=CASES)
def test_repaired_pieces_are_in_openais_form(chunks, calls):
    named = [(call_id or "", name, arguments) for call_id, name, arguments in calls]
    assert assemble(chunks) == (calls, named)


def test_other_members_are_kept():
    assembler = ToolCallAssembler()
    assembler.repair([piece(0, "a", "f", "") | {"extra_content": {"signature": "s"}}])
    assembler.repair([{"index": 0, "function": {"arguments": "{}", "strict": True, "odd": None}}])
    function = {"strict": True, "name": "f", "arguments": "{}"}
    members = {"type": "function", "extra_content": {"signature": "s"}}
    assert assembler.assembled() == [{"id": "a", **members, "function": function}]


def test_odd_items_are_left_alone():
    assembler = ToolCallAssembler()
    deltas = ["odd", None, {"index": {}, "function": "odd"}, {"index": 0, "function": []}]
    assembler.repair(deltas)
    assert deltas[:2] == ["odd", None]
    assert [delta["index"] for delta in deltas[2:]] == [0, 0]


def test_arguments_nested_too_deeply_to_parse():
    assembler = ToolCallAssembler()
    deep = '{"x":' * 100_000 + "}"
    assembler.repair([piece(_, _, "f", deep)])
    assembler.repair([piece(_, _, "f", "}")])
    assert assembler.assembled()[0]["function"]["arguments"] == deep + "}"


STYLES = ("openai", "no index", "null index", "zero index", "repeats all", "empty later")


ARGUMENTS = st.dictionaries(st.text(max_size=3), st.integers(), max_size=3)
CALLS = st.tuples(st.sampled_from("fgh"), ARGUMENTS, st.lists(st.integers(0, 40), max_size=4))


@given(st.lists(CALLS, min_size=1, max_size=4), st.sampled_from(STYLES))
def test_any_split_in_any_style(calls, style):
    """Calls one after the other, cut anywhere, in each way that servers number them."""
    chunks, expected = [], []
    for number, (name, arguments, places) in enumerate(calls):
        text, call_id = json.dumps(arguments), f"id{number}"
        expected.append((call_id, name, text))
        index = {"no index": None, "null index": None, "zero index": 0}.get(style, number)
        edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
        for start, end in pairwise(edges):
            marks = (call_id, name) if start == 0 or style == "repeats all" else (None, None)
            if start and style == "empty later":
                marks = ("", "")
            one = piece(index, *marks, text[start:end])
            chunks.append([one | ({"index": None} if style == "null index" else {})])
    assert assemble(chunks) == (expected, expected)
