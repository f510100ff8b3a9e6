"""The budget of media calls: published prices count, unknown ones need a person."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from runcrate_core import SpendRefusedError

if TYPE_CHECKING:
    from collections.abc import Generator
    from decimal import Decimal

    from runcrate_core import SpendLedger, SpendLimits


class MediaBudget:
    """Keeps media calls within what is left of the budget, in one entry of the ledger.

    Args:
        limits: Spending limits.
        ledger: The ledger, also of instances and jobs, and of other servers with the same file.
        approved: A person has approved each call.
    """

    def __init__(self, limits: SpendLimits, ledger: SpendLedger, *, approved: bool) -> None:
        self._limits = limits
        self._ledger = ledger
        self._approved = approved
        self._entry = f"media-{secrets.token_hex(4)}"

    def reserve(self, price: Decimal | None) -> Generator[Any, Any, None]:
        """Reserve the price of a call; it stays reserved, as a failed call may be billed too.

        Raises:
            SpendRefusedError: It exceeds the budget, or is unknown and nobody has approved it.
        """
        if price is not None:
            charge = self._ledger.charge
            yield from self._ledger.run(charge, self._entry, "media", price, self._limits)
        elif not self._approved:
            raise SpendRefusedError(
                "The price of this model is not published, so the spending limits cannot be kept "
                "without approval. Nothing was sent. The user can start `runcrate-mcp` without "
                "--yes and approve the call."
            )
