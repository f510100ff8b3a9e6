"""Reservations: budget set aside for a launch before anything is sent, and the launch's outcome."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

from runcrate_core.api import instances
from runcrate_core.errors import AmbiguousLaunchError, RuncrateError
from runcrate_core.spending import cleanup
from runcrate_core.spending.plans import RunningResource

if TYPE_CHECKING:
    from runcrate_core.protocol.steps import Flow
    from runcrate_core.spending.cleanup import Started
    from runcrate_core.spending.ledger import LedgerEntry, SpendLedger
    from runcrate_core.spending.limits import SpendLimits

# Tag by which jobs of a guard are found again; its value is the prefix of their names.
JOB_TAG: Final = "started-by"
# Jobs in these states cost money, or will; others have ended (official SDK 0.5.0).
_LIVE_JOB_STATUSES: Final = ("queued", "starting", "running")
# The longest name that was seen accepted.
_MAX_NAME_LENGTH: Final = 64
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")


class Reservations:
    """Reserves budget in a ledger and records the outcome of launches.

    Args:
        limits: Spending limits.
        ledger: The ledger.
    """

    def __init__(self, limits: SpendLimits, ledger: SpendLedger) -> None:
        self._limits = limits
        self._ledger = ledger

    def running(self) -> Flow[list[RunningResource]]:
        """Return the live instances and jobs under the prefix, whoever started them."""
        owned = [
            RunningResource(
                id=item.id,
                name=item.name,
                status=item.status,
                gpu_type=item.gpu_type,
                gpu_count=item.gpu_count or 0,
                price_per_hour=item.cost_per_hour,
            )
            for item in (yield from instances.list_instances())
            if not item.has_ended and self._limits.owns(item.name)
        ]
        known = {item.name for item in owned}
        jobs = yield from cleanup.all_jobs(
            status=_LIVE_JOB_STATUSES, tags={JOB_TAG: self._limits.name_prefix}
        )
        return owned + [
            RunningResource(
                id=job.id,
                name=job.name,
                status=job.status,
                gpu_type=job.gpu_type,
                gpu_count=job.gpu_count or 0,
                price_per_hour=job.cost_per_hour,
            )
            for job in jobs
            if not job.has_ended and job.name not in known
        ]

    def reserve(self, entry: LedgerEntry) -> Flow[None]:
        """Reserve budget and a place for what is to be launched.

        Raises:
            SpendRefusedError: It would exceed a limit. Nothing was launched.
        """
        running = yield from self.running()
        self._ledger.reserve(entry, self._limits, running)

    def launch(self, name: str, creation: Flow[Started]) -> Flow[Started]:
        """Run the creation of a reserved resource, and record its outcome."""
        try:
            created = yield from creation
        except AmbiguousLaunchError:
            self._ledger.note(name, state="unknown")
            raise
        except (RuncrateError, ValueError):
            self._ledger.release(name)  # it is certain that nothing was launched
            raise
        except BaseException:
            self._ledger.note(name, state="unknown")
            raise
        self._ledger.note(name, id=created.id, state="started")
        return created

    def unique_name(self, name: str | None) -> str:
        """Return a name under the prefix of the limits by which a lost launch is found again."""
        rest = (name or "").removeprefix(self._limits.name_prefix)
        rest = _NOT_IN_NAMES.sub("-", rest).strip("-") or "machine"
        suffix = f"-{secrets.token_hex(3)}"
        return f"{self._limits.name_prefix}{rest}"[: _MAX_NAME_LENGTH - len(suffix)] + suffix
