"""File names from a server, made safe for any directory on any system."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Final

# Most file systems allow 255 bytes; the rest is left for `.<random>.part`.
MAX_NAME_BYTES: Final = 200
# A longer "suffix" is none; `model.tar.gz` keeps its last one when the name is cut.
_MAX_SUFFIX_BYTES: Final = 20
# Separators on some system, wildcards, and what opens a second stream of a file on Windows.
_FORBIDDEN: Final = re.compile(r'[<>:"|?*]')
_SEPARATORS: Final = re.compile(r"[/\\]")
# Devices on Windows, with any suffix and also as superscript digits.
_DEVICE: Final = re.compile(r"(?i)(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])")
# Control, format (such as writing direction), surrogate and private characters, and line ends.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def safe_file_name(name: str, fallback: str | None = None) -> str:
    """Return a safe file name for a name that a server gave.

    Of a path the last part is kept; control characters, separators, leading dots and trailing
    dots and spaces go; names of devices get a `_` in front; it has at max_bytes 200 bytes.

    Args:
        name: The server's name.
        fallback: What to call it when nothing is left.

    Raises:
        ValueError: Nothing is left and there is no fallback.
    """
    visible = "".join(
        character for character in name if unicodedata.category(character) not in _INVISIBLE
    )
    base = _SEPARATORS.split(unicodedata.normalize("NFC", visible))[-1]
    plain = _trimmed(_FORBIDDEN.sub("_", base))
    if is_device_name(plain):
        plain = f"_{plain}"
    plain = _trimmed(_shortened(plain))
    if plain:
        return plain
    if fallback is None:
        raise ValueError(f"{name[:80]!r} is not a file name. Nothing was written.")
    return fallback


def is_device_name(name: str) -> bool:
    """Return whether Windows takes a file name for a device, such as `NUL` or `com1.txt`."""
    return _DEVICE.fullmatch(name.partition(".")[0].rstrip(" ")) is not None


def part_file_name(name: str, random: str) -> str:
    """Return the name of the temporary file of a file.

    Args:
        name: The file's own name, which may be as long as names can be.
        random: Text that makes it unique.
    """
    return f"{_first_bytes(name, MAX_NAME_BYTES)}.{random}.part"


def _trimmed(name: str) -> str:
    return name.lstrip(". ").rstrip(". ")


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    suffix = PurePosixPath(name).suffix
    room = len(suffix.encode())
    if room > _MAX_SUFFIX_BYTES:
        return _first_bytes(name, MAX_NAME_BYTES)
    stem = name[: len(name) - len(suffix)]
    return _first_bytes(stem, MAX_NAME_BYTES - room).rstrip(". ") + suffix


def _first_bytes(text: str, max_bytes: int) -> str:
    return text.encode(errors="replace")[:max_bytes].decode(errors="ignore")
