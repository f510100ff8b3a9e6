"""Format of infrastructure responses: the `{"data", "meta"}` wrapper, times, amounts, paging."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runcrate_emulator.bodies import refuse
from runcrate_emulator.errors import ApiError

if TYPE_CHECKING:
    from runcrate_emulator.infrastructure.records import Environment
    from runcrate_emulator.world import World

CREATED = 201
_MICRO = Decimal("0.000001")


class Scoped(Protocol):
    """Anything that belongs to an environment."""

    @property
    def environment_id(self) -> str:
        """The environment's id."""


S = TypeVar("S", bound=Scoped)


def world_of(request: Request) -> "World":
    """The world that a request is about."""
    world: World = request.app.state.world
    return world


def scope(request: Request) -> "Environment":
    """The environment that a request is about: its `environment` parameter or the default one.

    Raises:
        ApiError: 404 for a name that does not exist.
    """
    return world_of(request).environment(request.query_params.get("environment"))


def in_scope(request: Request, records: Mapping[str, S]) -> list[S]:
    """The records of the request's environment, newest first."""
    environment = scope(request)
    return [r for r in reversed(list(records.values())) if r.environment_id == environment.id]


def find(request: Request, records: Mapping[str, S], label: str) -> S:
    """The record that the path names by its id.

    Raises:
        ApiError: 404 when it does not exist in the request's environment.
    """
    identifier: str = request.path_params["id"]
    record = records.get(identifier)
    if record is None or record.environment_id != scope(request).id:
        raise not_found(label, identifier)
    return record


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


def one(data: Mapping[str, Any], status: int = 200) -> Response:
    """A single object (seed 001)."""
    return JSONResponse({"data": dict(data)}, status)


def many(
    items: Iterable[Mapping[str, Any]],
    *,
    total: int | None = None,
    cursor: str | None = None,
    has_more: bool = False,
    request_id: str | None = None,
) -> Response:
    """A list with its `meta`; an unpaged list is whole (`hasMore` false)."""
    data = [dict(item) for item in items]
    meta: dict[str, Any] = {
        "cursor": cursor,
        "hasMore": has_more,
        "total": len(data) if total is None else total,
    }
    if request_id is not None:
        meta["requestId"] = request_id
    return JSONResponse({"data": data, "meta": meta})


def nothing() -> Response:
    """204, for what was deleted."""
    return Response(status_code=204)


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


def usd(amount: Decimal | None) -> float | None:
    """An amount as a JSON number, to a millionth of a dollar."""
    return None if amount is None else float(amount.quantize(_MICRO))


def query_integer(request: Request, name: str, default: int, least: int, most: int) -> int:
    """Read a whole number from the query.

    Raises:
        ApiError: 400 `validation_error` when it is none, or out of range.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > len(str(2**63)):
        refuse(name, "must be a whole number")
    value = int(text)
    if not least <= value <= most:
        refuse(name, f"must be from {least} to {most}")
    return value


def query_choice(request: Request, name: str, choices: Sequence[str]) -> str | None:
    """Read one of a fixed set from the query.

    Raises:
        ApiError: 400 `validation_error` when it is none of them.
    """
    text = request.query_params.get(name)
    if text is not None and text not in choices:
        refuse(name, f"must be one of {', '.join(choices)}")
    return text


def parse_time(text: str) -> datetime | None:
    """Read an ISO 8601 time with an offset; None when it is none or has no offset."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def search_matches(request: Request, *texts: str) -> bool:
    """True if the `search` parameter occurs in one of the texts; true without one."""
    wanted = request.query_params.get("search", "").casefold()
    return any(wanted in text.casefold() for text in texts)
