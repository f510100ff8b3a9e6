"""From an error response to the error that is raised."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.errors import (
    APIConnectionError,
    APITimeoutError,
    ConfigurationError,
    RuncrateError,
    status_error_class,
)
from runcrate_core.protocol.chat_types import error_of
from runcrate_core.protocol.redaction import origin_of, public_headers, redact, redact_json
from runcrate_core.protocol.response import (
    Failure,
    Response,
    TransportFailure,
    malformed,
    request_id_of,
)
from runcrate_core.protocol.retry import (
    FIRST_SERVER_ERROR,
    PROXY_AUTHENTICATION_REQUIRED,
    retry_hint,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    402: "Add credits or raise the budget in the dashboard.",
    403: "Use a key with this permission, or ask an owner of the workspace.",
}
# Names the server that replied, where the emulator passed a chat request on to one.
_UPSTREAM_HEADER: Final = "x-runcrate-emulator-upstream"


# Codes that servers put into an error event stand for the status they would have sent.
_STATUS_OF_CODE: Final = {
    "authentication_error": 401,
    "bad_request": 400,
    "budget_exceeded": 402,
    "budget_reached": 402,
    "context_length_exceeded": 400,
    "engine_overloaded_error": 503,
    "forbidden": 403,
    "insufficient_credits": 402,
    "internal_error": 500,
    "internal_server_error": 500,
    "invalid_api_key": 401,
    "invalid_request_error": 400,
    "model_not_found": 404,
    "not_found": 404,
    "overloaded": 503,
    "overloaded_error": 503,
    "rate_limit_exceeded": 429,
    "rate_limited": 429,
    "server_error": 500,
    "service_unavailable": 503,
    "tool_use_failed": 400,
    "unauthorized": 401,
    "validation_error": 422,
}
_ERROR_STATUSES: Final = range(400, 600)
_STATUS_DIGITS: Final = 3
# Deeper than any gateway wraps the error of the next one.
_MAX_WRAPPERS: Final = 4


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The content of an error body of any known shape.

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
        """The code that decides about a retry, in lower case (codes differ in case, seed 001)."""
        reason = self.details.get("reason") if isinstance(self.details, dict) else None
        return (reason if isinstance(reason, str) else self.code or "").lower()


def parse_error_body(body: bytes, secrets: Sequence[str] = ()) -> ErrorBody:
    """Read an error body: both envelopes of the API, and what gateways send instead.

    Known are `{"error": {message, type, code}}` (seed 000), `{"error": {code, message,
    details}}` (seed 001), `{"error": "text"}` with or without a `message` next to it,
    `{"message": ...}`, `{"detail": ...}`, each of these within `{"detail": {...}}` or a list, and
    text.
    """
    text = body.decode("utf-8", "replace")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return ErrorBody(_shown("" if "<html" in text.lower() else text, secrets), None, None)
    if isinstance(parsed, list) and len(parsed) == 1:
        [parsed] = parsed
    if not isinstance(parsed, dict):
        return ErrorBody(_shown(text, secrets), None, None)
    inner = _innermost(parsed)
    error = inner.get("error")
    if error:
        texts = dict.fromkeys(_as_text(text) for text in (error, inner.get("message")) if text)
        return ErrorBody(_shown(": ".join(texts), secrets), _code(inner.get("code")), None)
    message = next((inner[key] for key in ("message", "detail") if inner.get(key)), "")
    return ErrorBody(
        message=_shown(_as_text(message), secrets),
        code=_code(inner.get("code")) or _code(inner.get("type")),
        details=redact_json(inner.get("details"), secrets),
    )


def _innermost(value: dict[str, Any]) -> dict[str, Any]:
    """Return the object that speaks of the error, without what gateways wrap it in."""
    for _ in range(_MAX_WRAPPERS):
        error, detail = value.get("error"), value.get("detail")
        if isinstance(error, dict) and error:
            value = error
        elif isinstance(detail, dict) and not error and not value.get("message"):
            value = detail
        else:
            break
    return value


def error_within_success(
    response: Response, value: Mapping[str, Any], request: Request
) -> RuncrateError | None:
    """Return the error that a response with a success status is, if it holds nothing else."""
    error, text = value.get("error"), response.body
    if "choices" in value or value.get("object") == "error":
        error = None if _says_anything(value) else error_of(value)
        text = json.dumps({"error": error}).encode()
    elif not {name for name, item in value.items() if item is not None} <= _ERROR_KEYS:
        return None
    if not error:
        return None
    body = parse_error_body(text)
    status = _known_status(body, error)
    if status is None:
        reason = body.message or "without a reason"
        return malformed(response, request, f"it holds nothing but an error: {reason}")
    return error_of_response(replace(response, status=status), request, body, attempts=1)


def raise_error_within(response: Response, value: Mapping[str, Any], request: Request) -> None:
    """Raise the error that a response with a success status is, if it holds nothing else."""
    error = error_within_success(response, value, request)
    if error is not None:
        raise error


def _says_anything(completion: Mapping[str, Any]) -> bool:
    choices = completion.get("choices")
    messages = [
        choice["message"]
        for choice in (choices if isinstance(choices, list) else ())
        if isinstance(choice, dict) and isinstance(choice.get("message"), dict)
    ]
    return any(message.get("content") or message.get("tool_calls") for message in messages)


# Members next to an error, where there is nothing but an error.
_ERROR_KEYS: Final = frozenset({"error", "status", "success", "ok", "message", "code", "meta"})


def status_of_error(error_body: ErrorBody, error: Any) -> int:
    """Return the HTTP status that an error event stands for; 500 when it reports none."""
    return _known_status(error_body, error) or FIRST_SERVER_ERROR


def _known_status(error_body: ErrorBody, error: Any) -> int | None:
    fields = error if isinstance(error, dict) else {}
    for value in (fields.get("status"), fields.get("status_code"), fields.get("code")):
        if (status := _status_in(value)) is not None:
            return status
    for name in (error_body.code, fields.get("type")):
        if isinstance(name, str) and name.lower() in _STATUS_OF_CODE:
            return _STATUS_OF_CODE[name.lower()]
    return None


def _status_in(value: object) -> int | None:
    # `int` refuses thousands of digits.
    if isinstance(value, str) and len(value) == _STATUS_DIGITS and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and value in _ERROR_STATUSES else None


def error_of_response(
    response: Response,
    request: Request,
    error_body: ErrorBody,
    *,
    attempts: int,
    why_not_repeated: str = "",
    secrets: Sequence[str] = (),
) -> RuncrateError:
    """Return the error for a response with an error status, or with a redirect."""
    if response.status in _REDIRECTS:
        target = origin_of(response.headers.get("location", "")) or "nowhere"
        return malformed(
            response,
            request,
            f"it redirects to {target}, and a redirect is not followed with the key",
        )
    if response.status == PROXY_AUTHENTICATION_REQUIRED:
        return proxy_refused(request)
    reason = error_body.message or "the response gives no reason"
    code = f", code `{error_body.code}`" if error_body.code else ""
    return status_error_class(response.status)(
        _sentence(
            f"`{request.method} {request.route}` was refused with status {response.status}{code}: "
            f"{reason}",
            _after(attempts, why_not_repeated),
            _next_step(response, error_body.code),
        ),
        status_code=response.status,
        code=error_body.code,
        details=error_body.details,
        request_id=request_id_of(response.headers),
        headers=public_headers(response.headers, secrets),
        retry_after=retry_hint(response.headers, response.status),
        attempts=attempts,
        idempotency_key=request.idempotency_key,
    )


def _next_step(response: Response, code: str | None) -> str:
    """Return the advice for an error; the key of an emulator's upstream is not the client's."""
    if code == "model_not_found":
        return "List the models with `client.models.list()` or `runcrate models list`."
    upstream = origin_of(response.headers.get(_UPSTREAM_HEADER, ""))
    if upstream and response.status in _NEXT_STEP:
        return (
            f"The error is of the emulator's chat upstream {upstream}: check the key that the "
            "emulator has for it (RUNCRATE_EMULATOR_UPSTREAM_KEY) and its account."
        )
    return _NEXT_STEP.get(response.status, "")


def error_of_failure(
    failure: TransportFailure, request: Request, *, attempts: int, why_not_repeated: str = ""
) -> RuncrateError:
    """Return the error for a request without a response."""
    if failure.failure is Failure.PROXY_AUTH:
        return proxy_refused(request)
    kind = APITimeoutError if failure.failure in _TIMEOUTS else APIConnectionError
    note = f" ({failure.note})" if failure.note else ""
    return kind(
        _sentence(
            f"`{request.method} {request.route}` got no response: {failure.failure.value}{note}",
            _after(attempts, why_not_repeated),
            _FAILURE_ADVICE.get(failure.failure, ""),
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


_UNREACHABLE: Final = "Check the URL and the network: `runcrate doctor` finds the cause."
_FAILURE_ADVICE: Final = {
    Failure.CONNECT: _UNREACHABLE,
    Failure.CONNECT_TIMEOUT: _UNREACHABLE,
    Failure.POOL_TIMEOUT: "Close streams that are no longer read (use them as context managers), "
    "or run fewer at once.",
}


def _after(attempts: int, why_not_repeated: str) -> str:
    times = f"Tried {attempts} times" if attempts > 1 else ""
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
