"""Parts of a message's content in the form that OpenAI-compatible servers read."""

from __future__ import annotations

import base64
from typing import Any


def data_url(mime_type: str, content: bytes) -> str:
    return f"data:{mime_type};base64,{base64.b64encode(content).decode()}"


def of(kind: str, **members: Any) -> dict[str, Any]:
    """Return a content block of any kind."""
    return {"type": kind, **members}


def text_part(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def image_part(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def audio_part(content: bytes, form: str) -> dict[str, Any]:
    data = base64.b64encode(content).decode()
    return {"type": "input_audio", "input_audio": {"data": data, "format": form}}


def audio_url_part(url: str) -> dict[str, Any]:
    return {"type": "audio_url", "audio_url": {"url": url}}


def video_part(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "video_url", "video_url": {"url": url, **more}}


def file_part(**members: Any) -> dict[str, Any]:
    return {"type": "file", "file": members}
