"""What a model is told when a picture, a recording or a film could not be made."""

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

_TELL: Final = "Stop, and tell the user."
_PAID: Final = "It may have been made and paid for: ask the user before making it again."
# The first that fits is said after the error's own message.
_ADVICE: Final[tuple[tuple[type[RuncrateError], str], ...]] = (
    (AmbiguousLaunchError, _PAID),
    (AuthenticationError, f"The key is not accepted. {_TELL}"),
    (PermissionDeniedError, f"The key lacks the permission. {_TELL}"),
    (InsufficientCreditsError, f"Only the user can add credits. {_TELL}"),
    (RateLimitError, "Wait before calling again, and make fewer calls."),
    (NotFoundError, f"What was asked for does not exist. {_TELL}"),
    (UnprocessableEntityError, "Change the arguments before calling again."),
    (InternalServerError, "Try again later; if it may have been charged, ask the user first."),
    (APIConnectionError, _PAID),
)


def explain_media_failure(error: Exception) -> str | None:
    """Return what a model may be told of an error, or `None` when it is the program's to handle.

    Args:
        error: What a flow of `MediaGenerator` raised. Notes on it, such as what was made before it
            failed, are told as well.
    """
    if isinstance(error, ConfigurationError):
        return None
    told = error.message if isinstance(error, RuncrateError) else explain_failure(error)
    if told is None:
        return None
    advice = next((text for kind, text in _ADVICE if isinstance(error, kind)), "")
    return " ".join(filter(None, (*_cleaned([told, *notes_of(error)]), advice)))


def notes_of(error: BaseException) -> list[str]:
    """Return the notes on an error."""
    notes: list[str] = getattr(error, "__notes__", [])
    return notes


def _cleaned(texts: Iterable[str]) -> Iterable[str]:
    cleaner = Sanitizer()
    return (cleaner.remark(text) or "" for text in texts)
