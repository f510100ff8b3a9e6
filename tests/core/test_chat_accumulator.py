"""Chunks folded into the response that was streamed."""

import copy

import pytest

from runcrate_core.protocol.chat_accumulator import ChatAccumulator, CompletionContext


def chunk(delta, finish_reason=None, index=0, **members):
    choice = {"index": index, "delta": delta, "finish_reason": finish_reason}
    return {"id": "c", "model": "m", "created": 1, "choices": [choice], **members}


def fold(*chunks, partial=False):
    accumulator = ChatAccumulator()
    for one in chunks:
        accumulator.add(one)
    return accumulator.completion(partial=partial)


def message_of(*deltas):
    return fold(*(chunk(delta) for delta in deltas))["choices"][0]["message"]


def test_nothing_at_all():
    assert fold() == {"object": "chat.completion", "choices": []}


@pytest.mark.parametrize(
    ("deltas", "message"),
    [
        ([{"content": None}, {"content": None}], {"content": None}),
        ([{"content": ""}, {"content": None}], {"content": ""}),
        ([{"role": "assistant"}, {"role": "assistant"}], {"content": None}),
        ([{"refusal": "n"}, {"refusal": "o"}], {"content": None, "refusal": "no"}),
        (
            [{"reasoning_content": "a", "content": None}, {"reasoning_content": "b"}],
            {"content": None, "reasoning_content": "ab"},
        ),
        ([{"reasoning": "a"}, {"reasoning": "b"}], {"content": None, "reasoning": "ab"}),
        # A label that is repeated is not a text in pieces.
        ([{"channel": "x"}, {"channel": "x"}], {"content": None, "channel": "x"}),
        ([{"odd": {"a": 1}}, {"odd": {"b": 2}}], {"content": None, "odd": {"b": 2}}),
        (
            [{"annotations": [{"url": 1}]}, {"annotations": [{"url": 2}, "odd"]}],
            {"content": None, "annotations": [{"url": 1}, {"url": 2}, "odd"]},
        ),
        # Groq sends an executed tool again with its output.
        (
            [
                {"executed_tools": [{"index": 0, "type": "search", "output": None}]},
                {"executed_tools": [{"index": 0, "type": "search", "output": "o"}]},
                {"executed_tools": [{"index": 0, "type": "search", "output": None}]},
            ],
            {
                "content": None,
                "executed_tools": [{"index": 0, "type": "search", "output": "o"}],
            },
        ),
        # OpenRouter streams the texts of reasoning details by type and index.
        (
            [
                {"audio": "odd"},
                {"audio": {"id": "x", "transcript": "He"}},
                {"audio": {"data": "AA", "transcript": None}},
                {"audio": {"data": "BB", "transcript": "llo"}},
                {"reasoning_details": [{"type": "t", "index": 0, "text": "a", "format": None}]},
                {"reasoning_details": [{"type": "t", "index": 0, "text": "b", "signature": "s"}]},
                {"reasoning_details": [{"type": "e", "index": 0, "data": "x"}]},
                {"reasoning_details": [{"type": "t", "index": 0, "text": None}]},
            ],
            {
                "content": None,
                "audio": {"id": "x", "data": "AABB", "transcript": "Hello"},
                "reasoning_details": [
                    {"type": "t", "index": 0, "text": "ab", "format": None, "signature": "s"},
                    {"type": "e", "index": 0, "data": "x"},
                ],
            },
        ),
        # Content as parts, and as parts and text.
        ([{"content": [{"a": 1}]}, {"content": [{"b": 2}]}], {"content": [{"a": 1}, {"b": 2}]}),
        (
            [{"content": [{"a": 1}]}, {"content": "x"}, {"content": "y"}],
            {"content": [{"a": 1}, {"type": "text", "text": "xy"}]},
        ),
        (
            [{"function_call": {"name": "f", "arguments": ""}}]
            + [{"function_call": {"arguments": text}} for text in ("{", "}")],
            {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
        ),
        ([{"tool_calls": []}], {"content": None}),
        ([{"tool_calls": {"odd": 1}}], {"content": None, "tool_calls": {"odd": 1}}),
    ],
)
def test_members_of_deltas(deltas, message):
    assert message_of(*deltas) == {"role": "assistant", **message}


def test_logprobs_are_joined():
    first, second = [{"token": "a"}], [{"token": "b"}]
    choices = [
        {"index": 0, "delta": {}, "logprobs": {"content": first, "refusal": None, "x": 1}},
        {"index": 0, "delta": {}, "logprobs": None},
        {"index": 0, "delta": {}, "logprobs": {"content": second, "refusal": None, "x": 2}},
        {"index": 0, "delta": {}, "logprobs": {"content": None}},
    ]
    whole = fold(*({"choices": [choice]} for choice in choices))
    assert whole["choices"][0]["logprobs"] == {
        "content": [*first, *second],
        "refusal": None,
        "x": 2,
    }
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
    assert set(unfinished["message"]) == {
        "role",
        "content",
        "incomplete_tool_calls",
        "incomplete_function_call",
    }
    assert unfinished["message"]["incomplete_tool_calls"][0]["function"] == legacy
    assert finished["message"]["tool_calls"][0]["function"] == legacy


@pytest.mark.parametrize(
    ("delta", "carries"),
    [
        ({}, False),
        ({"role": "assistant"}, False),
        ({"role": "assistant", "content": "", "reasoning": None, "tool_calls": []}, False),
        ({"content": "a"}, True),
        ({"reasoning_content": "a"}, True),
        ({"tool_calls": [{"index": 0}]}, True),
        ({"annotations": [1]}, True),
    ],
)
def test_only_parts_of_the_response_are_content(delta, carries):
    assert ChatAccumulator().add(chunk(delta)) is carries


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"choices": None},
        {"choices": "odd"},
        {"choices": ["odd", None, 3]},
        {"choices": [{}]},
        {"choices": [{"index": None, "delta": None, "logprobs": None}]},
        {"choices": [{"index": "odd", "delta": "odd", "finish_reason": None}]},
        {"choices": [{"index": {}, "delta": [], "logprobs": "odd"}]},
        {"choices": [{"delta": {"tool_calls": ["odd"], "function_call": "odd"}}]},
    ],
)
def test_odd_chunks_are_survived(odd):
    whole = fold(odd, chunk({"content": "a"}, "stop"), odd)
    assert whole["choices"][0]["message"]["content"] == "a"
    assert len(whole["choices"]) == 1


def test_chunk_may_be_changed_after_it_was_added():
    accumulator = ChatAccumulator()
    logprobs, items = {"content": [1]}, [{"index": 0, "a": 1}]
    one = chunk({"content": "a", "items": items}, logprobs=1)
    one["choices"][0]["logprobs"] = logprobs
    accumulator.add(one)
    before = copy.deepcopy(accumulator.completion())
    logprobs["content"].append(2)
    items[0]["a"] = 2
    one["choices"].clear()
    one["model"] = "other"
    assert accumulator.completion() == before


def test_whole_may_be_changed_without_changing_the_next():
    accumulator = ChatAccumulator()
    one = chunk({"content": "a", "items": [{"index": 0}]})
    one["choices"][0]["logprobs"] = {"content": [1]}
    accumulator.add(one)
    first = accumulator.completion()
    before = copy.deepcopy(first)
    first["choices"][0]["message"]["items"][0]["index"] = 5
    first["choices"][0]["logprobs"]["content"].append(2)
    first["choices"].clear()
    assert accumulator.completion() == before


def test_parts_and_text_of_a_content_stay_in_the_order_in_which_they_came():
    fold = ChatAccumulator()
    part = {"type": "text", "text": "c"}
    for content in ("a", "b", [part], "d", [part], "e"):
        fold.add({"choices": [{"index": 0, "delta": {"content": content}}]})
    content = fold.completion()["choices"][0]["message"]["content"]
    assert "".join(item["text"] for item in content) == "abcdce"


def call(identifier, index=0, arguments="{}"):
    function = {"name": "f", "arguments": arguments}
    return {"tool_calls": [{"index": index, "id": identifier, "function": function}]}


TEXT, STOP = chunk({"content": "hi"}), chunk({}, "stop")
CALL, CALLED = chunk(call("a"), index=1), chunk({}, "tool_calls", 1)
SPLIT = {
    "calls after the text": ([TEXT, STOP, CALL, CALLED], "hi", ["a"], "tool_calls"),
    "in one chunk": (
        [chunk({}, choices=TEXT["choices"] + CALL["choices"]), STOP, CALLED],
        "hi",
        ["a"],
        "tool_calls",
    ),
    "calls before the text": ([CALL, CALLED, TEXT, STOP], "hi", ["a"], "tool_calls"),
    "calls in each": (
        [chunk(call("a")), TEXT, CALL, chunk({}, "tool_calls"), chunk(call(None, 1), "stop", 1)],
        "hi",
        ["a", "a_2", "call_c_0"],
        "stop",
    ),
    "the text in the second": (
        [chunk(call("a"), "tool_calls"), chunk({"content": "hi"}, "stop", 1)],
        "hi",
        ["a"],
        "tool_calls",
    ),
    "nothing in the first": ([chunk(call("a"), "tool_calls", 1)], None, ["a"], "tool_calls"),
    "only a second": ([chunk({"content": "hi"}, "stop", 1)], "hi", [], "stop"),
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
            calls |= {
                piece["index"]: piece["id"] for piece in choice["delta"].get("tool_calls", ())
            }
    first, *others = accumulator.completion()["choices"]
    assert (first["index"], first["message"]["content"], first["finish_reason"]) == (
        0,
        text,
        reason,
    )
    assert [one["id"] for one in first["message"].get("tool_calls", ())] == ids
    assert [[*calls], [*calls.values()], content] == [[*range(len(ids))], ids, text or ""]
    assert [other["message"]["content"] for other in others] in ([], ["ho"])


def test_one_response_in_several_choices_that_was_cut_has_incomplete_calls():
    accumulator = ChatAccumulator(CompletionContext(is_single=True))
    for one in copy.deepcopy([TEXT, STOP, CALL]):
        accumulator.add(one)
    assert not accumulator.finished
    [choice] = accumulator.completion(partial=True)["choices"]
    assert choice["finish_reason"] is None
    assert choice["message"].keys() == {"role", "content", "incomplete_tool_calls"}


def test_several_responses_that_were_asked_for_are_kept_apart():
    accumulator = ChatAccumulator(
        CompletionContext(messages=[{"role": "tool", "tool_call_id": "a"}])
    )
    for one in copy.deepcopy([TEXT, STOP, CALL, CALLED]):
        accumulator.add(one)
    first, second = accumulator.completion()["choices"]
    assert "tool_calls" not in first["message"]
    assert [one["id"] for one in second["message"]["tool_calls"]] == ["a_2"]
