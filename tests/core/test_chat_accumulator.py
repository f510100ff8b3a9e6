"""Chunks folded into the response that was streamed."""

import copy

import pytest

from runcrate_core.protocol.chat_accumulator import ChatAccumulator, CompletionContext
from tests.chat_service import chunk
from tests.content_parts import text_part


def fold(*chunks, partial=False, **context):
    accumulator = ChatAccumulator(CompletionContext(**context))
    for one in chunks:
        accumulator.add(one)
    if partial:
        assert not accumulator.finished
    return accumulator.completion(partial=partial)


SEARCH = {"index": 0, "type": "search"}
THOUGHT, SECRET = {"type": "t", "index": 0}, {"type": "e", "index": 0, "data": "x"}


@pytest.mark.parametrize(
    ("name", "values", "folded"),
    [
        ("content", (None, None), None),
        ("content", ("", None), ""),
        ("role", ("assistant", "assistant"), "assistant"),
        ("refusal", ("n", "o"), "no"),
        ("reasoning_content", ("a", None, "b"), "ab"),
        ("reasoning", ("a", "b"), "ab"),
        ("channel", ("x", "x"), "x"),  # a label that is repeated is not a text in pieces
        ("odd", ({"a": 1}, {"b": 2}), {"b": 2}),
        ("annotations", ([{"url": 1}], [{"url": 2}, "odd"]), [{"url": 1}, {"url": 2}, "odd"]),
        # Groq sends an executed tool again with its output.
        (
            "executed_tools",
            [[{**SEARCH, "output": output}] for output in (None, "o", None)],
            [{**SEARCH, "output": "o"}],
        ),
        (
            "audio",
            ("odd", {"transcript": "He"}, {"data": "A", "transcript": None}, {"transcript": "llo"}),
            {"data": "A", "transcript": "Hello"},
        ),
        ("audio", ({"id": "x", "data": "AA"}, {"data": "BB"}), {"id": "x", "data": "AABB"}),
        # OpenRouter streams the texts of reasoning details by type and index.
        (
            "reasoning_details",
            (
                [{**THOUGHT, "text": "a", "format": None}],
                [{**THOUGHT, "text": "b", "signature": "s"}],
                [SECRET],
                [{**THOUGHT, "text": None}],
            ),
            [{**THOUGHT, "text": "ab", "format": None, "signature": "s"}, SECRET],
        ),
        # Content as parts, and as parts and text.
        ("content", ([{"a": 1}], [{"b": 2}]), [{"a": 1}, {"b": 2}]),
        (
            "content",
            ("a", "b", [{"a": 1}], "d", [{"a": 1}], "e", "f"),
            [text_part("ab"), {"a": 1}, text_part("d"), {"a": 1}, text_part("ef")],
        ),
        (
            "function_call",
            ({"name": "f", "arguments": ""}, {"arguments": "{"}, {"arguments": "}"}),
            {"name": "f", "arguments": "{}"},
        ),
        ("tool_calls", ([],), None),
        ("tool_calls", ({"odd": 1},), None),
    ],
)
def test_the_values_of_a_member_are_folded(name, values, folded):
    message = fold(*(chunk({name: value}) for value in values))["choices"][0]["message"]
    assert {name: None} | message == {"role": "assistant", "content": None} | {name: folded}


def test_logprobs_are_joined():
    first, second = [{"token": "a"}], [{"token": "b"}]
    choices = [
        {"index": 0, "delta": {}, "logprobs": {"content": first, "refusal": None, "x": 1}},
        {"index": 0, "delta": {}, "logprobs": None},
        {"index": 0, "delta": {}, "logprobs": {"content": second, "refusal": None, "x": 2}},
        {"index": 0, "delta": {}, "logprobs": {"content": None}},
    ]
    whole = fold(*({"choices": [choice]} for choice in choices))
    joined = {"content": [*first, *second], "refusal": None, "x": 2}
    assert whole["choices"][0]["logprobs"] == joined
    assert first == [{"token": "a"}]


def test_first_identity_and_finish_reason_count():
    whole = fold(
        {"id": "", "model": "", "created": 0, "choices": []},
        chunk({"content": "a"}, id="c1", model="m1"),
        chunk({}, "tool_calls", id="c2", model="m2"),
        chunk({}, "stop"),
        chunk({}, ""),
    )
    assert (whole["id"], whole["model"], whole["created"]) == ("c1", "m1", 1)
    assert whole["choices"][0]["finish_reason"] == "tool_calls"


def test_other_members_keep_their_last_value():
    choice = {"index": 0, "delta": {}, "native_finish_reason": "end", "stop_reason": None}
    usage = {"prompt_tokens": 1}
    whole = fold(
        {"choices": [choice], "metrics": 1, "usage": None},
        {"metrics": 2, "choices": [{"index": 0, "delta": {}, "usage": usage}]},
        {"metrics": None, "usage": None},
    )
    assert (whole["metrics"], whole["usage"]) == (2, usage)
    assert whole["choices"][0]["native_finish_reason"] == "end"
    assert not {"stop_reason", "usage"} & whole["choices"][0].keys()


def test_half_a_tool_call_is_not_called_one():
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x'}}
    legacy = {"name": "f", "arguments": '{"x'}
    cut = [chunk({"tool_calls": [call]}), chunk({"function_call": legacy})]
    done = chunk({"tool_calls": [copy.deepcopy(call)]}, "tool_calls", index=1)
    unfinished, finished = fold(*cut, done, partial=True)["choices"]
    assert unfinished["finish_reason"] is None
    named = unfinished["message"].keys() - {"role", "content"}
    assert named == {"incomplete_tool_calls", "incomplete_function_call"}
    assert unfinished["message"]["incomplete_tool_calls"][0]["function"] == legacy
    assert finished["message"]["tool_calls"][0]["function"] == legacy


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"choices": None},
        {"choices": "odd"},
        {"choices": ["odd", None, 3, {}, {"index": None, "delta": None, "logprobs": None}]},
        {"choices": [{"index": "odd", "delta": "odd", "finish_reason": None}]},
        {"choices": [{"index": {}, "delta": [], "logprobs": "odd"}]},
        {"choices": [{"delta": {"tool_calls": ["odd"], "function_call": "odd"}}]},
    ],
)
def test_odd_chunks_are_survived(odd):
    whole = fold(odd, chunk({"content": "a"}, "stop"), odd)
    assert whole["choices"][0]["message"]["content"] == "a"
    assert len(whole["choices"]) == 1


def test_a_chunk_and_a_completion_may_be_changed_by_those_who_got_them():
    accumulator = ChatAccumulator()
    one = chunk({"content": "a", "items": [{"index": 0, "a": 1}]})
    one["choices"][0]["logprobs"] = {"content": [1]}
    accumulator.add(one)
    given = accumulator.completion()
    before = copy.deepcopy(given)
    for owner, part in ((one, "delta"), (given, "message")):
        choice = owner["choices"].pop()
        choice["logprobs"]["content"].append(2)
        choice[part]["items"][0]["a"] = 2
        owner["model"] = "other"
    assert accumulator.completion() == before


def call(identifier, index=0, arguments="{}"):
    function = {"name": "f", "arguments": arguments}
    return {"tool_calls": [{"index": index, "id": identifier, "function": function}]}


TEXT, STOP = chunk({"content": "hi"}), chunk({}, "stop")
CALL, CALLED = chunk(call("a"), index=1), chunk({}, "tool_calls", 1)
TOGETHER = chunk({}, choices=TEXT["choices"] + CALL["choices"])
FIRST_CALL, SECOND_TEXT = chunk(call("a"), "tool_calls"), chunk({"content": "hi"}, "stop", 1)
SPLIT = {
    "calls after the text": ([TEXT, STOP, CALL, CALLED], "hi", ["a"], "tool_calls"),
    "in one chunk": ([TOGETHER, STOP, CALLED], "hi", ["a"], "tool_calls"),
    "calls before the text": ([CALL, CALLED, TEXT, STOP], "hi", ["a"], "tool_calls"),
    "calls in each": (
        [TEXT, FIRST_CALL, CALL, chunk(call(None, 1), "stop", 1)],
        "hi",
        ["a", "a_2", "call_chatcmpl-7_0"],
        "stop",
    ),
    "the text in the second": ([FIRST_CALL, SECOND_TEXT], "hi", ["a"], "tool_calls"),
    "nothing in the first": ([chunk(call("a"), "tool_calls", 1)], None, ["a"], "tool_calls"),
    "only a second": ([SECOND_TEXT], "hi", [], "stop"),
    "text cut at the limit": ([TEXT, chunk({}, "length"), CALL, CALLED], "hi", ["a"], "length"),
    "two texts": ([TEXT, STOP, chunk({"content": "ho"}, "stop", 1)], "hi", [], "stop"),
}


@pytest.mark.parametrize(("chunks", "text", "ids", "reason"), SPLIT.values(), ids=SPLIT)
def test_one_response_in_several_choices_is_read_as_one(chunks, text, ids, reason):
    accumulator = ChatAccumulator(CompletionContext(is_single=True))
    content, calls = "", {}
    for one in copy.deepcopy(chunks):
        accumulator.add(one)
        for choice in (it for it in one["choices"][:1] if it["index"] == 0):
            content += choice["delta"].get("content") or ""
            pieces = choice["delta"].get("tool_calls", ())
            calls |= {piece["index"]: piece["id"] for piece in pieces}
    first, *others = accumulator.completion()["choices"]
    assert (first["index"], first["finish_reason"]) == (0, reason)
    assert first["message"]["content"] == text
    assert [one["id"] for one in first["message"].get("tool_calls", ())] == ids
    assert [[*calls], [*calls.values()], content] == [[*range(len(ids))], ids, text or ""]
    assert [other["message"]["content"] for other in others] in ([], ["ho"])


def test_one_response_in_several_choices_that_was_cut_has_incomplete_calls():
    [choice] = fold(*copy.deepcopy([TEXT, STOP, CALL]), partial=True, is_single=True)["choices"]
    assert choice["finish_reason"] is None
    assert choice["message"].keys() == {"role", "content", "incomplete_tool_calls"}


def test_several_responses_that_were_asked_for_are_kept_apart():
    messages = [{"role": "tool", "tool_call_id": "a"}]
    whole = fold(*copy.deepcopy([TEXT, STOP, CALL, CALLED]), messages=messages)
    first, second = whole["choices"]
    assert "tool_calls" not in first["message"]
    assert [one["id"] for one in second["message"]["tool_calls"]] == ["a_2"]
