"""The budget of media calls: published prices count, unknown ones need a person."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING

from runcrate_core import SpendRefusedError

if TYPE_CHECKING:
    from runcrate_core import SpendLedger, SpendLimits


class MediaBudget:
    """Keeps media calls within what instances and jobs have left of the budget.

    Args:
        limits: Spending limits.
        ledger: The ledger of instances and jobs.
        approved: A person has approved each call.

    Attributes:
        spent_usd: Published prices of all calls so far.
    """

    def __init__(self, limits: SpendLimits, ledger: SpendLedger, *, approved: bool) -> None:
        self.spent_usd = Decimal(0)
        self._limits = limits
        self._ledger = ledger
        self._approved = approved
        self._lock = threading.Lock()

    def reserve(self, price: Decimal | None) -> None:
        """Reserve the price of a call; it stays reserved, as a failed call may be billed too.

        Raises:
            SpendRefusedError: It exceeds the budget, or is unknown and nobody has approved it.
        """
        if price is None:
            if self._approved:
                return
            raise SpendRefusedError(
                "The price of this model is not published, so the spending limits cannot be kept "
                "without approval. Nothing was sent. The user can start `runcrate-mcp` without "
                "--yes and approve the call."
            )
        with self._lock:
            left = self._limits.budget_usd - self._ledger.total_usd - self.spent_usd
            if price > left:
                raise SpendRefusedError(
                    f"This costs about {price} USD, which exceeds the remaining budget of "
                    f"{max(left, Decimal(0))} USD. Nothing was sent."
                )
            self.spent_usd += price
