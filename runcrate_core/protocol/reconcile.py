"""Creating something once: a creation whose answer was lost is looked for by its name."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, Self, TypeVar

from runcrate_core.errors import (
    AmbiguousLaunchError,
    APIConnectionError,
    InternalServerError,
    ResponseFormatError,
    RuncrateError,
)
from runcrate_core.protocol.steps import Sleep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from runcrate_core.protocol.steps import Call, Flow, Plan

logger = logging.getLogger("runcrate_core")

# How often, and how far apart in seconds, it is looked for.
RECONCILE_WAITS_S: Final = (1.0, 3.0, 6.0)
# The server's clock and ours may differ so much when what is found is compared with the call.
CLOCK_SKEW: Final = timedelta(minutes=2)

_FIRST_REDIRECT: Final = 300
_SERVICE_UNAVAILABLE: Final = 503
_LAUNCH_REFUSED: Final = "launch_refused"


class Findable(Protocol):
    """What can be found again: it has a name and knows when it was made."""

    name: str
    created_at: datetime | None

    def model_copy(self, *, update: Mapping[str, Any] | None = ..., deep: bool = ...) -> Self:
        """Return a copy with changed fields."""
        ...


F = TypeVar("F", bound=Findable)


@dataclass(frozen=True, slots=True)
class Creation(Generic[F]):
    """What is created, and how to find out whether it was.

    Attributes:
        what: The kind of thing, for messages (`instance`).
        name: Its name; without one it cannot be found again.
        candidates: Makes the plan that lists where it would be.
        look_up: The call with which a person looks for it.
        is_paid: Whether it costs money, so that a loss must not be taken for a failure.
        is_over: Whether a candidate has ended, and so cannot be the new one.
        asked_at: When it was asked for, by our clock.
    """

    what: str
    name: str | None
    candidates: Callable[[], Plan[Iterable[F]]]
    look_up: str
    is_paid: bool = True
    is_over: Callable[[F], bool] = field(default=lambda _: False)
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))


def create_once(call: Call[F], creation: Creation[F]) -> Flow[F]:
    """Send a creation once and settle what happened when its answer is lost.

    Returns:
        What was created; with `recovered` set when it was found again by its name.

    Raises:
        AmbiguousLaunchError: The answer was lost, it costs money, and it was not found.
        RuncrateError: The creation failed, or was lost and costs nothing.
    """
    try:
        return (yield from call)
    except (APIConnectionError, InternalServerError, ResponseFormatError) as error:
        if not is_ambiguous(error):
            raise
        lost = error
    except RuncrateError:
        raise
    except BaseException as interruption:
        note = _interrupted(creation, call.request.idempotency_key)
        interruption.add_note(note)
        logger.warning("%s", note)
        raise
    found = yield from _found_again(creation)
    if found is not None:
        return found
    if not creation.is_paid:
        raise lost
    raise AmbiguousLaunchError(
        _unsettled(creation, lost),
        name=creation.name,
        idempotency_key=call.request.idempotency_key,
        status_code=lost.status_code,
        request_id=lost.request_id,
        attempts=lost.attempts,
    )


def is_ambiguous(error: RuncrateError) -> bool:
    """Return whether a creation that failed so may have been carried out."""
    if isinstance(error, APIConnectionError):
        return error.may_have_arrived
    if isinstance(error, ResponseFormatError):
        return (error.status_code or 0) < _FIRST_REDIRECT  # a success that cannot be read
    refused = (error.code or "").lower() == _LAUNCH_REFUSED
    return error.status_code != _SERVICE_UNAVAILABLE and not refused


def _found_again(creation: Creation[F]) -> Flow[F | None]:
    if creation.name is None:
        return None
    for wait in RECONCILE_WAITS_S:
        try:
            candidates = yield from creation.candidates()
        except RuncrateError:
            candidates = ()
        matches = [item for item in candidates if _may_be(item, creation)]
        if len(matches) == 1:
            return matches[0].model_copy(update={"recovered": True})
        if matches:
            return None  # several of this name are new, and which is ours cannot be known
        yield Sleep(wait)
    return None


def _may_be(item: F, creation: Creation[F]) -> bool:
    if item.name != creation.name or creation.is_over(item):
        return False
    created = item.created_at
    if created is None:
        return True
    created = created if created.tzinfo else created.replace(tzinfo=UTC)
    return created >= creation.asked_at - CLOCK_SKEW


def _named(creation: Creation[Any]) -> str:
    return creation.what if creation.name is None else f"{creation.what} {creation.name!r}"


def _unsettled(creation: Creation[Any], lost: RuncrateError) -> str:
    tried = (
        "has no name to be found by"
        if creation.name is None
        else "could not be found for certain by its name"
    )
    return (
        f"The request for the {_named(creation)} was sent, its answer was lost ({lost.message}), "
        f"and what it makes {tried}. It was not sent again, as it may yet appear and be charged. "
        f"Look for it with `{creation.look_up}` before asking for another."
    )


def _interrupted(creation: Creation[Any], key: str | None) -> str:
    known = "" if key is None else f" (idempotency key {key})"
    return (
        f"The {_named(creation)} may have been made{known}. Look for it with "
        f"`{creation.look_up}`, and end it if it is not wanted."
    )
