"""Identifiers in paths: one encoded segment, or an error; never another endpoint."""

from __future__ import annotations

from urllib.parse import quote

# Longer than any identifier or artifact path of the API, far shorter than a server's URL limit.
MAX_SEGMENT_LENGTH = 512


def path_segment(value: str, argument: str) -> str:
    """Return an identifier as one percent-encoded path segment.

    Args:
        value: The identifier as the API gave it (opaque text).
        argument: The name of the argument it came in, for the error.

    Raises:
        ValueError: It is not text, empty, too long, a dot segment or has control characters or
            halves of characters.
            `"."` and `".."` stay what they are when quoted, and an HTTP client resolves them,
            so `terminate("../storage/x")` would delete another resource.
    """
    _require_text(value, argument)
    if not value.strip():
        raise ValueError(f"`{argument}` is empty. Nothing was sent.")
    if len(value) > MAX_SEGMENT_LENGTH:
        raise ValueError(
            f"`{argument}` has {len(value)} characters; {MAX_SEGMENT_LENGTH} are the most. "
            "Nothing was sent."
        )
    if any(ord(character) < ord(" ") or character == "\x7f" for character in value):
        raise ValueError(f"`{argument}` has a control character. Nothing was sent.")
    if any(part in {".", ".."} for part in value.replace("\\", "/").split("/")):
        raise ValueError(f"`{argument}` has a `.` or `..` path segment. Nothing was sent.")
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise ValueError(
            f"`{argument}` is not valid Unicode text (a lone surrogate). Nothing was sent."
        ) from None


def is_usable(identifier: str) -> bool:
    """Return whether an identifier can be put into a URL."""
    try:
        path_segment(identifier, "id")
    except ValueError:
        return False
    return True


def artifact_path(value: str, argument: str) -> str:
    """Return a relative path of several segments (an artifact's), each encoded.

    Raises:
        ValueError: As `path_segment`, for any of the segments, or the path is absolute.
    """
    _require_text(value, argument)
    if value.startswith("/"):
        raise ValueError(f"`{argument}` must be a relative path. Nothing was sent.")
    return "/".join(path_segment(part, argument) for part in value.split("/"))


def _require_text(value: object, argument: str) -> None:
    if not isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - callers handle every bad identifier as one class
            f"`{argument}` must be text, not `{type(value).__name__}`. Nothing was sent."
        )
