"""From an error answer to the error that is raised."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.errors import (
    APIConnectionError,
    APITimeoutError,
    ConfigurationError,
    RuncrateError,
    status_error_class,
)
from runcrate_core.protocol.redaction import origin_of, public_headers, redact, redact_json
from runcrate_core.protocol.response import (
    Failure,
    Response,
    TransportFailure,
    malformed,
    request_id_of,
)
from runcrate_core.protocol.retry import PROXY_AUTHENTICATION_REQUIRED, retry_hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcrate_core.protocol.request import Request

# A server's own words in a message; more is a page of HTML, not an explanation.
MAX_MESSAGE_LENGTH: Final = 500
_REDIRECTS = range(300, 400)
_TIMEOUTS = frozenset(
    {Failure.CONNECT_TIMEOUT, Failure.READ_TIMEOUT, Failure.WRITE_TIMEOUT, Failure.POOL_TIMEOUT}
)
# What to do next, for the mistakes that a newcomer makes.
_NEXT_STEP: Final = {
    401: "Check the key (RUNCRATE_API_KEY): it may be wrong, deactivated or of another workspace.",
    402: "Add credits or raise the budget in the dashboard; nothing was started.",
    403: "Use a key with this permission, or ask an owner of the workspace.",
}


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error answer says, whichever of the known shapes it has.

    Attributes:
        message: The server's explanation, redacted and cut to `MAX_MESSAGE_LENGTH`; may be empty.
        code: Machine-readable code, as sent.
        details: Structured context, redacted.
    """

    message: str
    code: str | None
    details: Any

    @property
    def decisive_code(self) -> str:
        """The code that decides about repeating, in lower case (codes differ in case, seed 001)."""
        reason = self.details.get("reason") if isinstance(self.details, dict) else None
        return (reason if isinstance(reason, str) else self.code or "").lower()


def parse_error_body(body: bytes, secrets: Sequence[str] = ()) -> ErrorBody:
    """Read an error body: both envelopes of the API, and what gateways answer instead.

    Known are `{"error": {message, type, code}}` (seed 000), `{"error": {code, message,
    details}}` (seed 001), `{"error": "text"}` with or without a `message` beside it,
    `{"message": ...}`, `{"detail": ...}` and text.
    """
    text = body.decode("utf-8", "replace")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return ErrorBody(_shown("" if "<html" in text.lower() else text, secrets), None, None)
    if not isinstance(parsed, dict):
        return ErrorBody(_shown(text, secrets), None, None)
    inner = parsed.get("error") or parsed
    if not isinstance(inner, dict):
        said = dict.fromkeys(_as_text(told) for told in (inner, parsed.get("message")) if told)
        return ErrorBody(_shown(": ".join(said), secrets), _code(parsed.get("code")), None)
    message = next((inner[key] for key in ("message", "detail") if inner.get(key)), "")
    return ErrorBody(
        message=_shown(_as_text(message), secrets),
        code=_code(inner.get("code")) or _code(inner.get("type")),
        details=redact_json(inner.get("details"), secrets),
    )


def error_of_response(
    answer: Response,
    request: Request,
    refusal: ErrorBody,
    *,
    attempts: int,
    why_not_repeated: str = "",
    secrets: Sequence[str] = (),
) -> RuncrateError:
    """Return the error for an answer with an error status, or with a redirect."""
    if answer.status in _REDIRECTS:
        target = origin_of(answer.headers.get("location", "")) or "nowhere"
        return malformed(
            answer,
            request,
            f"it redirects to {target}, and a redirect is not followed with the key",
        )
    if answer.status == PROXY_AUTHENTICATION_REQUIRED:
        return proxy_refused(request)
    said = refusal.message or "the answer gives no reason"
    code = f", code `{refusal.code}`" if refusal.code else ""
    return status_error_class(answer.status)(
        _sentence(
            f"`{request.method} {request.route}` was refused with status {answer.status}{code}: "
            f"{said}",
            _after(attempts, why_not_repeated),
            _NEXT_STEP.get(answer.status, ""),
        ),
        status_code=answer.status,
        code=refusal.code,
        details=refusal.details,
        request_id=request_id_of(answer.headers),
        headers=public_headers(answer.headers, secrets),
        retry_after=retry_hint(answer.headers, answer.status),
        attempts=attempts,
        idempotency_key=request.idempotency_key,
    )


def error_of_failure(
    failure: TransportFailure, request: Request, *, attempts: int, why_not_repeated: str = ""
) -> RuncrateError:
    """Return the error for a request without an answer."""
    if failure.failure is Failure.PROXY_AUTH:
        return proxy_refused(request)
    kind = APITimeoutError if failure.failure in _TIMEOUTS else APIConnectionError
    note = f" ({failure.note})" if failure.note else ""
    return kind(
        _sentence(
            f"`{request.method} {request.route}` got no answer: {failure.failure.value}{note}",
            _after(attempts, why_not_repeated),
            _POOL_ADVICE if failure.failure is Failure.POOL_TIMEOUT else "",
        ),
        attempts=attempts,
        idempotency_key=request.idempotency_key,
        may_have_been_received=failure.may_have_been_received,
    )


def proxy_refused(request: Request) -> ConfigurationError:
    """Return the error for a proxy that asks for credentials: the API never saw the request."""
    return ConfigurationError(
        f"`{request.method} {request.route}` did not reach the API: the proxy refuses the "
        "credentials it was given, or was given none (407). Put them into HTTPS_PROXY, HTTP_PROXY "
        "or ALL_PROXY (`http://user:password@proxy:port`), or into the `http_client` you pass.",
        status_code=PROXY_AUTHENTICATION_REQUIRED,
        attempts=1,
        idempotency_key=request.idempotency_key,
    )


_POOL_ADVICE: Final = (
    "Close streams that are no longer read (use them as context managers), or run fewer at once."
)


def _after(attempts: int, why_not_repeated: str) -> str:
    times = f"Sent {attempts} times" if attempts > 1 else ""
    if not why_not_repeated:
        return times
    return f"{times}; {why_not_repeated}" if times else why_not_repeated


def _sentence(*parts: str) -> str:
    ended = [part if part.endswith((".", "!", "?")) else f"{part}." for part in parts if part]
    return " ".join(part[0].upper() + part[1:] for part in ended)


def _shown(text: str, secrets: Sequence[str]) -> str:
    text = redact(" ".join(text.split()), secrets)
    return text if len(text) <= MAX_MESSAGE_LENGTH else f"{text[: MAX_MESSAGE_LENGTH - 1]}…"


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _code(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None
