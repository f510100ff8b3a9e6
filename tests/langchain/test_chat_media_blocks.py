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
    video_part,
)
from tests.langchain.chat_service import chat, whole
from tests.servers import ScriptedServer

PNG_BYTES, PDF_BYTES, WAV_BYTES = b"\x89PNG\r\n\x1a\n0000", b"%PDF-1.4 x", b"RIFF0000WAVE"
PNG, PDF, WAV = (base64.b64encode(each).decode() for each in (PNG_BYTES, PDF_BYTES, WAV_BYTES))
WEBP = base64.b64encode(b"RIFF0000WEBP").decode()
URL = "https://files.example/a"
PICTURE = image_part(data_url("image/png", PNG_BYTES))
PAPER = {"file_data": data_url("application/pdf", PDF_BYTES)}
NAMED_PAPER = file_part(filename="a.pdf", **PAPER)


def of(kind: str, **members: Any) -> dict[str, Any]:
    return {"type": kind, **members}


# Blocks as OpenAI, LangChain (v1, v0), Anthropic, Gemini and Bedrock have them, by their part.
BLOCKS: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
    (
        image_part(URL),
        [
            image_part(URL),
            of("image_url", image_url=URL),
            of("image", url=URL),
            of("image", source_type="url", url=URL),
            of("image", source=of("url", url=URL)),
        ],
    ),
    (
        image_part(URL, detail="low"),
        [
            image_part(URL, detail="low"),
            of("input_image", image_url=URL, detail="low"),
            of("image", url=URL, extras={"detail": "low"}),
        ],
    ),
    (
        PICTURE,
        [
            PICTURE,
            of("image", base64=PNG, mime_type="image/png"),
            of("image", base64=PNG),
            of("image", base64=PNG, mime_type="image/jpg"),  # the bytes show the type
            of("image", base64=data_url("image/png", PNG_BYTES)),
            of("file", base64=PNG, mime_type="image/png"),
            of("image", source_type="base64", data=PNG, mime_type="image/png"),
            of("image", source=of("base64", media_type="image/png", data=PNG)),
            of("media", mime_type="image/png", data=PNG),
            of("media", mime_type="image/png", data=PNG_BYTES),
            {"image": {"format": "png", "source": {"bytes": PNG_BYTES}}},
        ],
    ),
    (
        image_part("data:image/jpeg;base64,AAAA"),
        [of("image", base64="AAAA", mime_type="image/jpg")],
    ),
    (image_part(data_url("image/webp", b"RIFF0000WEBP")), [of("image", base64=WEBP)]),
    (
        audio_part(WAV_BYTES, "mp3"),
        [audio_part(WAV_BYTES, "mp3"), of("audio", base64=WAV, mime_type="audio/mpeg")],
    ),
    (
        audio_part(WAV_BYTES, "wav"),
        [
            of("audio", base64=WAV),
            of("audio", base64=WAV, mime_type="audio/x-wav"),
            of("audio", source_type="base64", data=WAV, mime_type="audio/wav"),
        ],
    ),
    (audio_part(b"ID3", "mp3"), [of("audio", base64="SUQz")]),
    (audio_part(WAV_BYTES, "flac"), [of("audio", base64=WAV, mime_type="audio/flac")]),
    (audio_part(WAV_BYTES, "m4a"), [of("audio", base64=WAV, mime_type="audio/mp4; codecs=x")]),
    (audio_url_part(URL), [audio_url_part(URL), of("audio", url=URL)]),
    (
        video_part(URL),
        [
            video_part(URL),
            of("video", url=URL),
            of("media", mime_type="video/mp4", file_uri=URL),
        ],
    ),
    (
        video_part("data:video/mp4;base64,AAAA"),
        [
            of("video", base64="AAAA", mime_type="video/mp4"),
            {"video": {"format": "mp4", "source": {"bytes": bytes(3)}}},
        ],
    ),
    (
        file_part(filename="document.pdf", **PAPER),
        [of("file", base64=PDF, mime_type="application/pdf")],
    ),
    (
        NAMED_PAPER,
        [
            NAMED_PAPER,
            of("input_file", filename="a.pdf", **PAPER),
            of("file", base64=PDF, filename="a.pdf"),
            of("file", base64=PDF, mime_type="application/pdf", extras={"filename": "a.pdf"}),
            of(
                "file",
                source_type="base64",
                data=PDF,
                mime_type="application/pdf",
                metadata={"filename": "a.pdf"},
            ),
            of(
                "document",
                title="a.pdf",
                source=of("base64", media_type="application/pdf", data=PDF),
            ),
            {"document": {"format": "pdf", "name": "a.pdf", "source": {"bytes": PDF_BYTES}}},
        ],
    ),
    (
        file_part(file_id="f"),
        [
            file_part(file_id="f"),
            of("input_file", file_id="f"),
            of("image", file_id="f"),
            of("text-plain", file_id="f"),
            of("file", source_type="id", id="f"),
            of("document", source=of("file", file_id="f")),
        ],
    ),
    (file_part(file_data=URL), [of("file", url=URL), of("input_file", file_url=URL)]),
]
FORMS = [(block, part) for part, blocks in BLOCKS for block in blocks]


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
