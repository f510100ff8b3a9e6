"""Requests as data: frozen, complete, and the same bytes each time they are sent."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

from runcrate_core.protocol.identifiers import path_segment
from runcrate_core.protocol.json_body import encode_json
from runcrate_core.protocol.timeouts import Timeout, TimeoutLike

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Surface(Enum):
    """The API that a request goes to, or another host, which never sees the key."""

    INFERENCE = "inference"
    INFRASTRUCTURE = "infrastructure"
    EXTERNAL = "external"


class RetrySafety(Enum):
    """Retry safety of a request: when it may be retried. Every request declares it.

    * `SAFE`: after 408, 429, 5xx (but 501 and 505) and any transport failure.
    * `KEYED`: the same, with the same idempotency key and the same bytes.
    * `NEVER`: only when it was certainly not acted on (429, 503, a connection never opened).
    """

    SAFE = "safe"
    KEYED = "keyed"
    NEVER = "never"


class ReadTimeout(Enum):
    """Read timeout of a request: seconds of silence.

    The slow routes follow the official SDK 0.5.0, which knows the server's own limits.
    """

    ORDINARY = 60.0
    STREAM = 0.0  # the client's own `stream_idle_timeout` applies
    CHAT = 600.0  # a long or a reasoning response that is not streamed
    MEDIA = 300.0  # an image, speech or a transcription is made while the caller waits
    LAUNCH = 90.0  # the server may take 60 s
    JOB = 150.0  # the server may take 120 s
    JOB_GROUP = 330.0  # the server may take 300 s
    FOLLOW = 45.0  # the server holds a log request for at most 25 s
    TRANSFER = 120.0  # between two pieces of a file


# A day, in which the server remembers an idempotency key (official SDK 0.5.0).
IDEMPOTENCY_WINDOW_S: Final = 86_400

QueryValue = str | int | float | bool | None


class FileSource(Protocol):
    """A file to send: opened again for each attempt, so that a retry sends all of it."""

    def open(self) -> BinaryIO:
        """Return the content, to be read from its beginning."""
        ...

    def size(self) -> int:
        """Return the length in bytes."""
        ...


# A body is one part, or several in sequence, of which some are read from files.
Content = bytes | tuple[bytes | FileSource, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent; neither the key nor the host is part of it.

    Attributes:
        surface: Which API it belongs to.
        method: HTTP method.
        path: Encoded path below the version part, or the complete URL for `EXTERNAL`.
        route: The path with placeholders, for logs, errors and hooks (`/instances/{instance_id}`).
        retry: When it may be retried.
        patience: Which read timeout applies.
        query: Query parameters, in order.
        content: The encoded body; files in it are streamed from disk.
        content_type: Media type of `content`.
        headers: Further headers.
        idempotency_key: Sent as `Idempotency-Key`; minted once for each logical call.
        timeout: Limits that override `read_timeout`, when the caller gave them (as seconds, or in
            one of the forms of `Timeout.of`).
    """

    surface: Surface
    method: str
    path: str
    route: str
    retry: RetrySafety
    read_timeout: ReadTimeout = ReadTimeout.ORDINARY
    query: tuple[tuple[str, str], ...] = ()
    content: Content | None = None
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    idempotency_key: str | None = None
    timeout: float | TimeoutLike | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "timeout", Timeout.of(self.timeout))

    def __repr__(self) -> str:
        # Bodies hold prompts and environment values, external paths hold signatures.
        return f"Request({self.method} {self.route}, {self.surface.value}, {self.retry.value})"


def json_request(
    surface: Surface,
    method: str,
    path: str,
    *,
    retry: RetrySafety,
    route: str | None = None,
    read_timeout: ReadTimeout = ReadTimeout.ORDINARY,
    query: Mapping[str, QueryValue | Sequence[str]] | None = None,
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
    timeout: float | TimeoutLike | None = None,
) -> Request:
    """Make a request with an optional JSON body, encoded now.

    Raises:
        ValueError: A value of the body is not JSON, or a header is not printable ASCII.
    """
    return Request(
        surface=surface,
        method=method,
        path=path,
        route=route or path,
        retry=retry,
        read_timeout=read_timeout,
        query=query_pairs(query or {}),
        content=None if body is None else encode_json(body),
        content_type=None if body is None else "application/json",
        headers=header_pairs(headers or {}),
        idempotency_key=idempotency_key,
        timeout=timeout,
    )


def infrastructure_request(
    method: str,
    route: str,
    retry: RetrySafety,
    *,
    identifiers: Mapping[str, str] | None = None,
    **options: Any,
) -> Request:
    """Make a request to the infrastructure API.

    Args:
        method: HTTP method.
        route: Path with placeholders, such as `/jobs/{job_id}/logs`.
        retry: When it may be retried.
        identifiers: What stands for each placeholder; each is encoded as one path segment.
        options: The other arguments of `json_request`.

    Raises:
        ValueError: An identifier is none, or a value of the body is not JSON.
    """
    segments = {name: path_segment(value, name) for name, value in (identifiers or {}).items()}
    return json_request(
        Surface.INFRASTRUCTURE,
        method,
        route.format(**segments),
        route=route,
        retry=retry,
        **options,
    )


def query_pairs(query: Mapping[str, QueryValue | Sequence[str]]) -> tuple[tuple[str, str], ...]:
    """Return query parameters as text; `None` is left out, a sequence repeats its name."""
    return tuple(_each_pair(query))


def _each_pair(query: Mapping[str, QueryValue | Sequence[str]]) -> Iterator[tuple[str, str]]:
    for name, value in query.items():
        match value:
            case None:
                continue
            case bool():
                yield name, "true" if value else "false"
            case str() | int() | float():
                yield name, str(value)
            case _:
                yield from ((name, item) for item in value)


def header_pairs(headers: Mapping[Any, Any]) -> tuple[tuple[str, str], ...]:
    """Return checked headers.

    Raises:
        ValueError: A name or value is not one line of printable text. The value is not shown.
    """
    if not isinstance(headers, Mapping):
        raise ValueError(  # noqa: TRY004 - as of other bad headers
            f"Headers must be a dict of names and values, not a `{type(headers).__name__}`. "
            "Nothing was sent."
        )
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ValueError(  # noqa: TRY004 - callers handle every bad header as one class
                f"The header {name!r} must have a name and a value as text. Nothing was sent."
            )
        if not name or not all("!" <= character <= "~" for character in name):
            raise ValueError(f"The header name {name!r} is not a token. Nothing was sent.")
        if not all(character == "\t" or " " <= character <= "~" for character in value):
            raise ValueError(
                f"The value of the header `{name}` has characters that a header cannot carry. "
                "Nothing was sent."
            )
    return tuple(headers.items())


def new_idempotency_key() -> str:
    """Mint a key for one logical call."""
    return str(uuid.uuid4())


def timestamp(value: datetime | str, argument: str) -> str:
    """Return a time as the API reads it: ISO 8601 in UTC with milliseconds and `Z`.

    Raises:
        ValueError: It has no time zone, so what moment is meant cannot be known; or it is a text
            that is not a time, or something else, such as a date.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError(
                f"`{argument}` must be a time with an offset, such as 2026-10-21T02:00:00+01:00 "
                f"or 2026-10-21T01:00:00Z, not {value!r}. Nothing was sent."
            ) from None
    if not isinstance(value, datetime):
        raise ValueError(  # noqa: TRY004 - as of other wrong times
            f"`{argument}` must be a datetime or a text, not a `{type(value).__name__}`. Nothing "
            "was sent."
        )
    if value.utcoffset() is None:
        raise ValueError(
            f"`{argument}` has no time zone, so the time is ambiguous. Give a "
            "datetime with a `tzinfo`, or a text with an offset. Nothing was sent."
        )
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def money(value: Decimal | float | str, argument: str) -> int | float:
    """Return an amount in USD as a JSON number.

    Raises:
        ValueError: It is not a finite amount.
    """
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        raise ValueError(f"`{argument}` is not an amount of money. Nothing was sent.") from None
    if not amount.is_finite():
        raise ValueError(f"`{argument}` is not a finite amount of money. Nothing was sent.")
    return int(amount) if amount == amount.to_integral_value() else float(amount)
