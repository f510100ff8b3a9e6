"""Error texts for models: what happened and what to do next, without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

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
)

if TYPE_CHECKING:
    from collections.abc import Iterable

# The first that fits is said after the error's own message.
_ADVICE: Final[tuple[tuple[type[RuncrateError], str], ...]] = (
    (AmbiguousLaunchError, "Do not start another: list instances and jobs first."),
    (AuthenticationError, "The key is not accepted. Stop, and tell the user."),
    (PermissionDeniedError, "The key lacks the permission. Stop, and tell the user."),
    (InsufficientCreditsError, "Only the user can add credits. Stop, and tell the user."),
    (RateLimitError, "Wait before calling again, and make fewer calls."),
    (NotFoundError, "Check the identifier in a list."),
    (
        InternalServerError,
        "Try again later, or choose another GPU type or region if there is no capacity.",
    ),
    (APIConnectionError, "Check what runs before starting anything again."),
)


def explain_failure(error: Exception) -> str | None:
    """Return the error text for a model, or `None` if the program must handle it.

    Args:
        error: What a tool raised. Of an error that is neither of this library nor about a value
            that the model chose, it gets no text.
    """
    if isinstance(error, ConfigurationError):
        return None
    if isinstance(error, ValidationError):
        return f"The arguments are wrong: {'; '.join(_problems(error))}. Nothing was done."
    if isinstance(error, RuncrateError):
        advice = next((text for kind, text in _ADVICE if isinstance(error, kind)), "")
        return f"{Sanitizer().remark(error.message)} {advice}".strip()
    if isinstance(error, ValueError):
        return Sanitizer().remark(str(error))
    if isinstance(error, OSError):
        return "The file could not be saved. Tell the user."
    return None


def _problems(error: ValidationError) -> Iterable[str]:
    details = error.errors(include_input=False, include_url=False, include_context=False)
    for detail in details:
        where = ".".join(str(part) for part in detail["loc"])
        problem = detail["msg"].removeprefix("Value error, ")  # pydantic's, before words of ours
        yield f"`{where}`: {problem}" if where else problem
