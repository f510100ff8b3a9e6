"""Tool calls put together from badly numbered pieces."""

import copy
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcrate_core.protocol.tool_calls import ToolCallAssembler


def piece(arguments=None, **members):
    """One piece; `name` and `arguments` go into its function."""
    function = {"name": members.pop("name")} if "name" in members else {}
    if arguments is not None:
        function["arguments"] = arguments
    return {**members, "function": function}


def assemble(chunks):
    """Repair chunks; gives their calls, as (id, name, arguments), by the assembler and by index.

    Naive consumers join the pieces by their index alone.
    """
    assembler, joined = ToolCallAssembler(), {}
    for chunk in copy.deepcopy(chunks):
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


A, B = ("a", "f", '{"x": 1}'), ("b", "g", '{"y": 2}')
UNNAMED_A, UNNAMED_B = (None, *A[1:]), (None, *B[1:])

CASES = {
    "interleaved": (
        [
            [piece("", index=0, id="a", name="f"), piece("", index=1, id="b", name="g")],
            [piece('{"x"', index=0), piece('{"y"', index=1)],
            [piece(": 2}", index=1), piece(": 1}", index=0)],
        ],
        [A, B],
    ),
    "whole calls in one chunk without index": (
        [[piece(A[2], id="a", name="f"), piece(B[2], id="b", name="g")]],
        [A, B],
    ),
    "whole calls without index and id": (
        [[piece(A[2], name="f")], [piece(B[2], name="g")]],
        [UNNAMED_A, UNNAMED_B],
    ),
    "twice the same function, without index and id": (
        [[piece(A[2], name="f"), piece(A[2], name="f")]],
        [UNNAMED_A, UNNAMED_A],
    ),
    "index 0 for each call, interleaved by id": (
        [
            [piece('{"x"', index=0, id="a", name="f"), piece('{"y"', index=0, id="b", name="g")],
            [piece(": 1}", index=0, id="a", name="f"), piece(": 2}", index=0, id="b", name="g")],
        ],
        [A, B],
    ),
    "index 0 for each whole call without id": (
        [[piece(A[2], index=0, name="f")], [piece(B[2], index=0, name="g")]],
        [UNNAMED_A, UNNAMED_B],
    ),
    "name in each piece, no id": (
        [
            [piece('{"x": ', index=0, name="f")],
            [piece("{}", index=0, name="f")],
            [piece("}", index=0, name="f")],
            [piece("", index=0, name="f")],
        ],
        [(None, "f", '{"x": {}}')],
    ),
    "id in each piece, no index": (
        [
            [piece('{"x"', id="a", name="f"), piece('{"y"', id="b", name="g")],
            [piece(": 2}", id="b")],
            [piece(": 1}", id="a")],
        ],
        [A, B],
    ),
    "parallel calls continued in their order": (
        [
            [piece('{"x"', id="a", name="f"), piece('{"y"', id="b", name="g")],
            [piece(": 1}"), piece(": 2}")],
        ],
        [A, B],
    ),
    "the end of a call and the start of the next in one chunk": (
        [
            [piece('{"x"', id="a", name="f")],
            [piece(": 1}"), piece(B[2], id="b", name="g")],
        ],
        [A, B],
    ),
    "first index is 1": (
        [[piece(A[2], index=1, id="a", name="f")], [piece(B[2], index=2, id="b", name="g")]],
        [A, B],
    ),
    "later call comes first": (
        [[piece(B[2], index=1, id="b", name="g")], [piece(A[2], index=0, id="a", name="f")]],
        [A, B],
    ),
    "an index that had to be given away": (
        [
            [piece(A[2], index=0, id="a", name="f")],
            [piece("", index=0, id="b", name="g")],
            [piece("", index=1, id="c", name="h")],
            [piece("{}", index=1)],
            [piece(B[2], index=0)],
        ],
        [A, B, ("c", "h", "{}")],
    ),
    "arguments as object and null": (
        [
            [piece({"x": 1}, index=0, id="a", name="f")],
            [{"index": 0, "function": {"arguments": None}}],
        ],
        [A],
    ),
    "no function at all": (
        [[{"index": 0, "id": "a", "function": None}], [piece(A[2], index=0, name="f")]],
        [A],
    ),
    "index alone first": (
        [[{"index": 0}], [piece(A[2], id="a", name="f", index=0)]],
        [A],
    ),
    "index only later": (
        [[piece('{"x"', id="a", name="f")], [piece(": 1}", index=0)], [piece("", index=0)]],
        [A],
    ),
    "late id": (
        [[piece('{"x"', name="f")], [piece(": 1}", id="a")], [piece("", id="a")]],
        [A],
    ),
    "two calls under one id": (
        [
            [piece('{"x"', index=0, id="a", name="f")],
            [piece('{"y"', index=1, id="a", name="g")],
            [piece(": 2}", index=1, id="a")],
            [piece(": 1}", index=0, id="a")],
        ],
        [A, ("a_2", *B[1:])],
    ),
    "another id in each piece": (
        [
            [piece("", index=0, id="a", name="f")],
            [piece('{"x"', index=0, id="p"), piece('{"y"', index=1, id="b", name="g")],
            [piece(": 2}", index=1, id="q"), piece(": 1}", index=0, id="r")],
            [piece("", index=0, id="s"), piece("", index=1, id="t")],
        ],
        [A, B],
    ),
    "the same placeholder for an id in all further pieces": (
        [
            [piece('{"x"', index=0, id="a", name="f"), piece('{"y"', index=1, id="b", name="g")],
            [piece(": 1}", index=0, id="null"), piece(": 2}", index=1, id="null")],
        ],
        [A, B],
    ),
    "index 0 and the same function for each call, interleaved by id": (
        [
            [piece('{"x"', index=0, id="a", name="f")],
            [piece('{"y"', index=0, id="b", name="f")],
            [piece(": 1}", index=0, id="a"), piece(": 2}", index=0, id="b")],
        ],
        [A, ("b", "f", B[2])],
    ),
    "another id in each piece, no index": (
        [
            [piece('{"x"', id="a", name="f")],
            [piece(": 1}", id="p")],
            [piece(B[2], id="b", name="g")],
        ],
        [A, B],
    ),
    "another index with a known id and no name": (
        [[piece('{"x"', index=0, id="a", name="f")], [piece(": 1}", index=1, id="a")]],
        [A],
    ),
    "the whole call again at its end": (
        [
            [piece('{"x"', index=0, id="a", name="f")],
            [piece(": 1}", index=0)],
            [piece(A[2], index=0, id="a", name="f")],
        ],
        [A],
    ),
    "name after the first arguments": (
        [[piece('{"x"', index=0, id="a")], [piece(": 1}", index=0, name="f")]],
        [A],
    ),
    "name in pieces": (
        [[piece("", index=0, id="a", name="get")], [piece("", index=0, name="_it")]],
        [("a", "get_it", "")],
    ),
    "arguments without any mark come first": ([[piece("{}")]], [(None, "", "{}")]),
    "index as text": (
        [[piece('{"x"', index="0", id="a", name="f")], [piece(": 1}", index="0")]],
        [A],
    ),
    "index that is none": (
        [[piece('{"x"', index=-1, id="a", name="f")], [piece(": 1}", index=True)]],
        [A],
    ),
    "arguments closed, name again without arguments": (
        [[piece(A[2], index=0, name="f")], [piece("", index=0, name="f")]],
        [UNNAMED_A],
    ),
    "arguments that only look closed": (
        [[piece('{"x": {}', name="f")], [piece("}", name="f")]],
        [(None, "f", '{"x": {}}')],
    ),
}


@pytest.mark.parametrize(("chunks", "calls"), CASES.values(), ids=CASES)
def test_repaired_pieces_are_in_openais_form(chunks, calls):
    named = [(call_id or "", name, arguments) for call_id, name, arguments in calls]
    assert assemble(chunks) == (calls, named)


def test_other_members_are_kept():
    assembler = ToolCallAssembler()
    assembler.repair([piece("", index=0, id="a", name="f", extra_content={"signature": "s"})])
    assembler.repair([{"index": 0, "function": {"arguments": "{}", "strict": True, "odd": None}}])
    assert assembler.assembled() == [
        {
            "id": "a",
            "type": "function",
            "extra_content": {"signature": "s"},
            "function": {"strict": True, "name": "f", "arguments": "{}"},
        }
    ]


def test_odd_items_are_left_alone():
    assembler = ToolCallAssembler()
    deltas = ["odd", None, {"index": {}, "function": "odd"}, {"index": 0, "function": []}]
    assembler.repair(deltas)
    assert deltas[:2] == ["odd", None]
    assert [delta["index"] for delta in deltas[2:]] == [0, 0]


def test_arguments_nested_too_deeply_to_parse():
    assembler = ToolCallAssembler()
    deep = '{"x":' * 100_000 + "}"
    assembler.repair([piece(deep, name="f")])
    assembler.repair([piece("}", name="f")])
    assert assembler.assembled()[0]["function"]["arguments"] == deep + "}"


STYLES = ("openai", "no index", "null index", "zero index", "repeats all", "empty later")


@given(
    st.lists(
        st.tuples(
            st.sampled_from("fgh"),
            st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
            st.lists(st.integers(0, 40), max_size=4),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(STYLES),
)
def test_any_split_in_any_style(calls, style):
    """Calls one after the other, cut anywhere, in each way that servers number them."""
    chunks, expected = [], []
    for number, (name, arguments, places) in enumerate(calls):
        text = json.dumps(arguments)
        expected.append((f"id{number}", name, text))
        edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
        for start, end in pairwise(edges):
            new = {"id": f"id{number}", "name": name}
            index = {"no index": {}, "null index": {"index": None}, "zero index": {"index": 0}}
            marks = index.get(style, {"index": number})
            if start == 0 or style == "repeats all":
                marks = {**marks, **new}
            elif style == "empty later":
                marks = {**marks, "id": "", "name": ""}
            chunks.append([piece(text[start:end], **marks)])
    assert assemble(chunks) == (expected, expected)
