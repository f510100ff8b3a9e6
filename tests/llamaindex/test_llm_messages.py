"""Messages from LlamaIndex's form to the service's."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)

from llamaindex_runcrate.messages import Rules, wire_messages
from tests.content_parts import (
    audio_part,
    audio_url_part,
    data_url,
    file_part,
    image_part,
    text_part,
    video_part,
)

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
RULES = Rules()
CALL = ToolCallBlock(tool_call_id="c1", tool_name="look", tool_kwargs={"at": "é"})


def wired(*messages: ChatMessage, rules: Rules = RULES) -> list[dict[str, Any]]:
    return wire_messages(messages, rules)


def parts(*blocks: Any) -> Any:
    return wired(ChatMessage(role="user", blocks=list(blocks)))[0]["content"]


@pytest.mark.parametrize("role", list(MessageRole))
def test_every_role_is_one_of_the_services_four(role):
    wire = wired(ChatMessage(role=role, content="x"))
    assert wire[0]["role"] in {"system", "user", "assistant", "tool"}
    assert wire[0]["content"] == "x"


PICTURE = image_part(data_url("image/png", PNG))
URL = "https://x.test/a"


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (ImageBlock(url=URL), image_part(URL)),
        (ImageBlock(image=PNG), PICTURE),
        (ImageBlock(image=PNG, image_mimetype="image/jpeg"), PICTURE),  # the bytes show the type
        (ImageBlock(image=PNG, detail="low"), image_part(data_url("image/png", PNG), detail="low")),
        (ImageBlock(image=io.BytesIO(PNG)), PICTURE),
        (ImageBlock(url=data_url("image/gif", PNG)), image_part(data_url("image/gif", PNG))),
        (AudioBlock(audio=b"sound", format="mp3"), audio_part(b"sound", "mp3")),
        (AudioBlock(url=URL), audio_url_part(URL)),
        (VideoBlock(video=b"a film", fps=2), video_part(data_url("video/mp4", b"a film"), fps=2)),
        (VideoBlock(url=URL), video_part(URL)),
        (
            DocumentBlock(data=b"%PDF-1.4", title="a.pdf"),
            file_part(filename="a.pdf", file_data=data_url("application/pdf", b"%PDF-1.4")),
        ),
        (
            DocumentBlock(url="https://x.test/b.pdf"),
            file_part(filename="b.pdf", file_data="https://x.test/b.pdf"),
        ),
    ],
)
def test_media_are_parts_and_text_alone_is_text(block, part):
    assert parts(TextBlock(text="Look:"), block) == [text_part("Look:"), part]
    assert parts(TextBlock(text="a"), TextBlock(text="b")) == "a\nb"
    assert parts() == ""


def test_files_are_read(tmp_path):
    file, notes = tmp_path / "a.png", tmp_path / "notes.md"
    file.write_bytes(PNG)
    notes.write_text("# Notes\nGrüße")
    assert parts(ImageBlock(path=file)) == [PICTURE]
    assert parts(DocumentBlock(path=notes, title="Notes")) == "Notes:\n# Notes\nGrüße"
    assert parts(DocumentBlock(data=b"plain", document_mimetype="text/plain")) == "plain"


def test_hints_and_citations_are_tolerated():
    cited = CitationBlock(
        cited_content="Cited.", source="s", title="t", additional_location_info={}
    )
    assert (
        parts(
            TextBlock(text="a"),
            CachePoint(cache_control=CacheControl(type="ephemeral")),
            CitableBlock(title="Report", source="r.pdf", content="Body."),
            cited,
            ThinkingBlock(content="not mine"),
        )
        == "a\nReport (r.pdf):\nBody.\nCited."
    )


def test_a_block_that_cannot_be_sent_is_named():
    class HologramBlock(TextBlock):
        pass

    with pytest.raises(TypeError, match="ToolCallBlock cannot be sent in a message of role `user`"):
        parts(CALL)
    message = ChatMessage(role="user", content="x")
    message.blocks[0] = object()
    with pytest.raises(TypeError, match="object cannot be sent"):
        wired(message)
    assert parts(HologramBlock(text="a kind of text")) == "a kind of text"


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({"at": "é"}, '{"at": "é"}'),
        ('{"at": "é"}', '{"at": "é"}'),
        ({}, "{}"),
        ("", "{}"),
        ("null", "{}"),
    ],
)
def test_tool_calls_and_results_go_back(arguments, sent):
    block = ToolCallBlock(tool_call_id="c1", tool_name="look", tool_kwargs=arguments)
    wire = wired(
        ChatMessage(role="assistant", blocks=[block]), tool_result("c1", TextBlock(text="seen"))
    )
    function = {"name": "look", "arguments": sent}
    call = {"id": "c1", "type": "function", "function": function}
    assert wire == [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "seen", "tool_call_id": "c1"},
    ]


def test_calls_of_other_integrations_are_read_and_the_id_of_return_direct_is_not():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = ChatMessage(role="assistant", content="", additional_kwargs={"tool_calls": [call]})
    assert wired(message)[0]["tool_calls"] == [call]
    nameless = ChatMessage(
        role="assistant", blocks=[ToolCallBlock(tool_name="look", tool_kwargs={})]
    )
    for role, named in (("tool", {"tool_call_id": "look"}), ("function", {"name": "look"})):
        asked, result = wired(nameless, ChatMessage("x", role=role, additional_kwargs=named))
        assert asked["tool_calls"][0]["id"] == result["tool_call_id"] == "look"
    direct = ChatMessage(role="assistant", content="x", additional_kwargs={"tool_call_id": "c"})
    assert wired(direct) == [{"role": "assistant", "content": "x"}]


def test_names_refusals_and_empty_texts_are_sent_as_servers_accept_them():
    others = {"name": "Ann Lee", "cache_control": {"type": "e"}}
    named = ChatMessage(role="user", content="x", additional_kwargs=others)
    assert wired(named) == [{"role": "user", "content": "x", "name": "Ann_Lee"}]
    refused = ChatMessage(role="assistant", content="", additional_kwargs={"refusal": "No."})
    assert wired(refused) == [{"role": "assistant", "content": "", "refusal": "No."}]
    assert parts(TextBlock(text=""), ImageBlock(url=URL)) == [image_part(URL)]


def tool_result(identifier: str, *blocks: Any) -> ChatMessage:
    return ChatMessage(
        role="tool", blocks=list(blocks), additional_kwargs={"tool_call_id": identifier}
    )


def test_images_of_tools_are_shown_behind_all_results():
    picture = ImageBlock(url=URL)
    wire = wired(
        tool_result("c1", TextBlock(text="drawn"), picture),
        tool_result("c2", picture),
        tool_result("c3", TextBlock(text="no image")),
        ChatMessage(role="assistant", content="done"),
    )
    assert [message["role"] for message in wire] == ["tool", "tool", "tool", "user", "assistant"]
    assert wire[0] == {"role": "tool", "content": "drawn", "tool_call_id": "c1"}
    assert wire[1]["content"]
    assert wire[3]["content"] == [
        text_part("Result of the tool call `c1`:"),
        image_part(URL),
        text_part("Result of the tool call `c2`:"),
        image_part(URL),
    ]
    last = tool_result("c1", picture)
    assert [message["role"] for message in wired(last)] == ["tool", "user"]
    (named,) = wired(last, rules=Rules(reads=lambda modality: modality == "text"))
    assert "image" in named["content"]  # to a model that cannot see


def test_system_messages_stand_first():
    messages = [
        ChatMessage(role="system", content="one"),
        ChatMessage(role="developer", content="two"),
        ChatMessage(role="user", content="three"),
        ChatMessage(role="system", content="four"),
    ]
    assert wired(*messages) == [
        {"role": "system", "content": "one\n\ntwo"},
        {"role": "user", "content": "three"},
        {"role": "user", "content": "four"},
    ]
    kept = wired(*messages, rules=Rules(system_first=False))
    assert [message["role"] for message in kept] == ["system", "system", "user", "system"]


def test_system_messages_with_images_are_joined_as_parts():
    blocks = [TextBlock(text="two"), ImageBlock(url=URL)]
    (message,) = wired(
        ChatMessage(role="system", content="one"), ChatMessage(role="system", blocks=blocks)
    )
    assert [part["type"] for part in message["content"]] == ["text", "text", "image_url"]


def thinking(text: str, **told: Any) -> ThinkingBlock:
    return ThinkingBlock(content=text, additional_information=told)


CONVERSATION = [
    ChatMessage(role="user", content="1"),
    ChatMessage(role="assistant", blocks=[thinking("old"), TextBlock(text="2")]),
    ChatMessage(role="user", content="3"),
    ChatMessage(role="assistant", blocks=[thinking("new"), CALL]),
    tool_result("c1", TextBlock(text="4")),
]


@pytest.mark.parametrize(
    ("policy", "sent"),
    [("auto", [None, "new"]), ("always", ["old", "new"]), ("never", [None, None])],
)
def test_thoughts_go_back_as_the_policy_says(policy, sent):
    wire = wired(*CONVERSATION, rules=Rules(send_reasoning=policy))
    answers = [message for message in wire if message["role"] == "assistant"]
    assert [message.get("reasoning_content") for message in answers] == sent


def test_thoughts_go_back_under_the_name_they_came_under():
    details = [{"type": "reasoning.encrypted", "data": "e"}]
    block = thinking("t", field="reasoning", reasoning_details=details)
    wire = wired(ChatMessage(role="assistant", blocks=[block, CALL]))
    assert wire[0]["reasoning"] == "t"
    assert wire[0]["reasoning_details"] == details
    assert "reasoning_content" not in wire[0]


def test_text_with_half_a_character_is_sent_as_valid_text():
    arguments = {"at": "\ud83d", "n": float("nan")}
    call = ToolCallBlock(tool_call_id="c", tool_name="look", tool_kwargs=arguments)
    system, user, assistant, tool = wired(
        ChatMessage(role="system", content="s\ud83d"),
        ChatMessage(role="user", content="u\ud83d"),
        ChatMessage(role="assistant", blocks=[thinking("t\ud83d"), call]),
        tool_result("c", TextBlock(text="r\ud83d")),
    )
    texts = (system["content"], user["content"], tool["content"], assistant["reasoning_content"])
    assert texts == ("s\ufffd", "u\ufffd", "r\ufffd", "t\ufffd")
    sent = assistant["tool_calls"][0]["function"]["arguments"]
    assert json.loads(sent, parse_constant=pytest.fail)["at"] == "\ufffd"
