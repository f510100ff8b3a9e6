"""Format of infrastructure data: the `{"data", "meta"}` wrapper, times and amounts."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from runcrate_emulator.errors import ApiError

CREATED = 201
_MICRO = Decimal("0.000001")


@dataclass(frozen=True)
class Page:
    """A part of a list."""

    items: Iterable[Mapping[str, Any]]
    total: int
    has_more: bool
    cursor: str | None = None
    request_id: str | None = None


Result = Mapping[str, Any] | Iterable[Mapping[str, Any]] | Page | Response | None
"""A single object, a complete list, a page of one, a response as it is, or nothing (204)."""


def response_of(result: Result, status: int) -> Response:
    """A result in its wrapper (seed 001)."""
    if isinstance(result, Response):
        return result
    if result is None:
        return Response(status_code=204)
    if isinstance(result, Mapping):
        return _json({"data": result}, status)
    if not isinstance(result, Page):
        items = list(result)
        result = Page(items, len(items), has_more=False)
    meta = {"cursor": result.cursor, "hasMore": result.has_more, "total": result.total}
    if result.request_id is not None:
        meta["requestId"] = result.request_id
    return _json({"data": list(result.items), "meta": meta}, status)


def _json(body: Mapping[str, Any], status: int) -> Response:
    return Response(dumps(body), status, media_type="application/json")


def dumps(value: Any) -> bytes:
    """JSON with times and amounts as the API writes them."""
    return json.dumps(
        value, default=_written, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()


def _written(value: object) -> object:
    """A time in UTC with milliseconds and `Z`; an amount to a millionth of a dollar."""
    if isinstance(value, datetime):
        text = value.astimezone(UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return float(value.quantize(_MICRO))
    raise TypeError(f"{type(value).__name__} is not part of a response")


def fields(record: object, names: str) -> dict[str, Any]:
    """Attributes of a record under their names on the wire: `sizeGb` there is `size_gb` here."""
    return {
        name: getattr(record, re.sub("[A-Z]", lambda m: "_" + m[0].lower(), name))
        for name in names.split()
    }


def not_found(what: str, identifier: str) -> ApiError:
    """The 404 for an unknown id."""
    return ApiError(404, "not_found", f"There is no {what} `{identifier}` here.")


def conflict(message: str) -> ApiError:
    """The 409 for a request that the present state does not allow."""
    return ApiError(409, "conflict", message)


def parse_time(text: str) -> datetime | None:
    """Read an ISO 8601 time with an offset; None when it is none or has no offset."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
