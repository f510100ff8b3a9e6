"""Messages to and from the API: every class, every block, no loss and no silent guess."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    HumanMessageChunk,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_runcrate.messages import WirePolicy, from_wire, to_wire
from tests.content_parts import audio_part, file_part, image_part, of, video_part
from tests.content_parts import text_part as words

CALL = {"type": "tool_call", "name": "weather", "args": {"city": "Paris"}, "id": "call_1"}
WIRE_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9aw=="
PICTURE = image_part(f"data:image/png;base64,{PNG}")
LINKED = image_part("https://a.example/1.png")
ALWAYS = WirePolicy(reasoning="always")


def wire(message: BaseMessage, policy: WirePolicy | None = None) -> dict[str, Any]:
    [sent] = to_wire([message], policy)
    return sent


def said(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def extra(**kwargs: Any) -> AIMessage:
    return AIMessage("", additional_kwargs=kwargs)


REFUSAL = {"type": "refusal", "refusal": "No."}
WRAPPED = {"type": "non_standard", "value": REFUSAL}
IMAGE = {"type": "image", "base64": PNG}
ANSWERED: dict[str, Any] = {"tool_call_id": "call_1"}
TOLD = said("tool", "x", **ANSWERED)
DEVELOPER = {"__openai_role__": "developer"}
OLD_CALL = {"name": "f", "arguments": "{}"}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (SystemMessage("Be brief."), said("system", "Be brief.")),
        (SystemMessage("x", additional_kwargs=DEVELOPER), said("system", "x")),
        (HumanMessage("Hi"), said("user", "Hi")),
        (HumanMessageChunk(content="Hi"), said("user", "Hi")),
        # Names are made fit for the API.
        (HumanMessage("Hi", name="Ann Lee"), said("user", "Hi", name="Ann_Lee")),
        (HumanMessage("Hi", name="Zoë"), said("user", "Hi", name="Zoë")),
        (AIMessage("Hi", name="a<b>|c/d"), said("assistant", "Hi", name="a_b__c_d")),
        (AIMessage("Hi", name="x" * 80), said("assistant", "Hi", name="x" * 64)),
        (HumanMessage([]), said("user", "")),
        (AIMessage("Hello"), said("assistant", "Hello")),
        (AIMessageChunk(content="Hello"), said("assistant", "Hello")),
        (AIMessage(""), said("assistant", "")),
        (AIMessage("", tool_calls=[CALL]), said("assistant", None, tool_calls=[WIRE_CALL])),
        (AIMessage("So.", tool_calls=[CALL]), said("assistant", "So.", tool_calls=[WIRE_CALL])),
        (ToolMessage("x", name="weather", artifact={"x": 1}, **ANSWERED), TOLD),
        (ToolMessage("x", status="error", **ANSWERED), TOLD),
        (FunctionMessage(content="x", name="weather"), said("function", "x", name="weather")),
        (ChatMessage(content="x", role="human"), said("user", "x")),
        (ChatMessage(content="x", role="ai"), said("assistant", "x")),
        (ChatMessage(content="x", role="developer"), said("system", "x")),
        (ChatMessage(content="x", role="critic"), said("critic", "x")),
        (extra(function_call=OLD_CALL), said("assistant", "", function_call=OLD_CALL)),
        (extra(refusal="No."), said("assistant", "", refusal="No.")),
        (AIMessage([words("Sorry."), REFUSAL]), said("assistant", "Sorry.", refusal="No.")),
        (AIMessage([WRAPPED, words("Sorry.")]), said("assistant", "Sorry.", refusal="No.")),
        (AIMessage([words("Here:"), IMAGE]), said("assistant", [words("Here:"), PICTURE])),
        (extra(audio={"id": "a", "data": "..."}), said("assistant", "", audio={"id": "a"})),
        # What frameworks keep in messages is not sent.
        (HumanMessage("Hi", id="1", additional_kwargs={"x": 1}), said("user", "Hi")),
        (HumanMessage("Hi", response_metadata={"y": 2}), said("user", "Hi")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_class_of_messages(message, expected):
    assert wire(message) == expected


def test_messages_are_not_changed():
    content = [words("a"), IMAGE]
    messages = [
        HumanMessage(copy.deepcopy(content)),
        AIMessage("", tool_calls=[CALL]),
        ToolMessage(copy.deepcopy(content), tool_call_id="call_1"),
    ]
    before = copy.deepcopy(messages)
    first = to_wire(messages)
    assert messages == before
    assert to_wire(messages) == first


CACHED = {"cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("block", "parts"),
    [
        ("Hi", [words("Hi")]),
        (words("Hi", id="1", index=0), [words("Hi")]),
        ({"text": "Hi"}, [words("Hi")]),
        (of("input_text", text="Hi"), [words("Hi")]),
        ({"cachePoint": {"type": "default"}}, []),
        (words(""), []),
        (words("Hi", **CACHED), [words("Hi", **CACHED)]),
        (words("Hi", extras=CACHED), [words("Hi", **CACHED)]),
        (of("text-plain", text="Body", title="Head"), [words("Head\nBody")]),
        (of("text-plain", base64="Qm9keQ==", mime_type="text/plain"), [words("Body")]),
        (of("file", base64="YSxi", mime_type="text/csv", filename="a.csv"), [words("a.csv\na,b")]),
        (of("document", source=of("text", data="Body"), title="Head"), [words("Head\nBody")]),
        (
            of("document", source=of("content", content=["a", {"text": "b"}])),
            [words("a"), words("b")],
        ),
        (
            of("search_result", source="x.test", title="Head", content=[words("B")]),
            [words("Head\nx.test\nB")],
        ),
        (of("json", json={"ä": 1}), [words('{"ä": 1}')]),
        (of("custom_tool_call_output", output="done"), [words("done")]),
        (of("non_standard", value={"type": "x", "y": 1}), [{"type": "x", "y": 1}]),
    ],
)
def test_each_block_of_a_user(block, parts):
    sent = wire(HumanMessage(["Look:", block, LINKED]))["content"]
    assert sent == [words("Look:"), *parts, LINKED]
    if all(part.keys() == {"type", "text"} for part in parts):
        texts = ["Look:", *(part["text"] for part in parts)]
        assert wire(HumanMessage(["Look:", block]))["content"] == "\n".join(texts)


@pytest.mark.parametrize(
    ("block", "name"),
    [
        ({"type": "hologram", "data": "x"}, "type `hologram`"),
        ({"data": "x", "more": 1}, "no type .its keys: data, more."),
        (b"bytes", "Python type `bytes`"),
        ({"type": "tool_use", "id": "1", "name": "x", "input": {}}, "type `tool_use`"),
    ],
)
def test_an_unknown_block_is_named_and_not_dropped(block, name):
    message = HumanMessage("")
    message.content = [block]
    with pytest.raises(ValueError, match=f"role `user` has a content block of .*{name}"):
        to_wire([message])
    for mine in ({"type": "hologram"}, {"type": "non_standard", "value": {"x": 1}}):
        with pytest.raises(ValueError, match="the role `assistant` has a content block"):
            to_wire([AIMessage([mine])])


@pytest.mark.parametrize(
    ("block", "content"),
    [
        ({"type": "hologram", "data": "x"}, "Hi"),
        ({"type": "custom_tool_call", "call_id": "call_1", "name": "f", "input": "x"}, "Hi"),
        ({"type": "non_standard", "value": {"x": 1}}, "Hi"),
        ({"type": "non_standard", "value": {"type": "hologram"}}, "Hi"),
        ({"type": "compaction", "content": "So far."}, "So far.\n\nHi"),
        ({"type": "output_text", "text": "Oh. "}, "Oh. Hi"),
    ],
)
def test_blocks_that_only_another_provider_knows_are_left_out_of_its_messages(block, content):
    message = AIMessage([block, words("Hi")], response_metadata={"model_provider": "another"})
    assert wire(message) == said("assistant", content)


def result_of(call: str, content: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call, "content": content}


def test_tool_results_in_a_users_message_become_tool_messages():
    results = [result_of("call_1", "sunny"), result_of("call_2", [words("warm")])]
    sent = [
        said("tool", "sunny", tool_call_id="call_1"),
        said("tool", "warm", tool_call_id="call_2"),
    ]
    assert to_wire([HumanMessage(results)]) == sent
    both = HumanMessage([*results, words("And now?")])
    assert to_wire([both]) == [*sent, said("user", "And now?")]
    shown = result_of("call_1", [words("It:"), LINKED])
    for more in ([], [words("And now?")]):
        result, seen = to_wire([HumanMessage([shown, *more])])
        assert (result["role"], seen["role"]) == ("tool", "user")
        assert isinstance(result["content"], str)
        assert seen["content"][1:] == [LINKED, *more]


@pytest.mark.parametrize(
    "content",
    [
        [words("Let me see."), CALL],
        [
            words("Let me "),
            words("see.", annotations=[]),
            of("tool_use", id="call_1", name="weather", input={"city": "Paris"}),
        ],
        [
            of("reasoning", reasoning="Hm."),
            of("thinking", thinking="Hm.", signature="x"),
            words("Let me see."),
            of("server_tool_call", id="s", name="search", args={}),
            of("server_tool_result", tool_call_id="s", status="success"),
            of("web_search_tool_result", content=[]),
            of("web_search_call", id="w"),
            of("non_standard", value={"type": "code_interpreter_call"}),
            of("function_call", call_id="call_1", **WIRE_CALL["function"]),
        ],
    ],
)
@pytest.mark.parametrize("calls", [[CALL], []])
def test_content_and_calls_of_the_model_in_any_form(content, calls):
    """Calls that are in the content alone are sent, too."""
    sent = wire(AIMessage(content, tool_calls=calls), WirePolicy("never"))
    assert sent == said("assistant", "Let me see.", tool_calls=[WIRE_CALL])


def broken_call(arguments: str) -> dict[str, Any]:
    return {**CALL, "args": arguments, "error": "bad", "type": "invalid_tool_call"}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (broken_call('{"city": '), {"invalid_json": '{"city": '}),
        (broken_call('{"city": "a\nb"}'), {"city": "a\nb"}),
        ({**CALL, "args": {"x": float("nan")}}, {"x": "nan"}),
    ],
)
def test_calls_are_sent_again_with_valid_json(given, sent):
    calls = {"invalid_tool_calls" if "error" in given else "tool_calls": [given]}
    message, _ = to_wire([AIMessage("", **calls), ToolMessage("?", tool_call_id="call_1")])
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == sent


def test_a_broken_call_without_a_result_is_told_in_words():
    unanswered = wire(AIMessage("Wait.", invalid_tool_calls=[broken_call('{"city": ')]))
    assert "tool_calls" not in unanswered
    assert unanswered["content"].startswith("Wait.[A call of the tool `weather` was not run")
    assert '{"city": ' in unanswered["content"]


QUESTION = HumanMessage("Weather?")


def thinking(text: str, **metadata: Any) -> AIMessage:
    details = [{"type": "reasoning.encrypted", "data": text, "index": 0}]
    return AIMessage(
        "",
        additional_kwargs={"reasoning_content": text, "reasoning_details": details},
        tool_calls=[CALL],
        response_metadata=metadata,
    )


RESULT = ToolMessage("sunny", tool_call_id="call_1")


OURS, THEIRS = {"model_provider": "runcrate"}, {"model_provider": "anthropic"}


@pytest.mark.parametrize(
    ("policy", "metadata", "expected"),
    [
        ("auto", {}, [None, "new"]),
        ("auto", OURS, [None, "new"]),
        ("auto", THEIRS, [None, None]),
        ("always", THEIRS, ["old", "new"]),
        ("never", {}, [None, None]),
    ],
)
def test_thoughts_are_sent_back_by_policy(policy, metadata, expected):
    old, new = (thinking(text, **metadata) for text in ("old", "new"))
    sent = to_wire([QUESTION, old, RESULT, QUESTION, new, RESULT], WirePolicy(reasoning=policy))
    answers = [message for message in sent if message["role"] == "assistant"]
    assert [message.get("reasoning_content") for message in answers] == expected
    details = [message.get("reasoning_details") for message in answers]
    assert [each and each[0]["data"] for each in details] == expected


@pytest.mark.parametrize(
    "block",
    [
        {"type": "reasoning", "reasoning": "Hm."},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "thinking", "thinking": "Hm.", "signature": "x"},
        {"type": "thinking", "thinking": [words("Hm.")]},
        {"type": "reasoning_content", "reasoning_content": {"text": "Hm."}},
    ],
)
def test_thoughts_are_found_in_blocks_of_any_form(block):
    sent = wire(AIMessage([block, words("Yes.")]), ALWAYS)
    assert sent == {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm."}


def test_other_roles_and_classes():
    assert from_wire({"role": "critic", "content": "x"}) == ChatMessage(content="x", role="critic")
    with pytest.raises(TypeError, match="role None"):
        from_wire({"content": "x"})
    with pytest.raises(TypeError, match="`RemoveMessage` cannot be sent"):
        to_wire([RemoveMessage(id="1")])


# --- there and back ---

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
names = st.text("abcXYZ_-09", min_size=1, max_size=20)
media = st.sampled_from(
    [
        PICTURE,
        image_part("https://a.example/b.png", detail="low"),
        audio_part(b"RIFF", "mp3"),
        video_part("https://a.example/film.mp4"),
        file_part(filename="a.pdf", file_data="data:application/pdf;base64,eA=="),
        file_part(file_id="file-1"),
    ]
)
# Plain texts alone are sent as one text.
parts = st.lists(texts.map(words) | media, min_size=1, max_size=3)
contents = texts | st.tuples(media, parts).map(lambda both: [both[0], *both[1]])
arguments = st.dictionaries(texts, st.none() | st.integers(-9, 9) | st.lists(texts), max_size=3)
calls = st.dictionaries(names, arguments, min_size=1, max_size=3).map(
    lambda called: [
        {**WIRE_CALL, "id": f"call_{name}", "function": {"name": name, "arguments": dumps(values)}}
        for name, values in called.items()
    ]
)


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def with_role(role: str, content: Any, **fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"role": st.just(role), "content": content, **fields})


wire_messages = (
    with_role("user", contents)
    | with_role("user", contents, name=names)
    | with_role("system", contents)
    | with_role("tool", texts, tool_call_id=names)
    | with_role("function", texts, name=names)
    | with_role("assistant", texts)
    | with_role("assistant", texts, reasoning_content=texts)
    | with_role("assistant", texts, refusal=texts)
    | with_role("assistant", st.none() | texts, tool_calls=calls)
    | with_role("assistant", st.none() | texts, tool_calls=calls, reasoning_content=texts)
)


@settings(max_examples=40)
@given(st.lists(wire_messages, max_size=4))
def test_a_conversation_comes_back_as_it_was(conversation):
    roles = [message["role"] for message in conversation[:2]]
    assume(roles != ["system", "system"])  # which become one
    read = [from_wire(message) for message in copy.deepcopy(conversation)]
    assert to_wire(read, ALWAYS) == conversation


def test_half_characters_in_a_conversation_are_replaced():
    """As text of PDF files and of file names may hold them; one would keep all from being sent."""
    half = "a\ud800b"
    call = {**CALL, "args": {"city": half}}
    conversation = [
        SystemMessage(half),
        HumanMessage([words(half)]),
        AIMessage(half, tool_calls=[call], additional_kwargs={"reasoning_content": half}),
        ToolMessage(half, tool_call_id="call_1"),
        ToolMessage([half], tool_call_id="call_1"),
        FunctionMessage(name="f", content=half),
    ]
    sent = json.dumps(to_wire(conversation, ALWAYS), ensure_ascii=False)
    assert sent.encode().count("a\ufffdb".encode()) == 8
