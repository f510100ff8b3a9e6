"""Pictures, recordings, films and documents in all forms in use."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_runcrate.media_blocks import read_media
from langchain_runcrate.messages import WirePolicy, to_wire
from tests.content_parts import (
    audio_part,
    audio_url_part,
    data_url,
    file_part,
    image_part,
    of,
    video_part,
)
from tests.langchain.chat_service import chat, whole
from tests.servers import ScriptedServer

PNG_BYTES, PDF_BYTES, WAV_BYTES = b"\x89PNG\r\n\x1a\n0000", b"%PDF-1.4 x", b"RIFF0000WAVE"
PNG, PDF, WAV = (base64.b64encode(each).decode() for each in (PNG_BYTES, PDF_BYTES, WAV_BYTES))
WEBP_BYTES = b"RIFF0000WEBP"
WEBP = base64.b64encode(WEBP_BYTES).decode()
URL = "https://files.example/a"
LINK, LOW = image_part(URL), image_part(URL, detail="low")
PICTURE = image_part(data_url("image/png", PNG_BYTES))
SOUND, SPEECH = audio_part(WAV_BYTES, "wav"), audio_part(WAV_BYTES, "mp3")
FILM, CLIP = video_part(URL), video_part("data:video/mp4;base64,AAAA")
PAPER = {"file_data": data_url("application/pdf", PDF_BYTES)}
NAMED, STORED = file_part(filename="a.pdf", **PAPER), file_part(file_id="f")


def encoded(data: str, mime_type: str, **members: Any) -> dict[str, Any]:
    """The bytes of a file as LangChain's first blocks have them."""
    return {"source_type": "base64", "data": data, "mime_type": mime_type, **members}


def source(data: str, media_type: str) -> dict[str, Any]:
    """The bytes of a file as Anthropic's blocks have them."""
    return {"source": {"type": "base64", "media_type": media_type, "data": data}}


def bedrock(kind: str, content: bytes, form: str, **members: Any) -> dict[str, Any]:
    return {kind: {"format": form, **members, "source": {"bytes": content}}}


# The part that servers read, and a block as OpenAI, LangChain (v1, v0), Anthropic, Gemini or
# Bedrock has it.
FORMS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    *((part, part) for part in (LINK, LOW, PICTURE, SPEECH, FILM, NAMED, STORED)),
    (LINK, of("image_url", image_url=URL)),
    (LINK, of("image", url=URL)),
    (LINK, of("image", source_type="url", url=URL)),
    (LINK, of("image", source=of("url", url=URL))),
    (LOW, of("input_image", image_url=URL, detail="low")),
    (LOW, of("image", url=URL, extras={"detail": "low"})),
    (PICTURE, of("image", base64=PNG, mime_type="image/png")),
    (PICTURE, of("image", base64=PNG)),
    (PICTURE, of("image", base64=PNG, mime_type="image/jpg")),  # the bytes show the type
    (PICTURE, of("image", base64=data_url("image/png", PNG_BYTES))),
    (PICTURE, of("file", base64=PNG, mime_type="image/png")),
    (PICTURE, of("image", **encoded(PNG, "image/png"))),
    (PICTURE, of("image", **source(PNG, "image/png"))),
    (PICTURE, of("media", mime_type="image/png", data=PNG)),
    (PICTURE, of("media", mime_type="image/png", data=PNG_BYTES)),
    (PICTURE, bedrock("image", PNG_BYTES, "png")),
    (image_part("data:image/jpeg;base64,AAAA"), of("image", base64="AAAA", mime_type="image/jpg")),
    (image_part(data_url("image/webp", WEBP_BYTES)), of("image", base64=WEBP)),
    (SPEECH, of("audio", base64=WAV, mime_type="audio/mpeg")),
    (SOUND, of("audio", base64=WAV)),
    (SOUND, of("audio", base64=WAV, mime_type="audio/x-wav")),
    (SOUND, of("audio", **encoded(WAV, "audio/wav"))),
    (audio_part(b"ID3", "mp3"), of("audio", base64="SUQz")),
    (audio_part(WAV_BYTES, "flac"), of("audio", base64=WAV, mime_type="audio/flac")),
    (audio_part(WAV_BYTES, "m4a"), of("audio", base64=WAV, mime_type="audio/mp4; codecs=x")),
    (audio_url_part(URL), audio_url_part(URL)),
    (audio_url_part(URL), of("audio", url=URL)),
    (FILM, of("video", url=URL)),
    (FILM, of("media", mime_type="video/mp4", file_uri=URL)),
    (CLIP, of("video", base64="AAAA", mime_type="video/mp4")),
    (CLIP, bedrock("video", bytes(3), "mp4")),
    (
        file_part(filename="document.pdf", **PAPER),
        of("file", base64=PDF, mime_type="application/pdf"),
    ),
    (NAMED, of("input_file", filename="a.pdf", **PAPER)),
    (NAMED, of("file", base64=PDF, filename="a.pdf")),
    (NAMED, of("file", base64=PDF, mime_type="application/pdf", extras={"filename": "a.pdf"})),
    (NAMED, of("file", **encoded(PDF, "application/pdf", metadata={"filename": "a.pdf"}))),
    (LOW, of("image", url=URL, detail="low", extras="x", metadata=["y"])),
    (NAMED, of("document", title="a.pdf", **source(PDF, "application/pdf"))),
    (NAMED, bedrock("document", PDF_BYTES, "pdf", name="a.pdf")),
    (STORED, of("input_file", file_id="f")),
    (STORED, of("image", file_id="f")),
    (STORED, of("text-plain", file_id="f")),
    (STORED, of("file", source_type="id", id="f")),
    (STORED, of("document", source=of("file", file_id="f"))),
    (file_part(file_data=URL), of("file", url=URL)),
    (file_part(file_data=URL), of("input_file", file_url=URL)),
]


@pytest.mark.parametrize(("part", "block"), FORMS)
def test_each_form_becomes_the_part_that_servers_read(part, block):
    assert to_wire([HumanMessage([block])])[0]["content"] == [part]


def test_each_form_passes_through_langchain():
    """LangChain itself refuses pictures without a media type when it traces a call."""
    forms = [
        (part, block)
        for part, block in FORMS
        if block.get("type") not in {"image", "audio"}
        or "base64" not in block
        or "mime_type" in block
    ]
    with ScriptedServer(whole()) as server:
        chat(server).invoke([HumanMessage([block for _, block in forms])])
    assert server.received[0].json["messages"][0]["content"] == [part for part, _ in forms]


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({"type": "image"}, "type `image` has none of"),
        ({"type": "file", "file": {}}, "type `file` has none of"),
        ({"type": "image", "source": {"type": "new"}}, "type `image` has none of"),
        ({"type": "image", "base64": "AAAA"}, "no `mime_type`"),
        ({"type": "image", "base64": "%%%"}, "no `mime_type`"),
        ({"type": "image", "base64": "AAAAA"}, "no `mime_type`"),
        (image_part("data:image/png,%00"), "not in base64"),
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
    assert sent[4]["content"][1] == PICTURE
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
