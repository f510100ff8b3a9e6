"""The ledger: resources that were started under some limits, and their cost."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final, Self, TypeVar

from runcrate_core.errors import ConfigurationError, RuncrateError, SpendRefusedError
from runcrate_core.protocol.steps import Flow, RunInThread
from runcrate_core.spending.ledger_entry import LedgerEntry
from runcrate_core.spending.ledger_sessions import LedgerSessions
from runcrate_core.spending.ledger_storage import (
    LedgerStorage,
    MemoryStorage,
    Records,
    SqliteStorage,
    StoredPlan,
    process_is_alive,
)
from runcrate_core.spending.limits import SpendLimits, refused
from runcrate_core.spending.money import cents
from runcrate_core.spending.plans import PLAN_LIFETIME_S, LaunchPlan, RunningResource

# Plans that are kept; an agent that makes more has lost its way, and the oldest are dropped.
MAX_PLANS: Final = 100

logger = logging.getLogger("runcrate_core")

T = TypeVar("T")


class SpendLedger:
    """Resources that were started under some limits, and their cost.

    Budget is reserved before anything is sent, so calls at the same time cannot exceed a limit
    together. Without a path the ledger is in memory: safe for threads and tasks, and refused in a
    forked process. With one it is a SQLite file, shared by all processes of this computer that
    open it: plans, reservations, approvals and outcomes survive restarts and hard kills.

    Args:
        path: A file on a local disk; made when it is missing. In memory when not given.
        storage: Another storage, instead of either.

    Raises:
        ConfigurationError: The file is on a network disk, is not a ledger, or cannot be written.

    Example:
        ```python
        ledger = SpendLedger("budget.db")
        toolkit = RuncrateToolkit(limits=SpendLimits(max_total_usd=20), ledger=ledger)
        ```
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, storage: LedgerStorage | None = None
    ) -> None:
        if storage is None:
            storage = MemoryStorage() if path is None else SqliteStorage(path)
        self._storage = storage
        self._sessions = LedgerSessions()
        # Names of instances that this process saw `stopped` or in `error`: ended, not deleted.
        self.lingering: set[str] = set()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # it is there to be shared

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the path of a file; another process then opens the same ledger.

        Raises:
            ConfigurationError: It is in memory, and a copy would allow the budget twice.
        """
        if isinstance(self._storage, SqliteStorage):
            return SpendLedger, (str(self._storage.path),)
        raise ConfigurationError(
            "A ledger in memory cannot be given to another process, where its copy would allow "
            'the budget a second time. Use `SpendLedger("budget.db")`.'
        )

    # --- entries ---------------------------------------------------------------------------

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """Everything started or reserved, oldest first."""
        with self._storage.transaction(writes=False) as records:
            return tuple(records.entries())

    @property
    def live(self) -> tuple[LedgerEntry, ...]:
        """Entries that cost money, or may."""
        return tuple(entry for entry in self.entries if entry.is_live)

    @property
    def total_usd(self) -> Decimal:
        """USD of everything: true costs where known, else the worst case."""
        return _total(self.entries)

    def find(self, identifier: str) -> LedgerEntry | None:
        """Return the entry with this identifier or name."""
        return next((entry for entry in self.entries if identifier in {entry.id, entry.name}), None)

    def describe(self) -> str:
        """Return the entries and their cost, a line each."""
        entries = self.entries
        lines = [
            f"{entry.kind} {entry.name}: {entry.state}, "
            f"{'cost' if entry.cost_usd is not None else 'at most'} "
            f"{cents(entry.at_most_usd)} USD"
            for entry in entries
        ]
        return "\n".join([*lines, f"in all at most {cents(_total(entries))} USD"])

    def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> Flow[T]:
        """Call a method of this ledger as a part of a flow: off the event loop if it may wait."""
        if not self._storage.blocks:
            return function(*args, **kwargs)
        return (yield from RunInThread(partial(function, *args, **kwargs)))

    def attempt(self, function: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Call a method of this ledger after a failed launch, whose error no other may hide.

        What a file that is locked or full does not take counts with its worst case.
        """
        try:
            function(*args, **kwargs)
        except RuncrateError as error:
            logger.warning("The ledger was not changed. %s", error.message)

    def reserve(
        self,
        entry: LedgerEntry,
        limits: SpendLimits,
        running: Iterable[RunningResource] = (),
        *,
        owner: object = None,
        plan_token: str | None = None,
        cancelled: threading.Event | None = None,
    ) -> None:
        """Reserve budget and a place, before anything is sent.

        Args:
            entry: The entry of what is to be started.
            limits: The limits.
            running: Resources that the API lists under the same limits, for what an earlier
                program left running.
            owner: The guard that starts it, for its session.
            plan_token: The plan that is launched with it, and is used up by it.
            cancelled: Set when nobody wants the reservation any more.

        Raises:
            SpendRefusedError: It would exceed a limit together with what runs or is reserved, or
                its session is over.
        """
        entry = replace(
            entry,
            session=self._sessions.session_of(owner),
            process=os.getpid(),
            reserved_at=_now(),
        )
        with self._storage.transaction(writes=True) as records:
            if cancelled is not None and cancelled.is_set():
                raise SpendRefusedError("The call was cancelled. Nothing was launched.")
            _require_place(records.entries(), entry, limits, list(running))
            records.save_entry(entry)
            if plan_token is not None:
                records.delete_plan(plan_token)

    def charge(self, name: str, kind: str, price_usd: Decimal, limits: SpendLimits) -> None:
        """Add the price of a call to an entry that runs nothing, before the call is sent.

        Args:
            name: Name of the entry; made when there is none.
            kind: Its kind, such as `media`.
            price_usd: USD that the call costs; it counts also if the call fails.
            limits: The limits.

        Raises:
            SpendRefusedError: It exceeds what is left of the budget.
        """
        with self._storage.transaction(writes=True) as records:
            entries = records.entries()
            left = limits.budget_usd - _total(entries)
            if price_usd > left:
                raise SpendRefusedError(
                    f"This costs about {price_usd} USD, which exceeds the remaining budget of "
                    f"{max(left, Decimal())} USD. Nothing was sent."
                )
            entry = next((entry for entry in entries if entry.name == name), None) or LedgerEntry(
                name, kind, Decimal(), 0, 0, state="ended", process=os.getpid(), reserved_at=_now()
            )
            records.save_entry(replace(entry, cost_usd=(entry.cost_usd or Decimal()) + price_usd))

    def restore(self, entry: LedgerEntry, owner: object = None) -> None:
        """Record an entry again whose reservation was released before its launch succeeded."""
        with self._storage.transaction(writes=True) as records:
            if all(known.name != entry.name for known in records.entries()):
                session = self._sessions.open_session_of(owner)
                records.save_entry(
                    replace(entry, session=session, process=os.getpid(), reserved_at=_now())
                )

    def extend(self, name: str, max_runtime_minutes: int, limits: SpendLimits) -> LedgerEntry:
        """Count another lifetime of an entry, before it is requested; return the entry before.

        Raises:
            SpendRefusedError: It would exceed the total, or the ledger has no such live entry.
        """
        with self._storage.transaction(writes=True) as records:
            entries = {entry.name: entry for entry in records.entries()}
            entry = entries.get(name)
            if entry is None or not entry.is_live:
                raise refused(
                    f"no running instance in the ledger is called {name!r}",
                    "Launch an instance with the lifetime that is needed",
                    "Nothing was changed.",
                )
            longer = replace(entry, max_runtime_minutes=max_runtime_minutes)
            others = _total(known for known in entries.values() if known.name != name)
            if others + longer.at_most_usd > limits.budget_usd:
                raise refused(
                    f"a lifetime of {max_runtime_minutes} minutes may cost "
                    f"{cents(longer.at_most_usd)} USD, which exceeds the remaining budget",
                    "Choose a shorter lifetime",
                    "Nothing was changed.",
                )
            records.save_entry(longer)
            return entry

    def release(self, name: str) -> None:
        """Drop a reservation: it is certain that nothing was started."""
        with self._storage.transaction(writes=True) as records:
            records.delete_entry(name)

    def note(self, name: str, **changes: Any) -> None:
        """Record the outcome of an entry (`id`, `state`, `cost_usd`, ...).

        An ended entry stays ended: the response to a launch may arrive after its termination. A
        cost is never less than the time that was observed.
        """
        with self._storage.transaction(writes=True) as records:
            entry = next((entry for entry in records.entries() if entry.name == name), None)
            if entry is None:
                return
            if not entry.is_live:
                changes.pop("state", None)
            if changes.get("cost_usd") is not None:
                changes["cost_usd"] = max(changes["cost_usd"], entry.observed_usd)
            changed = replace(entry, **changes)
            if changed != entry:
                records.save_entry(changed)

    def observe(self, entry: LedgerEntry, *, is_running: bool) -> None:
        """Record that the API has shown an entry's identifier with its name, and it running."""
        changes: dict[str, Any] = {"is_confirmed": True}
        if is_running:
            now = _now()
            changes |= {"running_from": entry.running_from or now, "running_until": now}
        elif entry.is_confirmed:
            return
        self.note(entry.name, **changes)

    # --- plans -----------------------------------------------------------------------------

    def save_plan(self, plan: LaunchPlan) -> None:
        """Keep a plan until it is launched.

        Raises:
            ValueError: An option of it is not JSON, and the ledger is on disk.
        """
        with self._storage.transaction(writes=True) as records:
            plans = records.plans()
            forgettable = [known for known in plans if known.asked_at is None] or plans
            for known in forgettable[: max(0, len(plans) + 1 - MAX_PLANS)]:
                records.delete_plan(known.plan.token)
            records.save_plan(StoredPlan(plan, os.getpid()))

    def plan_of(self, token: str) -> LaunchPlan | None:
        """Return a plan that was made and not launched."""
        with self._storage.transaction(writes=False) as records:
            stored = _plan(records, token)
        return None if stored is None or _is_claimed(stored) else stored.plan

    def open_approval(self, token: str) -> None:
        """Record that a person is asked to approve a plan, which then waits for the answer."""
        with self._storage.transaction(writes=True) as records:
            stored = _plan(records, token)
            if stored is None or stored.asked_at is not None:
                return
            age = (_now() - stored.plan.planned_at).total_seconds()
            if age <= PLAN_LIFETIME_S:  # an older one is refused anyway
                records.save_plan(replace(stored, asked_at=_now()))

    def approve_plan(self, token: str) -> None:
        """Record that a plan was approved."""
        self._change_plan(token, approved_at=_now())

    def claim_plan(self, token: str) -> StoredPlan:
        """Claim a plan, so that no other call launches it too.

        Raises:
            SpendRefusedError: There is no such plan, or another call is launching it.
        """
        with self._storage.transaction(writes=True) as records:
            stored = _plan(records, token)
            if stored is None or _is_claimed(stored):
                raise SpendRefusedError(
                    f"There is no plan {token!r}, or it was launched already. Nothing was "
                    "launched. Make a plan first; look up what runs before launching again."
                )
            records.save_plan(replace(stored, claimed_by=os.getpid()))
        return stored

    def unclaim_plan(self, token: str) -> None:
        """Give a plan back that was not launched."""
        self._change_plan(token, claimed_by=None)

    def _change_plan(self, token: str, **changes: Any) -> None:
        with self._storage.transaction(writes=True) as records:
            stored = _plan(records, token)
            if stored is not None:
                records.save_plan(replace(stored, **changes))

    # --- sessions --------------------------------------------------------------------------

    def open_session(self, owner: object) -> str:
        """Open a session of a guard, and return its name; starts are counted to it.

        Raises:
            ConfigurationError: The guard has an open session: its end would terminate what this
                one starts.
        """
        return self._sessions.open(owner)

    def close_session(self, owner: object, because: str) -> None:
        """Refuse further starts of a guard, for a reason that is given as a sentence."""
        self._sessions.close(owner, because)


def _require_place(
    entries: list[LedgerEntry],
    entry: LedgerEntry,
    limits: SpendLimits,
    running: list[RunningResource],
) -> None:
    live = [known for known in entries if known.is_live]
    names, identifiers = {known.name for known in live}, {known.id for known in live}
    others = [item for item in running if item.name not in names and item.id not in identifiers]
    count = len(live) + len(others)
    if count >= limits.max_instances:
        raise refused(
            f"{count} instances or jobs run or are being started already",
            f"Allowed are {limits.max_instances} at once; terminate one first",
        )
    gpus = sum(known.gpu_count for known in live) + sum(item.gpu_count for item in others)
    if gpus + entry.gpu_count > limits.max_gpus:
        raise refused(
            f"{gpus} GPUs are in use and {entry.gpu_count} more were requested",
            f"Allowed are {limits.max_gpus} at once",
        )
    left = limits.budget_usd - _total(entries)
    if entry.at_most_usd > left:
        raise refused(
            f"it may cost {cents(entry.at_most_usd)} USD",
            f"{cents(max(Decimal(), left))} USD of {limits.budget_usd} USD are left; "
            "choose a cheaper instance or a shorter lifetime",
        )


def _plan(records: Records, token: str) -> StoredPlan | None:
    return next((stored for stored in records.plans() if stored.plan.token == token), None)


def _is_claimed(stored: StoredPlan) -> bool:
    """True if another call launches it; one of a process that was killed does not."""
    return stored.claimed_by is not None and process_is_alive(stored.claimed_by)


def _total(entries: Iterable[LedgerEntry]) -> Decimal:
    return sum((entry.at_most_usd for entry in entries), Decimal())


def _now() -> datetime:
    return datetime.now(UTC)
