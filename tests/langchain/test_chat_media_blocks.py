"""Pictures, recordings, films and documents in all forms in use."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from langchain_runcrate.media_blocks import Media, media_part, read_media
from langchain_runcrate.messages import to_wire
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
        if block.get("type") != "image" or "base64" not in block or "mime_type" in block
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


@pytest.mark.parametrize(
    ("mime_type", "form"), [("audio/flac", "flac"), ("audio/mp4; codecs=x", "m4a"), (None, "wav")]
)
def test_formats_of_recordings(mime_type, form):
    assert media_part(Media("audio", mime_type=mime_type, data=WAV)) == sound(WAV, form)
