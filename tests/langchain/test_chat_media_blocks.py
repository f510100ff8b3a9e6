"""Pictures, recordings, films and documents in all forms in use."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_runcrate.media_blocks import read_media
from langchain_runcrate.messages import WirePolicy, to_wire
from tests.langchain.chat_service import chat, whole
from tests.servers import ScriptedServer

PNG_BYTES = b"\x89PNG\r\n\x1a\n0000"
PNG = base64.b64encode(PNG_BYTES).decode()
PDF = base64.b64encode(b"%PDF-1.4 x").decode()
WAV = base64.b64encode(b"RIFF0000WAVE").decode()
WEBP = base64.b64encode(b"RIFF0000WEBP").decode()
URL = "https://files.example/a"


def image(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def data(mime_type: str, content: str) -> str:
    return f"data:{mime_type};base64,{content}"


def document(content: str, filename: str = "document.pdf") -> dict[str, Any]:
    file = {"filename": filename, "file_data": data("application/pdf", content)}
    return {"type": "file", "file": file}


def sound(content: str, form: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": content, "format": form}}


def video(url: str) -> dict[str, Any]:
    return {"type": "video_url", "video_url": {"url": url}}


def named(file_id: str) -> dict[str, Any]:
    return {"type": "file", "file": {"file_id": file_id}}


FORMS = [
    # OpenAI
    (image(URL), image(URL)),
    (image(URL, detail="low"), image(URL, detail="low")),
    ({"type": "image_url", "image_url": URL}, image(URL)),
    (image(data("image/png", PNG)), image(data("image/png", PNG))),
    (sound(WAV, "mp3"), sound(WAV, "mp3")),
    (document(PDF, "a.pdf"), document(PDF, "a.pdf")),
    (named("f"), named("f")),
    ({"type": "input_image", "image_url": URL, "detail": "low"}, image(URL, detail="low")),
    (
        {"type": "input_file", "file_data": data("application/pdf", PDF), "filename": "a.pdf"},
        document(PDF, "a.pdf"),
    ),
    ({"type": "input_file", "file_url": URL}, {"type": "file", "file": {"file_data": URL}}),
    ({"type": "input_file", "file_id": "f"}, named("f")),
    (video(URL), video(URL)),
    (
        {"type": "audio_url", "audio_url": {"url": URL}},
        {"type": "audio_url", "audio_url": {"url": URL}},
    ),
    # LangChain v1
    ({"type": "image", "url": URL}, image(URL)),
    ({"type": "image", "base64": PNG, "mime_type": "image/png"}, image(data("image/png", PNG))),
    ({"type": "image", "base64": PNG}, image(data("image/png", PNG))),
    ({"type": "image", "base64": WEBP}, image(data("image/webp", WEBP))),
    ({"type": "image", "base64": data("image/png", PNG)}, image(data("image/png", PNG))),
    ({"type": "image", "url": URL, "extras": {"detail": "high"}}, image(URL, detail="high")),
    ({"type": "image", "file_id": "f"}, named("f")),
    ({"type": "audio", "base64": WAV, "mime_type": "audio/x-wav"}, sound(WAV, "wav")),
    ({"type": "audio", "base64": WAV, "mime_type": "audio/mpeg"}, sound(WAV, "mp3")),
    ({"type": "audio", "base64": WAV, "mime_type": "audio/flac"}, sound(WAV, "flac")),
    ({"type": "audio", "base64": WAV, "mime_type": "audio/mp4; codecs=x"}, sound(WAV, "m4a")),
    ({"type": "audio", "base64": WAV}, sound(WAV, "wav")),
    ({"type": "audio", "url": URL}, {"type": "audio_url", "audio_url": {"url": URL}}),
    ({"type": "video", "url": URL}, video(URL)),
    (
        {"type": "video", "base64": "AAAA", "mime_type": "video/mp4"},
        video(data("video/mp4", "AAAA")),
    ),
    ({"type": "file", "base64": PDF, "mime_type": "application/pdf"}, document(PDF)),
    ({"type": "file", "base64": PDF, "filename": "b.pdf"}, document(PDF, "b.pdf")),
    (
        {
            "type": "file",
            "base64": PDF,
            "mime_type": "application/pdf",
            "extras": {"filename": "c.pdf"},
        },
        document(PDF, "c.pdf"),
    ),
    ({"type": "file", "url": URL}, {"type": "file", "file": {"file_data": URL}}),
    ({"type": "file", "base64": PNG, "mime_type": "image/png"}, image(data("image/png", PNG))),
    # LangChain v0
    ({"type": "image", "source_type": "url", "url": URL}, image(URL)),
    (
        {"type": "image", "source_type": "base64", "data": PNG, "mime_type": "image/png"},
        image(data("image/png", PNG)),
    ),
    (
        {"type": "audio", "source_type": "base64", "data": WAV, "mime_type": "audio/wav"},
        sound(WAV, "wav"),
    ),
    (
        {
            "type": "file",
            "source_type": "base64",
            "data": PDF,
            "mime_type": "application/pdf",
            "metadata": {"filename": "d.pdf"},
        },
        document(PDF, "d.pdf"),
    ),
    ({"type": "file", "source_type": "id", "id": "f"}, named("f")),
    # Anthropic
    (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        image(data("image/png", PNG)),
    ),
    ({"type": "image", "source": {"type": "url", "url": URL}}, image(URL)),
    (
        {
            "type": "document",
            "title": "e.pdf",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
        },
        document(PDF, "e.pdf"),
    ),
    (
        {"type": "document", "source": {"type": "file", "file_id": "f"}},
        named("f"),
    ),
    # Gemini
    ({"type": "media", "mime_type": "image/png", "data": PNG}, image(data("image/png", PNG))),
    ({"type": "media", "mime_type": "image/png", "data": PNG_BYTES}, image(data("image/png", PNG))),
    (
        {"type": "media", "mime_type": "video/mp4", "file_uri": URL},
        video(URL),
    ),
    # Bedrock
    ({"image": {"format": "png", "source": {"bytes": PNG_BYTES}}}, image(data("image/png", PNG))),
    (
        {"video": {"format": "mp4", "source": {"bytes": b"film"}}},
        video(data("video/mp4", "ZmlsbQ==")),
    ),
    (
        {"document": {"format": "pdf", "name": "g.pdf", "source": {"bytes": b"%PDF-1.4 x"}}},
        document(PDF, "g.pdf"),
    ),
]


@pytest.mark.parametrize(("block", "part"), FORMS)
def test_each_form_becomes_the_part_that_servers_read(block, part):
    assert to_wire([HumanMessage([block])])[0]["content"] == [part]


def test_each_form_passes_through_langchain():
    """LangChain itself refuses pictures without a media type when it traces a call."""
    forms = [
        (block, part)
        for block, part in FORMS
        if block.get("type") not in {"image", "audio"}
        or "base64" not in block
        or "mime_type" in block
    ]
    with ScriptedServer(whole()) as server:
        chat(server).invoke([HumanMessage([block for block, _ in forms])])
    assert server.received[0].json["messages"][0]["content"] == [part for _, part in forms]


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({"type": "image"}, "type `image` has none of"),
        ({"type": "file", "file": {}}, "type `file` has none of"),
        ({"type": "image", "source": {"type": "new"}}, "type `image` has none of"),
        ({"type": "image", "base64": "AAAA"}, "no `mime_type`"),
        ({"type": "image", "base64": "%%%"}, "no `mime_type`"),
        ({"type": "image", "base64": "AAAAA"}, "no `mime_type`"),
        (image("data:image/png,%00"), "not in base64"),
    ],
)
def test_media_that_cannot_be_sent_are_refused_with_a_reason(block, problem):
    with pytest.raises(ValueError, match=problem):
        to_wire([HumanMessage([block])])


def test_other_blocks_hold_no_media():
    for block in (
        {"type": "text", "text": "x"},
        {"x": 1},
        {"type": "document", "source": {"type": "text"}},
    ):
        assert read_media(block) is None


IMAGE = {"type": "image", "base64": PNG}
CALL = {"type": "tool_call", "name": "draw", "args": {}, "id": "call_1"}


def test_images_in_tool_messages_are_lifted_behind_the_last_result():
    messages = [
        HumanMessage("A map?"),
        AIMessage("", tool_calls=[CALL, {**CALL, "id": "call_2"}]),
        ToolMessage([{"type": "text", "text": "A map."}, IMAGE], tool_call_id="call_1"),
        ToolMessage("sunny", tool_call_id="call_2"),
        AIMessage("Done."),
    ]
    sent = to_wire(messages)
    assert [each["role"] for each in sent] == [
        *("user", "assistant", "tool", "tool", "user", "assistant")
    ]
    text, note = sent[2]["content"].split("\n")
    assert text == "A map."
    assert "next message" in note
    assert sent[4]["content"][1] == image(data("image/png", PNG))
    assert "result of call `call_1`" in sent[4]["content"][0]["text"]
    assert to_wire(messages[:4])[-1] == sent[4]


def test_images_in_tool_messages_stay_where_the_model_reads_them():
    block = {"type": "file", "base64": PDF, "mime_type": "application/pdf"}
    both = ToolMessage([IMAGE, block], tool_call_id="call_1")
    [sent] = to_wire([both], WirePolicy(native_tool_images=True, native_tool_files=True))
    assert [part["type"] for part in sent["content"]] == ["image_url", "file"]
    sent, lifted = to_wire([both], WirePolicy(native_tool_images=True))
    assert [part["type"] for part in sent["content"]] == ["image_url", "text"]
    assert [part["type"] for part in lifted["content"]] == ["text", "file"]
