"""Media types of files, from their first bytes; a declared type comes second."""

from __future__ import annotations

import base64
from typing import Final

UNKNOWN_TYPE: Final = "application/octet-stream"
# What an error page, or a document mistaken for an image, is.
_DOCUMENTS: Final = frozenset({"application/json", "application/xml", "application/xhtml+xml"})
_AUDIO_IN_VIDEOS: Final = frozenset({"video/mp4", "video/webm", "video/quicktime"})
# From media type to the suffix of a file of it.
_SUFFIXES: Final = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/avif": ".avif",
    "image/heic": ".heic",
    "image/svg+xml": ".svg",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "audio/mp4": ".m4a",
    "audio/flac": ".flac",
    "audio/ogg": ".ogg",
    "audio/webm": ".webm",
    "audio/aac": ".aac",
    "audio/pcm": ".pcm",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "video/quicktime": ".mov",
}
_OTHER_NAMES: Final = {
    "image/jpg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "audio/x-flac": "audio/flac",
    "application/ogg": "audio/ogg",
    "audio/l16": "audio/pcm",
}
_TYPES_OF_SUFFIX: Final = {suffix: kind for kind, suffix in reversed(_SUFFIXES.items())} | {
    ".jpeg": "image/jpeg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".mpga": "audio/mpeg",
    ".m4v": "video/mp4",
}
_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"%PDF", "application/pdf"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),  # Matroska; whether it has video shows much later
    (b"<svg", "image/svg+xml"),
)
_HEAD_CHARACTERS: Final = 512  # of base64, in which three bytes are four characters
_RIFF_KINDS: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
# Brands of the ISO base media format; all others are video.
_BRANDS: Final = {
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"avif": "image/avif",
    b"heic": "image/heic",
    b"mif1": "image/heic",
    b"qt  ": "video/quicktime",
}
# Without an ID3 tag, an mp3 begins with a frame: eleven set bits, and a layer that is not 0 (which
# is AAC's).
_FRAME_SYNC: Final = 0xE0
_LAYER: Final = 0x06


def sniffed_type(head: bytes) -> str | None:
    """Return the media type that the first bytes of a file show, or `None`.

    Args:
        head: Its first bytes; 512 are plenty.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(b"RIFF"):
        return _RIFF_KINDS.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if len(head) > 1 and head[0] == 0xFF and head[1] & _FRAME_SYNC == _FRAME_SYNC:  # noqa: PLR2004 - the first eight of the eleven set bits
        return "audio/mpeg" if head[1] & _LAYER else "audio/aac"
    if head.lstrip().startswith(b"<?xml") and b"<svg" in head:
        return "image/svg+xml"
    return None


def normal_type(declared: str) -> str:
    """Return a declared media type without parameters, in lower case and under its usual name."""
    kind = declared.partition(";")[0].strip().lower()
    return _OTHER_NAMES.get(kind, kind)


def media_type(head: bytes, declared: str = "") -> str:
    """Return the media type of a file: what its bytes show, else what it is declared to be.

    Bare samples (PCM) begin with anything, so for them the declaration counts.

    Args:
        head: Its first bytes.
        declared: A `Content-Type`, or empty.
    """
    kind = normal_type(declared)
    if kind == "audio/pcm":
        return kind
    return sniffed_type(head) or kind or UNKNOWN_TYPE


def type_of_base64(data: str, declared: str | None = None) -> str | None:
    """Return the media type of a file in base64; None if it is unknown.

    Args:
        data: The file.
        declared: Its media type, as far as it is known.
    """
    try:
        head = base64.b64decode(data[:_HEAD_CHARACTERS])
    except ValueError:
        head = b""
    kind = media_type(head, declared or "")
    return None if kind == UNKNOWN_TYPE else kind


def contradicts(kind: str, wanted: str) -> bool:
    """Return whether a file of a media type is certainly no image, audio or video.

    Args:
        kind: Its media type; an unspecific type contradicts nothing.
        wanted: `image`, `audio` or `video`. Audio may come in a video container.
    """
    if kind == UNKNOWN_TYPE or kind.startswith(f"{wanted}/"):
        return False
    if wanted == "audio" and kind in _AUDIO_IN_VIDEOS:
        return False
    return kind.startswith(("text/", "image/", "audio/", "video/")) or kind in _DOCUMENTS


def type_of_suffix(suffix: str) -> str | None:
    """Return the media type of files with a suffix such as `.png`, or `None`."""
    return _TYPES_OF_SUFFIX.get(suffix.lower())


def suffix_of(head: bytes, declared: str = "") -> str:
    """Return the suffix for a file (`.png`); empty when it is unknown."""
    return _SUFFIXES.get(media_type(head, declared), "")
