"""Creating something once: a creation whose answer was lost is looked for by its name."""

from __future__ import annotations

import logging
from collections.abc import Callable
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
    from collections.abc import Iterable, Mapping

    from runcrate_core.protocol.steps import Call, Flow, Operation

logger = logging.getLogger("runcrate_core")

# It is looked for after each of these waits (seconds).
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


T = TypeVar("T")
F = TypeVar("F", bound=Findable)
# Looks for what was asked for at a moment of our clock; `None` when it is not found for certain.
Find = Callable[[datetime], "Flow[T | None]"]


@dataclass(frozen=True, slots=True)
class Creation(Generic[T]):
    """What is created, and how to find out whether it was.

    Attributes:
        what: The kind of thing, for messages (`instance`).
        look_up: The call with which a person looks for it.
        name: Its name, when it has one.
        find: Looks for it, when it can be found.
        is_paid: Whether it costs money, so that a loss must not be taken for a failure.
        asked_at: When it was asked for, by our clock.
    """

    what: str
    look_up: str
    name: str | None = None
    find: Find[T] | None = None
    is_paid: bool = True
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return self.what if self.name is None else f"{self.what} {self.name!r}"


def create_once(call: Call[T], creation: Creation[T]) -> Flow[T]:
    """Send a creation once and settle what happened when its answer is lost.

    Returns:
        What was created.

    Raises:
        AmbiguousLaunchError: The answer was lost, it costs money, and it was not found.
        RuncrateError: The creation failed, or was lost and costs nothing.
    """
    try:
        return (yield from _created_or_found(call, creation))
    except RuncrateError:
        raise
    except BaseException as interruption:
        note = _interrupted(creation, call.request.idempotency_key)
        interruption.add_note(note)
        logger.warning("%s", note)
        raise


def _created_or_found(call: Call[T], creation: Creation[T]) -> Flow[T]:
    try:
        return (yield from call)
    except (APIConnectionError, InternalServerError, ResponseFormatError) as error:
        if not is_ambiguous(error):
            raise
        lost = error
    if creation.find is not None:
        found = yield from creation.find(creation.asked_at)
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
        return error.may_have_been_received
    if isinstance(error, ResponseFormatError):
        return (error.status_code or 0) < _FIRST_REDIRECT  # a success that cannot be read
    refused = (error.code or "").lower() == _LAUNCH_REFUSED
    return error.status_code != _SERVICE_UNAVAILABLE and not refused


def by_name(
    name: str,
    candidates: Callable[[], Operation[Iterable[F]]],
    *,
    is_over: Callable[[F], bool] = lambda _: False,
) -> Find[F]:
    """Return how to find something by a name that was chosen for it.

    Args:
        name: The name.
        candidates: Makes the plan that lists where it would be.
        is_over: Whether a candidate has ended, and so cannot be the new one.

    Returns:
        A search that is repeated a few times, as a new thing may not be listed at once. What it
        finds has `recovered` set. Of several new ones of the name, none is taken for ours.
    """

    def find(asked_at: datetime) -> Flow[F | None]:
        for wait in RECONCILE_WAITS_S:
            yield Sleep(wait)
            try:
                listed = yield from candidates()
            except RuncrateError:
                listed = ()
            matches = [
                item
                for item in listed
                if item.name == name and not is_over(item) and _is_new(item, asked_at)
            ]
            if matches:
                alone = len(matches) == 1
                return matches[0].model_copy(update={"recovered": True}) if alone else None
        return None

    return find


def _is_new(item: Findable, asked_at: datetime) -> bool:
    return item.created_at is None or item.created_at >= asked_at - CLOCK_SKEW


def _unsettled(creation: Creation[Any], lost: RuncrateError) -> str:
    tried = "" if creation.find is None else ", and it could not be found for certain by its name"
    return (
        f"The request for the {creation.title} was sent, and its answer was lost "
        f"({lost.message}){tried}. It was not sent again, as what it started may yet appear and "
        f"be charged. Look for it with `{creation.look_up}` before asking for another."
    )


def _interrupted(creation: Creation[Any], key: str | None) -> str:
    known = "" if key is None else f" (idempotency key {key})"
    return (
        f"The {creation.title} may have been started{known}. Look for it with "
        f"`{creation.look_up}`, and end it if it is not wanted."
    )
