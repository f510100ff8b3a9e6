"""Telling the container format of a sound or film file by its first bytes.

Naming the format keeps FFmpeg from guessing it: among those it would guess are playlists, whose
entries it would go and open.
"""

from typing import Final

__all__ = ["container_format"]

_SIGNATURES: Final = (  # offset, bytes, FFmpeg's name of the format
    (8, b"WAVE", "wav"),
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (4, b"ftyp", "mov"),
    (0, b"ID3", "mp3"),
)
_MPEG_SYNC: Final = 0xFFE0


def container_format(data: bytes) -> str | None:
    """FFmpeg's name of a file's format; None when it is none of those that are read here."""
    for offset, signature, name in _SIGNATURES:
        if data.startswith(signature, offset):
            return name
    has_mpeg_sync = int.from_bytes(data[:2], "big") & _MPEG_SYNC == _MPEG_SYNC
    return "mp3" if has_mpeg_sync else None
