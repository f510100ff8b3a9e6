"""Lifetimes: after how long the server ends an instance or a job, as the response reports it.

A lifetime is requested so that something ends also when nobody terminates it. A response that
reports none, or another, shows that this end is not in force. The API may leave the field out,
which shows nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from runcrate_core.protocol.steps import Flow, Operation

T = TypeVar("T")


class Limited(Protocol):
    """An instance, a job, or a schedule that starts such."""

    id: str
    name: str
    max_runtime_minutes: int | None

    @property
    def model_fields_set(self) -> set[str]:
        """Names of the fields that the response has."""
        ...


def is_endless(resource: Limited) -> bool:
    """Return whether the response reports that a resource has no lifetime (null is off)."""
    is_reported = "max_runtime_minutes" in resource.model_fields_set
    return is_reported and (resource.max_runtime_minutes or 0) <= 0


def warn_of_another(resource: Limited, minutes: object) -> None:
    """Warn when a resource reports another lifetime than the one that was requested.

    Args:
        resource: What was started; it is used as it is, as it costs money.
        minutes: The lifetime that was requested; nothing is compared without one.
    """
    if not isinstance(minutes, int):
        return
    if is_endless(resource):
        problem = "no end of its own: it may run and be charged until it is terminated"
    elif resource.max_runtime_minutes in (None, minutes):
        return
    else:
        problem = f"a lifetime of {resource.max_runtime_minutes} minutes"
    warnings.warn(
        f"{resource.name!r} (`{resource.id}`) reports {problem}, although `max_runtime_minutes="
        f"{minutes}` was requested. Change its lifetime, or terminate it in time.",
        RuntimeWarning,
        stacklevel=2,
    )


def _alone(resource: Any) -> list[Any]:
    return [resource]


def checked_lifetime(
    started: Operation[T],
    minutes: object,
    resources: Callable[[T], Iterable[Limited]] = _alone,
) -> Flow[T]:
    """Start something, and compare the lifetime that it reports with the requested one.

    Args:
        started: Starts it.
        minutes: The lifetime that was requested.
        resources: Returns the resources of the result, which is one itself when not given.
    """
    result = yield from started
    for resource in resources(result):
        warn_of_another(resource, minutes)
    return result
