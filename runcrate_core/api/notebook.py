"""Inline rendering of media in notebooks."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

from runcrate_core.protocol.media_types import media_type, type_of_suffix

# Images that every notebook shows by their media type; others go as HTML.
_SHOWN_AS_THEY_ARE: Final = frozenset({"image/png", "image/jpeg", "image/gif"})
# What browsers play; bare samples are not among it.
_PLAYED: Final = frozenset(
    {
        "audio/mpeg",
        "audio/wav",
        "audio/mp4",
        "audio/flac",
        "audio/ogg",
        "audio/webm",
        "audio/aac",
        "video/mp4",
        "video/webm",
        "video/quicktime",
    }
)
# A notebook keeps what it shows; a larger video is named instead.
MAX_SHOWN_BYTES: Final = 32 * 1024 * 1024

Bundle = dict[str, str]


def image_bundle(content: bytes, plain: str) -> Bundle:
    """Return an image for a notebook.

    Args:
        content: The image file.
        plain: What a terminal shows instead.
    """
    kind = media_type(content[:512])
    if not kind.startswith("image/") or len(content) > MAX_SHOWN_BYTES:
        return {"text/plain": plain}
    if kind in _SHOWN_AS_THEY_ARE:
        return {"text/plain": plain, kind: base64.b64encode(content).decode()}
    return {"text/plain": plain, "text/html": f'<img src="{_data_uri(kind, content)}">'}


def player_bundle(content: bytes, kind: str, plain: str) -> Bundle:
    """Return audio or video for a notebook.

    Args:
        content: The file.
        kind: Its media type.
        plain: What a terminal shows instead.
    """
    if kind not in _PLAYED or len(content) > MAX_SHOWN_BYTES:
        return {"text/plain": plain}
    tag = kind.partition("/")[0]
    html = f'<{tag} controls preload="metadata" src="{_data_uri(kind, content)}"></{tag}>'
    return {"text/plain": plain, "text/html": html}


def file_bundle(path: Path, plain: str) -> Bundle:
    """Return a video file for a notebook."""
    try:
        if path.stat().st_size > MAX_SHOWN_BYTES:
            return {"text/plain": plain}
        content = path.read_bytes()
    except OSError:
        return {"text/plain": plain}
    declared = type_of_suffix(path.suffix) or ""
    return player_bundle(content, media_type(content[:512], declared), plain)


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
