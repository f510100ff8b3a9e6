"""Format of infrastructure data: the `{"data", "meta"}` wrapper, times and amounts."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from starlette.responses import JSONResponse, Response

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
        return JSONResponse({"data": dict(result)}, status)
    if not isinstance(result, Page):
        items = list(result)
        result = Page(items, len(items), has_more=False)
    meta = {"cursor": result.cursor, "hasMore": result.has_more, "total": result.total}
    if result.request_id is not None:
        meta["requestId"] = result.request_id
    return JSONResponse({"data": [dict(item) for item in result.items], "meta": meta}, status)


def fields(record: object, names: str) -> dict[str, Any]:
    """Attributes of a record, as the API writes them: `sizeGb` on the wire is `size_gb` here."""
    return {
        name: _written(getattr(record, re.sub("[A-Z]", lambda m: "_" + m[0].lower(), name)))
        for name in names.split()
    }


def _written(value: object) -> object:
    if isinstance(value, datetime):
        return iso(value)
    return usd(value) if isinstance(value, Decimal) else value


def not_found(what: str, identifier: str) -> ApiError:
    """The 404 for an unknown id."""
    return ApiError(404, "not_found", f"There is no {what} `{identifier}` here.")


def conflict(message: str) -> ApiError:
    """The 409 for a request that the present state does not allow."""
    return ApiError(409, "conflict", message)


def iso(moment: datetime | None) -> str | None:
    """A time as the API writes it: UTC, milliseconds, `Z`."""
    if moment is None:
        return None
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def parse_time(text: str) -> datetime | None:
    """Read an ISO 8601 time with an offset; None when it is none or has no offset."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def usd(amount: Decimal | None) -> float | None:
    """An amount as a JSON number, to a millionth of a dollar."""
    return None if amount is None else float(amount.quantize(_MICRO))
