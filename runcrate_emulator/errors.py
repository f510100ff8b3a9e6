"""The one exception that endpoints raise, and the two envelopes it is rendered into.

The inference API has OpenAI's form `{"error": {"message", "type", "code"}}` (seed 000), the
infrastructure API `{"error": {"code", "message", "details"?}}` (seed 001).
"""

from collections.abc import Mapping
from typing import Any, Literal

Surface = Literal["inference", "infrastructure", "page"]
"""The API of a path; `page` is everything that the emulator adds."""

_PREFIXES: Mapping[Surface, str] = {"inference": "/v1", "infrastructure": "/api/v1"}
_RATE_LIMITED = 429
_SERVER_ERROR = 500


class ApiError(Exception):
    """A refusal with the status, code and message that the service documents for it.

    Args:
        status: HTTP status code.
        code: Machine-readable code, for example `not_found`.
        message: What happened, what was not done, and the next safe step.
        details: Extra facts about the error, for example `{"field": "name"}`.
        headers: Extra response headers, for example `Retry-After`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = None if details is None else dict(details)
        self.headers = dict(headers or {})


def surface_and_route(path: str) -> tuple[Surface, str]:
    """Split a path: `/api/v1/instances` and `/v1/videos` become `/instances` and `/videos`."""
    for surface, prefix in _PREFIXES.items():
        if path.startswith(prefix + "/"):
            return surface, path.removeprefix(prefix)
    return "page", path


def envelope(error: ApiError, surface: Surface) -> dict[str, Any]:
    """Render an error as the JSON body of its surface."""
    body: dict[str, Any]
    if surface == "inference":
        kind = "server_error" if error.status >= _SERVER_ERROR else "invalid_request_error"
        kind = "rate_limit_error" if error.status == _RATE_LIMITED else kind
        body = {"message": error.message, "type": kind, "code": error.code}
    else:
        body = {"code": error.code, "message": error.message}
    if error.details is not None:
        body["details"] = error.details
    return {"error": body}


def invalid(field: str, message: str, status: int = 400) -> ApiError:
    """Build the error about one field of a body.

    Args:
        field: Path of the field, as `messages[0].role`.
        message: The problem, to follow the name of the field.
        status: 400 for a missing field or one of a wrong form, 422 for one out of its range.
    """
    return ApiError(status, "validation_error", f"`{field}` {message}", details={"field": field})
