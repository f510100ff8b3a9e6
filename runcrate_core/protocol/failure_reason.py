"""Reason of a failure on the server, from whichever field holds it.

Seed 002 says to look at the error details of a failed video job and does not show them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runcrate_core.protocol.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

# A server's own words; more is a dump, not a reason.
MAX_REASON_LENGTH: Final = 500
_FIELDS: Final = (
    "error",
    "error_message",
    "error_details",
    "failure_reason",
    "failure",
    "reason",
    "status_message",
    "message",
    "detail",
    "details",
)
_MAX_DEPTH: Final = 5


def failure_reason(fields: Mapping[str, Any]) -> str | None:
    """Return the reason of a failure in a response, redacted; `None` if it gives none.

    Args:
        fields: The response's object.
    """
    texts = (_text(fields.get(name), 0) for name in _FIELDS)
    found = next(filter(None, texts), "")
    return redact(found)[:MAX_REASON_LENGTH] or None


def failure_code(fields: Mapping[str, Any]) -> str | None:
    """Return the machine-readable code of a failure, when there is one."""
    error = fields.get("error")
    code = error.get("code") if isinstance(error, dict) else fields.get("error_code")
    return code if isinstance(code, str) else None


def _text(value: Any, depth: int) -> str:
    if depth > _MAX_DEPTH:
        return ""
    match value:
        case str():
            return " ".join(value.split())
        case dict():
            names = ("message", *_FIELDS, "code")
            return next(filter(None, (_text(value.get(name), depth + 1) for name in names)), "")
        case [first, *_]:
            return _text(first, depth + 1)
        case _:
            return ""
