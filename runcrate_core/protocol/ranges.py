"""Resume downloads: Range headers and Content-Range validation.

RFC 9110, sections 13 (validators) and 14 (ranges).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from runcrate_core.protocol.body_buffer import content_encoding

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTIAL_CONTENT: Final = 206
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII)
_LENGTH: Final = re.compile(r"\d{1,19}", re.ASCII)


class Fit(Enum):
    """The relation of a response to the bytes received so far."""

    COMPLETE = "it holds the file from its beginning"
    REST = "it holds what is missing"
    MISFIT = "it holds something else"


@dataclass(frozen=True, slots=True)
class ContentRange:
    """The bytes that a 206 response holds.

    Attributes:
        start: Position of the first.
        end: Position of the last.
        total: Length of the complete file, if it is known.
    """

    start: int
    end: int
    total: int | None


def content_range(headers: Mapping[str, str]) -> ContentRange | None:
    """Return the range of a 206 response; `None` when it is missing, or makes no sense."""
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if found is None:
        return None
    start, end = int(found[1]), int(found[2])
    total = None if found[3] == "*" else int(found[3])
    if start > end or (total is not None and end >= total):
        return None
    return ContentRange(start, end, total)


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return the length of a body, if it is known."""
    text = headers.get("content-length", "").strip()
    return int(text) if _LENGTH.fullmatch(text) else None


def is_plain(headers: Mapping[str, str]) -> bool:
    """Return whether a body is the file itself, without a content encoding."""
    return not content_encoding(headers)


def validator(headers: Mapping[str, str]) -> str | None:
    """Return what `If-Range` may hold for a file, or `None` when its download cannot be resumed.

    A weak entity tag says that two files mean the same, not that their bytes are.
    """
    if headers.get("accept-ranges", "").strip().lower() == "none" or not is_plain(headers):
        return None
    tag = headers.get("etag", "").strip()
    if tag.startswith('"'):
        return tag
    return headers.get("last-modified", "").strip() or None


def range_headers(received: int, tag: str) -> tuple[tuple[str, str], ...]:
    """Return the headers that ask for the rest of a file, or all of it if it has changed.

    Args:
        received: How many bytes have come.
        tag: Its `validator`.
    """
    return ("range", f"bytes={received}-"), ("if-range", tag)


def fit(
    status: int, headers: Mapping[str, str], *, received: int, tag: str | None, total: int | None
) -> Fit:
    """Return the relation of a response to the bytes received so far.

    Args:
        status: HTTP status, a success.
        headers: Header names in lower case.
        received: How many bytes have come before.
        tag: The `validator` of the response that they came with.
        total: Length of the complete file, if it is known.
    """
    if status != PARTIAL_CONTENT:
        return Fit.COMPLETE
    held = content_range(headers)
    if held is None or held.start != received or received == 0 or not is_plain(headers):
        return Fit.MISFIT
    if total is not None and held.total not in {None, total}:
        return Fit.MISFIT
    name = "etag" if tag is not None and tag.startswith('"') else "last-modified"
    return Fit.REST if headers.get(name, tag) == tag else Fit.MISFIT
