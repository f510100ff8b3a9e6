"""Failures of media tools as text that a model can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runcrate_core.agent_tools.failures import explain_failure
from runcrate_core.agent_tools.untrusted_text import Sanitizer
from runcrate_core.errors import (
    AmbiguousLaunchError,
    APIConnectionError,
    AuthenticationError,
    ConfigurationError,
    InsufficientCreditsError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RuncrateError,
    UnprocessableEntityError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_STOP: Final = "Stop, and tell the user."
_MAYBE_BILLED: Final = (
    "It may have been generated and billed: ask the user before generating it again."
)
# The first match is appended to the error's own message.
_ADVICE: Final[tuple[tuple[type[RuncrateError], str], ...]] = (
    (AmbiguousLaunchError, _MAYBE_BILLED),
    (AuthenticationError, f"The key is not accepted. {_STOP}"),
    (PermissionDeniedError, f"The key lacks the permission. {_STOP}"),
    (InsufficientCreditsError, f"Only the user can add credits. {_STOP}"),
    (RateLimitError, "Wait before calling again, and make fewer calls."),
    (NotFoundError, f"The requested item does not exist. {_STOP}"),
    (UnprocessableEntityError, "Change the arguments before calling again."),
    (InternalServerError, "Try again later; if it may have been charged, ask the user first."),
    (APIConnectionError, _MAYBE_BILLED),
)


def explain_media_failure(error: Exception) -> str | None:
    """Return the text of an error for a model, or `None` if the program must handle it.

    Args:
        error: An error of a flow of `MediaGenerator`. Its notes, such as the files that were
            generated before it failed, are part of the text.
    """
    if isinstance(error, ConfigurationError):
        return None
    text = error.message if isinstance(error, RuncrateError) else explain_failure(error)
    if text is None:
        return None
    advice = next((advice for kind, advice in _ADVICE if isinstance(error, kind)), "")
    notes: list[str] = getattr(error, "__notes__", [])
    return " ".join(filter(None, (*_sanitized([text, *notes]), advice)))


def _sanitized(texts: Iterable[str]) -> Iterable[str]:
    sanitizer = Sanitizer()
    return (sanitizer.remark(text) or "" for text in texts)
