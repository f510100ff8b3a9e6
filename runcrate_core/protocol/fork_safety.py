"""Fork safety: what a child process must not inherit from its parent's threads.

A lock that another thread held during the fork stays locked in the child for good, and calls that
were under way in the parent never end there. So such objects start again in the child.
"""

from __future__ import annotations

import os
import weakref
from typing import Final, Protocol


class ForkAware(Protocol):
    """An object with locks or counters that are of one process."""

    def start_again(self) -> None:
        """Return to the state of a new object, with new locks."""
        ...


_objects: Final[weakref.WeakSet[ForkAware]] = weakref.WeakSet()


def start_again_after_fork(instance: ForkAware) -> None:
    """Let an object start again in each child process, before any of the child's code runs."""
    _objects.add(instance)


def _start_again() -> None:
    for instance in tuple(_objects):
        instance.start_again()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_start_again)
