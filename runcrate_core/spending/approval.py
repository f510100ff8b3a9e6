"""Approval: the callback that is asked before anything that costs money."""

from __future__ import annotations

import functools
import inspect
from functools import partial
from typing import TYPE_CHECKING

from runcrate_core.errors import SpendRefusedError
from runcrate_core.protocol.steps import InvokeCallback, RunInThread

if TYPE_CHECKING:
    from runcrate_core.protocol.steps import Flow
    from runcrate_core.spending.plans import ApproveCallback, Proposal


class Approval:
    """Asks the user's callback.

    Args:
        approve: The callback; without one everything is approved.
    """

    def __init__(self, approve: ApproveCallback | None) -> None:
        self._approve = approve

    @property
    def is_required(self) -> bool:
        """There is a callback. What it took time to approve must be checked again."""
        return self._approve is not None

    def require(self, proposal: Proposal) -> Flow[None]:
        """Return when a proposal is approved.

        Raises:
            SpendRefusedError: The callback returned anything but `True`.
        """
        approve = self._approve
        if approve is None:
            return
        approved = yield from RunInThread(partial(approve, proposal))
        if inspect.isawaitable(approved):
            pending = approved
            approved = yield InvokeCallback(functools.wraps(approve)(lambda _: pending), proposal)
        if approved is not True:
            raise SpendRefusedError(
                f"This was not approved: {proposal.describe()}. Nothing was launched or changed."
            )
