"""Lifetimes: after how long the server ends an instance or a job, as the response reports it.

A lifetime is requested so that something ends also when nobody terminates it. A response that
reports none, or another, shows that this end is not in force. The API may leave the field out,
which shows nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol, TypeVar

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


def checked_lifetime(
    started: Operation[T],
    minutes: object,
    resources: Callable[[T], Iterable[Limited | None]] = lambda one: [one],  # type: ignore[list-item] # what is started, unless a function says where it is
) -> Flow[T]:
    """Warn when what was started reports another lifetime than the one that was requested.

    Args:
        started: Starts it.
        minutes: The lifetime that was requested; nothing is compared without one.
        resources: Returns what was started from its result.

    Returns:
        The result, as it costs money.
    """
    result = yield from started
    for resource in resources(result):
        if resource is None or not isinstance(minutes, int):
            continue
        reported = resource.max_runtime_minutes
        if is_endless(resource):
            problem = "reports no end of its own: it may run and be charged until it is terminated"
        elif reported in (None, minutes):
            continue
        else:
            problem = f"reports a lifetime of {reported} minutes"
        warnings.warn(
            f"{resource.name!r} (`{resource.id}`) {problem}, although `max_runtime_minutes="
            f"{minutes}` was requested. Change its lifetime, or terminate it in time.",
            RuntimeWarning,
            stacklevel=2,
        )
    return result
