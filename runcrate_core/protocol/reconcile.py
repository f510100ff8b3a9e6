"""Create something once: a creation whose response was lost is looked up by name, never retried."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, Self, TypeVar

from runcrate_core.errors import AmbiguousLaunchError, ResponseFormatError, RuncrateError
from runcrate_core.protocol.http_date import server_time
from runcrate_core.protocol.identifiers import is_usable
from runcrate_core.protocol.steps import Call, Now, Sleep

if TYPE_CHECKING:
    from runcrate_core.protocol.response import Response
    from runcrate_core.protocol.steps import Flow

logger = logging.getLogger("runcrate_core")

# It is looked up after each of these waits (seconds).
RECONCILE_WAITS_S: Final = (1.0, 3.0, 6.0)
# HTTP dates and some times of creation are cut to the second.
CLOCK_GRANULARITY: Final = timedelta(seconds=1)
_FIRST_REDIRECT: Final = 300
# The request was acted on, and the result is at another URL (RFC 9110).
_ELSEWHERE: Final = 303


class Findable(Protocol):
    """A resource that can be found again: it has a name and a time of creation."""

    id: str
    name: str
    created_at: datetime | None

    def model_copy(self, *, update: Mapping[str, Any] | None = ..., deep: bool = ...) -> Self:
        """Return a copy with changed fields."""
        ...


T = TypeVar("T")
F = TypeVar("F", bound=Findable)
# Looks up what was requested so many monotonic seconds ago; `None` when none is certainly ours.
Find = Callable[[float], "Flow[T | None]"]


@dataclass(frozen=True, slots=True)
class Creation(Generic[T]):
    """A resource to create, and how to find out whether it was created.

    Attributes:
        label: The kind of resource, for messages (`instance`).
        look_up: The call with which a person looks it up.
        name: Its name, when it has one.
        find: Looks it up, when that is possible.
        is_paid: It costs money, so that a lost response must not be taken for a failure.
    """

    label: str
    look_up: str
    name: str | None = None
    find: Find[T] | None = None
    is_paid: bool = True

    @property
    def title(self) -> str:
        """Kind and name, for messages."""
        return self.label if self.name is None else f"{self.label} {self.name!r}"


def create_once(call: Call[T], creation: Creation[T]) -> Flow[T]:
    """Send a creation, and look up its outcome when the response is lost.

    Returns:
        The created resource.

    Raises:
        AmbiguousLaunchError: One of the attempts may have created it, it costs money, and it was
            not found.
        RuncrateError: It was certainly not created, or the outcome is unknown and costs nothing.
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
    sent_at = yield from Now()
    try:
        created = yield from call
        if is_usable(getattr(created, "id", "none")):
            return created
        lost: RuncrateError = ResponseFormatError(
            f"`{call.request.method} {call.request.route}` returned no usable identifier.",
            may_have_been_received=True,
        )
    except RuncrateError as error:
        if not is_ambiguous(error):
            raise
        lost = error
    if creation.find is not None:
        resource = yield from creation.find(sent_at)
        if resource is not None:
            return resource
    if not creation.is_paid:
        raise lost
    raise AmbiguousLaunchError(
        _unsettled(creation, lost),
        name=creation.name,
        idempotency_key=call.request.idempotency_key,
        status_code=lost.status_code,
        code=lost.code,
        request_id=lost.request_id,
        retry_after=lost.retry_after,
        attempts=lost.attempts,
        may_have_been_received=True,
    )


def is_ambiguous(error: RuncrateError) -> bool:
    """Return whether a creation that failed so may have succeeded, by any attempt."""
    if isinstance(error, ResponseFormatError):
        status = error.status_code or 0
        if status < _FIRST_REDIRECT or status == _ELSEWHERE:
            return True  # a success that cannot be read
    return error.may_have_been_received


def by_name(
    name: str,
    listing: Callable[[], Call[list[F]]],
    *,
    is_unique: bool = False,
    matches: Callable[[F], bool] = lambda _: True,
) -> Find[F]:
    """Return a function that finds a resource by its name.

    Args:
        name: The name.
        listing: Makes the call that lists where it would be.
        is_unique: The name was made for this creation alone, so whatever has it is ours.
            Otherwise only what was created after the request, by the clock of the server, is.
        matches: Returns whether the fields of a candidate are those that were sent.

    Returns:
        A lookup that is retried a few times, as a new resource may not be listed at once. Its
        result has `recovered` set. Of several candidates, none is taken for ours.
    """

    def find(sent_at: float) -> Flow[F | None]:
        for wait in RECONCILE_WAITS_S:
            yield Sleep(wait)
            try:
                listed, server_now = yield from _dated(listing())
            except RuncrateError:
                continue
            elapsed = timedelta(seconds=(yield from Now()) - sent_at)
            since = None if server_now is None else server_now - elapsed - CLOCK_GRANULARITY
            candidates = {  # by identifier, as pages may repeat some
                item.id: item
                for item in listed
                if same(name, item.name)
                and matches(item)
                and (is_unique or _is_created_since(item, since))
            }
            if candidates:
                [item, *others] = candidates.values()
                return None if others else item.model_copy(update={"recovered": True})
        return None

    return find


def same(sent: object, received: object) -> bool:
    """Return whether a field of a response can be the one that was sent; an unknown one matches."""
    if sent is None or received is None:
        return True
    if isinstance(sent, str) and isinstance(received, str):
        return sent.strip().casefold() == received.strip().casefold()
    return bool(sent == received)


def _dated(call: Call[T]) -> Call[tuple[T, datetime | None]]:
    def parse(response: Response) -> tuple[T, datetime | None]:
        return call.parse(response), server_time(response.headers)

    return Call(call.request, parse)


def _is_created_since(item: Findable, since: datetime | None) -> bool:
    return since is not None and item.created_at is not None and item.created_at >= since


def _unsettled(creation: Creation[Any], lost: RuncrateError) -> str:
    tried = "" if creation.find is None else ", and it could not be found for certain by its name"
    return (
        f"The request for the {creation.title} was sent, and it is not known whether it was "
        f"received ({lost.message}){tried}. It may yet appear and be charged. Look it up with "
        f"`{creation.look_up}` before requesting another."
    )


def _interrupted(creation: Creation[Any], key: str | None) -> str:
    known = "" if key is None else f" (idempotency key {key})"
    return (
        f"The {creation.title} may have been started{known}. Look it up with "
        f"`{creation.look_up}`, and terminate it if it is not wanted."
    )
