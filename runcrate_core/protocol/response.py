"""Responses, or the reason why there is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from runcrate_core.errors import ResponseFormatError
from runcrate_core.protocol.large_values import LARGE, load_json
from runcrate_core.protocol.rate_limiter import RateLimit
from runcrate_core.protocol.redaction import public_headers, redact
from runcrate_core.protocol.unicode_text import may_hold_surrogates, valid_json

if TYPE_CHECKING:
    from runcrate_core.protocol.request import Request

# None of these is documented; they are what gateways commonly call it.
_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-amzn-requestid", "cf-ray")


class Failure(Enum):
    """The reason why there is no response."""

    CONNECT = "the connection could not be opened"
    CONNECT_TIMEOUT = "the connection could not be opened in time"
    PROXY_AUTH = "the proxy refuses its credentials (407)"
    POOL_TIMEOUT = "no connection of the pool became free in time"
    WRITE_TIMEOUT = "the request could not be sent in time"
    READ_TIMEOUT = "no response came in time"
    BROKEN = "the connection broke"
    UNREADABLE = "the response could not be decoded"


# In these cases the server has certainly not seen the request.
_NEVER_SENT = frozenset(
    {Failure.CONNECT, Failure.CONNECT_TIMEOUT, Failure.PROXY_AUTH, Failure.POOL_TIMEOUT}
)


@dataclass(frozen=True, slots=True)
class TransportFailure:
    """No response.

    Attributes:
        failure: The reason.
        note: What the HTTP library said, redacted.
    """

    failure: Failure
    note: str = ""

    @property
    def may_have_been_received(self) -> bool:
        """True if the server may have acted on the request."""
        return self.failure not in _NEVER_SENT


@dataclass(frozen=True, slots=True)
class Response:
    """A response that was read completely.

    Attributes:
        status: HTTP status.
        headers: Header names in lower case.
        body: Decoded body; of an error response at most the first 64 KiB.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def ok(self) -> bool:
        """True if the status is a success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the range of HTTP success

    @property
    def content_type(self) -> str:
        """Media type without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class ResponseInfo:
    """Metadata of a response, computed on access.

    Attributes:
        status: HTTP status.
    """

    __slots__ = ("_raw", "status")

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self._raw = headers

    @property
    def headers(self) -> dict[str, str]:
        """Response headers, names in lower case, without cookies."""
        return public_headers(self._raw)

    @property
    def request_id(self) -> str | None:
        """Identifier of the request for support, when there was one."""
        return request_id_of(self._raw)

    @property
    def rate_limit(self) -> RateLimit | None:
        """State of the key's rate limit, if the headers contain it (seed 000)."""
        return RateLimit.read(self._raw)

    def __repr__(self) -> str:
        return f"ResponseInfo(status={self.status}, request_id={self.request_id!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResponseInfo) and self.__reduce__() == other.__reduce__()

    __hash__ = None  # type: ignore[assignment] # holds headers, which are a dict

    def __reduce__(self) -> tuple[Any, ...]:
        return ResponseInfo, (self.status, self.headers)


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """Return the identifier that the server gave the request, if any; a key in it is redacted."""
    identifier = next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)
    return redact(identifier) if identifier else None


def json_value(response: Response, request: Request) -> Any:
    """Return the JSON value of a body, every text of it valid Unicode.

    Raises:
        ResponseFormatError: The body is not JSON. Its content is not shown.
    """
    try:
        value = (json.loads if len(response.body) <= LARGE else load_json)(response.body)
        return valid_json(value) if may_hold_surrogates(response.body) else value
    except (ValueError, RecursionError):
        kind = response.content_type or "no content type"
        problem = "is empty" if not response.body.strip() else f"is not JSON ({kind})"
        raise malformed(response, request, f"the body {problem}") from None


def json_object(response: Response, request: Request) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises:
        ResponseFormatError: The body is not a JSON object.
    """
    value = json_value(response, request)
    if not isinstance(value, dict):
        raise malformed(response, request, f"the body is a JSON {_json_kind(value)}, not an object")
    return value


def malformed(response: Response, request: Request, problem: str) -> ResponseFormatError:
    """Return the error for a response that is not what the API promises."""
    return ResponseFormatError(
        f"`{request.method} {request.route}` returned status {response.status}, but "
        f"{problem}. The response was not used. If the base URL is right, report this to the "
        "provider.",
        status_code=response.status,
        request_id=request_id_of(response.headers),
        idempotency_key=request.idempotency_key,
    )


def _json_kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
