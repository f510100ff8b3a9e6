"""The ledger: what was started under some limits, and what it costs."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from runcrate_core.errors import ConfigurationError, SpendRefusedError
from runcrate_core.spending.limits import SpendLimits, refused
from runcrate_core.spending.money import cents, worst_case
from runcrate_core.spending.plans import RunningResource


@dataclass(frozen=True)
class LedgerEntry:
    """One machine in the ledger.

    Attributes:
        name: Its name.
        kind: `instance` or `job`.
        price_per_hour: USD; of a job the highest that its machine may have.
        max_runtime_minutes: Its lifetime, of a job that of each attempt.
        gpu_count: Its GPUs.
        id: Its identifier, once known.
        state: `reserved` (not sent yet), `started`, `unknown` (the answer was lost) or `ended`.
        cost_usd: What it did cost, once it has ended and that is known.
        attempts: How often a job may be tried.
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

    @property
    def is_live(self) -> bool:
        """Whether it costs money, or may."""
        return self.state != "ended"

    @property
    def at_most_usd(self) -> Decimal:
        """USD it has cost, or may cost in the worst case."""
        if self.cost_usd is not None:
            return self.cost_usd
        return worst_case(self.price_per_hour, self.max_runtime_minutes, self.attempts)


class SpendLedger:
    """What was started under some limits, and what it costs. Safe for threads and tasks.

    Money is reserved before anything is sent, so calls at the same time cannot exceed a limit
    together.
    """

    def __init__(self) -> None:
        self._entries: dict[str, LedgerEntry] = {}
        self._lock = threading.Lock()
        self._closed_because: str | None = None
        self._in_session = False
        self._phase = object()

    @property
    def phase(self) -> object:
        """What changes when a session is being left: whoever waits for something then stops."""
        return self._phase

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """Everything started or reserved, oldest first."""
        with self._lock:
            return tuple(self._entries.values())

    @property
    def live(self) -> tuple[LedgerEntry, ...]:
        """What costs money, or may."""
        return tuple(entry for entry in self.entries if entry.is_live)

    @property
    def total_usd(self) -> Decimal:
        """USD of everything: true costs where known, else the worst case."""
        return _total(self.entries)

    def describe(self) -> str:
        """Return what was started and what it may cost, a line each."""
        lines = [
            f"{entry.kind} {entry.name}: {entry.state}, "
            f"{'cost' if entry.cost_usd is not None else 'at most'} "
            f"{cents(entry.at_most_usd)} USD"
            for entry in self.entries
        ]
        return "\n".join([*lines, f"in all at most {cents(self.total_usd)} USD"])

    def reserve(
        self, entry: LedgerEntry, limits: SpendLimits, running: Iterable[RunningResource] = ()
    ) -> None:
        """Set money and a place aside, before anything is sent.

        Args:
            entry: What is to be started.
            limits: The limits.
            running: What the API says runs under the same limits, for what an earlier program
                left behind.

        Raises:
            SpendRefusedError: It would exceed a limit together with what runs or is reserved, or
                its session is over.
        """
        with self._lock:
            if self._closed_because is not None:
                raise SpendRefusedError(f"{self._closed_because} Nothing was launched.")
            live = [known for known in self._entries.values() if known.is_live]
            names = {known.name for known in live}
            others = [machine for machine in running if machine.name not in names]
            count = len(live) + len(others)
            if count >= limits.max_instances:
                raise refused(
                    f"{count} machines run or are being started already",
                    f"Allowed are {limits.max_instances} at once; end one first",
                )
            gpus = sum(known.gpu_count for known in live) + sum(
                machine.gpu_count for machine in others
            )
            if gpus + entry.gpu_count > limits.max_gpus:
                raise refused(
                    f"{gpus} GPUs are in use and {entry.gpu_count} more were asked for",
                    f"Allowed are {limits.max_gpus} at once",
                )
            left = limits.budget_usd - _total(self._entries.values())
            if entry.at_most_usd > left:
                raise refused(
                    f"it may cost {cents(entry.at_most_usd)} USD",
                    f"{cents(max(Decimal(), left))} USD of {limits.budget_usd} USD are left; "
                    "choose a cheaper machine or a shorter life",
                )
            self._entries[entry.name] = entry

    def extend(self, name: str, max_runtime_minutes: int, limits: SpendLimits) -> None:
        """Count another lifetime of an entry, before it is asked for.

        Raises:
            SpendRefusedError: It would exceed the total, or the ledger has no such entry.
        """
        with self._lock:
            entry = self._entries.get(name)
            if entry is None or not entry.is_live:
                raise refused(
                    f"no running machine in the ledger is called {name!r}",
                    "Launch a machine with the lifetime that is needed",
                    "Nothing was changed.",
                )
            longer = replace(entry, max_runtime_minutes=max_runtime_minutes)
            others = _total(known for known in self._entries.values() if known.name != name)
            if others + longer.at_most_usd > limits.budget_usd:
                raise refused(
                    f"a life of {max_runtime_minutes} minutes may cost "
                    f"{cents(longer.at_most_usd)} USD, more than is left",
                    "Choose a shorter life",
                    "Nothing was changed.",
                )
            self._entries[name] = longer

    def release(self, name: str) -> None:
        """Forget a reservation: it is certain that nothing was started."""
        with self._lock:
            self._entries.pop(name, None)

    def note(self, name: str, **changes: Any) -> None:
        """Record what became of an entry (`id`, `state`, `cost_usd`, ...).

        What has ended stays so: the answer to a launch may arrive after the machine was ended.
        """
        with self._lock:
            entry = self._entries.get(name)
            if entry is None:
                return
            if not entry.is_live:
                changes.pop("state", None)
            self._entries[name] = replace(entry, **changes)

    def find(self, identifier: str) -> LedgerEntry | None:
        """Return the entry with this identifier or name."""
        return next((entry for entry in self.entries if identifier in {entry.id, entry.name}), None)

    def interrupt(self) -> None:
        """Begin another `phase`. Takes no lock, so that a signal handler may do it."""
        self._phase = object()

    def begin_session(self) -> None:
        """Take reservations, again after an earlier session.

        Raises:
            ConfigurationError: A session is open: its end would end what this one starts.
        """
        with self._lock:
            if self._in_session:
                raise ConfigurationError(
                    "A session is open on this ledger already. Give each agent that runs at the "
                    "same time a toolkit, or a ledger, of its own."
                )
            self._in_session = True
            self._closed_because = None

    def end_session(self, because: str) -> None:
        """Refuse everything further, for a reason that is given as a sentence."""
        self.interrupt()
        with self._lock:
            self._in_session = False
            self._closed_because = because


def _total(entries: Iterable[LedgerEntry]) -> Decimal:
    return sum((entry.at_most_usd for entry in entries), Decimal())
