"""An entry of a ledger: one instance or job, and its cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from runcrate_core.spending.money import worst_case


@dataclass(frozen=True)
class LedgerEntry:
    """One instance or job in the ledger, or the media of a program.

    Attributes:
        name: Its name.
        kind: `instance`, `job` or `media`.
        price_per_hour: USD; of a job the highest that its instance may have.
        max_runtime_minutes: Its lifetime, of a job that of each attempt.
        gpu_count: Its GPUs.
        id: Its identifier, once known.
        state: `reserved` (not sent yet), `started`, `unknown` (the response was lost) or `ended`.
        cost_usd: Its cost, once it has ended and that is known.
        attempts: Maximum number of attempts of a job.
        session: The session in which it was started.
        process: Identifier of the process that started it.
        is_confirmed: The API has shown this identifier with this name.
        approved_at: When a person approved it.
        reserved_at: When its budget was reserved, by this computer's clock.
        running_from: When it was first seen running.
        running_until: When it was last seen running.
    """

    name: str
    kind: str
    price_per_hour: Decimal
    max_runtime_minutes: int
    gpu_count: int = 1
    id: str | None = None
    state: str = "reserved"
    cost_usd: Decimal | None = None
    attempts: int = 1
    session: str | None = None
    process: int | None = None
    is_confirmed: bool = False
    approved_at: datetime | None = None
    reserved_at: datetime | None = None
    running_from: datetime | None = None
    running_until: datetime | None = None

    @property
    def is_live(self) -> bool:
        """It costs money, or may."""
        return self.state != "ended"

    @property
    def at_most_usd(self) -> Decimal:
        """USD it has cost, or may cost in the worst case."""
        if self.cost_usd is not None:
            return self.cost_usd
        return worst_case(self.price_per_hour, self.max_runtime_minutes, self.attempts)

    @property
    def observed_usd(self) -> Decimal:
        """USD of the time during which it was seen running: it cost no less.

        A clock that was set ahead meanwhile makes it no longer than its lifetime.
        """
        if self.running_from is None or self.running_until is None:
            return Decimal()
        seconds = int((self.running_until - self.running_from).total_seconds())
        longest = worst_case(self.price_per_hour, self.max_runtime_minutes, self.attempts)
        return max(Decimal(), min(self.price_per_hour * seconds / 3600, longest))
