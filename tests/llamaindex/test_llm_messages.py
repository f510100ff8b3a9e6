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
from tests.llamaindex.calls import WAYS, collected

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
RULES = Rules()
CALL = ToolCallBlock(tool_call_id="c1", tool_name="look", tool_kwargs={"at": "é"})


def wired(*messages: ChatMessage, rules: Rules = RULES) -> list[dict[str, Any]]:
    return wire_messages(messages, rules)


def said(role: str, *content: Any, **extra: Any) -> ChatMessage:
    """Return a message; a text in its content is a block of text."""
    blocks = [TextBlock(text=each) if isinstance(each, str) else each for each in content]
    return ChatMessage(role=role, blocks=blocks, additional_kwargs=extra)


def wire(role: str, content: Any, **members: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **members}


def parts(*content: Any) -> Any:
    return wired(said("user", *content))[0]["content"]


@pytest.mark.parametrize("role", list(MessageRole))
def test_every_role_is_one_of_the_services_four(role):
    [sent] = wired(said(role, "x"))
    assert sent["role"] in {"system", "user", "assistant", "tool"}
    assert sent["content"] == "x"


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
    assert parts("Look:", block) == [text_part("Look:"), part]
    assert parts("a", "b") == "a\nb"
    assert parts() == ""


def test_files_are_read(tmp_path):
    file, notes = tmp_path / "a.png", tmp_path / "notes.md"
    file.write_bytes(PNG)
    notes.write_text("# Notes\nGrüße")
    assert parts(ImageBlock(path=file)) == [PICTURE]
    assert parts(DocumentBlock(path=notes, title="Notes")) == "Notes:\n# Notes\nGrüße"
    assert parts(DocumentBlock(data=b"plain", document_mimetype="text/plain")) == "plain"


def test_hints_and_citations_are_tolerated():
    hint = CachePoint(cache_control=CacheControl(type="ephemeral"))
    citable = CitableBlock(title="Report", source="r.pdf", content="Body.")
    about = {"source": "s", "title": "t", "additional_location_info": {}}
    cited = CitationBlock(cited_content="Cited.", **about)
    text = parts("a", hint, citable, cited, ThinkingBlock(content="not mine"))
    assert text == "a\nReport (r.pdf):\nBody.\nCited."


def test_a_block_that_cannot_be_sent_is_named():
    class HologramBlock(TextBlock):
        pass

    with pytest.raises(TypeError, match="ToolCallBlock cannot be sent in a message of role `user`"):
        parts(CALL)
    message = said("user", "x")
    message.blocks[0] = object()
    with pytest.raises(TypeError, match="object cannot be sent"):
        wired(message)
    assert parts(HologramBlock(text="a kind of text")) == "a kind of text"


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({"at": "é"}, '{"at": "é"}'),
        ('{"at": "é"}', '{"at": "é"}'),
        *((nothing, "{}") for nothing in ({}, "", "null")),
    ],
)
def test_tool_calls_and_results_go_back(arguments, sent):
    block = ToolCallBlock(tool_call_id="c1", tool_name="look", tool_kwargs=arguments)
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": sent}}
    assert wired(said("assistant", block), said("tool", "seen", tool_call_id="c1")) == [
        wire("assistant", None, tool_calls=[call]),
        wire("tool", "seen", tool_call_id="c1"),
    ]


def test_calls_of_other_integrations_are_read_and_the_id_of_return_direct_is_not():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    [sent] = wired(said("assistant", tool_calls=[call]))
    assert sent["tool_calls"] == [call]
    nameless = said("assistant", ToolCallBlock(tool_name="look", tool_kwargs={}))
    for role, named in (("tool", {"tool_call_id": "look"}), ("function", {"name": "look"})):
        asked, result = wired(nameless, said(role, "x", **named))
        assert asked["tool_calls"][0]["id"] == result["tool_call_id"] == "look"
    assert wired(said("assistant", "x", tool_call_id="c")) == [wire("assistant", "x")]


def test_names_refusals_and_empty_texts_are_sent_as_servers_accept_them():
    named = said("user", "x", name="Ann Lee", cache_control={"type": "e"})
    assert wired(named) == [wire("user", "x", name="Ann_Lee")]
    assert wired(said("assistant", refusal="No.")) == [wire("assistant", "", refusal="No.")]
    assert parts("", ImageBlock(url=URL)) == [image_part(URL)]


def test_images_of_tools_are_shown_behind_all_results():
    image = ImageBlock(url=URL)
    last = said("tool", image, tool_call_id="c1")
    first, second, _, shown, answer = wired(
        said("tool", "drawn", image, tool_call_id="c1"),
        said("tool", image, tool_call_id="c2"),
        said("tool", "no image", tool_call_id="c3"),
        said("assistant", "done"),
    )
    assert first == wire("tool", "drawn", tool_call_id="c1")
    assert second["content"]
    assert shown["role"] == "user"
    assert shown["content"] == [
        text_part("Result of the tool call `c1`:"),
        image_part(URL),
        text_part("Result of the tool call `c2`:"),
        image_part(URL),
    ]
    assert answer["role"] == "assistant"
    assert [message["role"] for message in wired(last)] == ["tool", "user"]
    (named,) = wired(last, rules=Rules(reads=lambda modality: modality == "text"))
    assert "image" in named["content"]  # to a model that cannot see


def test_system_messages_stand_first():
    messages = [said("system", "one"), said("developer", "two"), said("user", "three")]
    messages.append(said("system", "four"))
    assert wired(*messages) == [
        wire("system", "one\n\ntwo"),
        wire("user", "three"),
        wire("user", "four"),
    ]
    kept = wired(*messages, rules=Rules(system_first=False))
    assert [message["role"] for message in kept] == ["system", "system", "user", "system"]


def test_system_messages_with_images_are_joined_as_parts():
    (joined,) = wired(said("system", "one"), said("system", "two", ImageBlock(url=URL)))
    assert [part["type"] for part in joined["content"]] == ["text", "text", "image_url"]


def thinking(text: str, **told: Any) -> ThinkingBlock:
    return ThinkingBlock(content=text, additional_information=told)


@pytest.mark.parametrize(
    ("policy", "sent"),
    [("auto", [None, "new"]), ("always", ["old", "new"]), ("never", [None, None])],
)
def test_reasoning_goes_back_as_the_policy_says(policy, sent):
    old, new = said("assistant", thinking("old"), "2"), said("assistant", thinking("new"), CALL)
    result = said("tool", "4", tool_call_id="c1")
    conversation = [said("user", "1"), old, said("user", "3"), new, result]
    _, first, _, second, _ = wired(*conversation, rules=Rules(send_reasoning=policy))
    assert [first.get("reasoning_content"), second.get("reasoning_content")] == sent


def test_reasoning_goes_back_under_the_name_it_came_under():
    details = [{"type": "reasoning.encrypted", "data": "e"}]
    block = thinking("t", field="reasoning", reasoning_details=details)
    [sent] = wired(said("assistant", block, CALL))
    assert (sent["reasoning"], sent["reasoning_details"]) == ("t", details)
    assert "reasoning_content" not in sent


def test_text_with_half_a_character_is_sent_as_valid_text():
    arguments = {"at": "\ud83d", "n": float("nan")}
    call = ToolCallBlock(tool_call_id="c", tool_name="look", tool_kwargs=arguments)
    system, user, assistant, tool = wired(
        said("system", "s\ud83d"),
        said("user", "u\ud83d"),
        said("assistant", thinking("t\ud83d"), call),
        said("tool", "r\ud83d", tool_call_id="c"),
    )
    texts = (system["content"], user["content"], tool["content"], assistant["reasoning_content"])
    assert texts == ("s\ufffd", "u\ufffd", "r\ufffd", "t\ufffd")
    sent = assistant["tool_calls"][0]["function"]["arguments"]
    assert json.loads(sent, parse_constant=pytest.fail)["at"] == "\ufffd"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("odd", ["Hello", [{"role": "user", "content": "Hello"}], [None]])
async def test_what_is_no_conversation_is_a_clear_error(made_llm, service, way, odd):
    with pytest.raises(TypeError, match="a list of LlamaIndex's `ChatMessage`s"):
        await collected(getattr(made_llm(), way)(odd))
    assert service.requests == []
