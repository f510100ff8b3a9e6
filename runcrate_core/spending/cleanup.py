"""Ending what was started, and learning what it cost; nothing is given up too early."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from runcrate_core.api import instances, jobs
from runcrate_core.api.instance_types import Instance
from runcrate_core.api.job_types import Job
from runcrate_core.errors import ConflictError, NotFoundError, RuncrateError
from runcrate_core.protocol.steps import Sleep
from runcrate_core.spending.money import cost_of_instance

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from decimal import Decimal

    from runcrate_core.protocol.paging import PageData
    from runcrate_core.protocol.steps import Call, Flow, Operation
    from runcrate_core.spending.ledger import LedgerEntry, SpendLedger

# How far apart ending what is left is tried. A launch that was interrupted may still be handled
# by the server, and appear later.
END_WAITS_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)

T = TypeVar("T")
Started = TypeVar("Started", Instance, Job)


@dataclass(frozen=True)
class CleanupReport:
    """What `terminate_all` did.

    Attributes:
        ended: Names of the machines and jobs that were ended, or had ended by themselves.
        failed: Names of those that could not be ended, with the reason. They end by their own
            lifetime.
    """

    ended: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()

    def describe(self) -> str:
        """Return what was done, in one or more sentences."""
        parts = [f"Ended: {', '.join(self.ended)}."] if self.ended else []
        parts += [
            f"{name} could not be ended ({reason.rstrip('.')}); the server ends it after its "
            "lifetime. Look at it in the dashboard."
            for name, reason in self.failed
        ]
        return " ".join(parts) or "Nothing was left running."


def terminate_all(ledger: SpendLedger, exclude: Collection[str] = ()) -> Flow[CleanupReport]:
    """End all that lives in a ledger, in rounds, so that no failure of one delays the others.

    Args:
        ledger: The ledger.
        exclude: Names of those to leave alone.
    """
    ended: list[str] = []
    reasons: dict[str, str] = {}
    for wait in (0.0, *END_WAITS_S):
        left = [entry for entry in ledger.live if entry.name not in exclude]
        if not left:
            break
        if wait:
            yield Sleep(wait)
        for entry in left:
            try:
                reason = yield from _end(ledger, entry)
            except RuncrateError as error:
                reason = error.message
            if reason is None:
                ended.append(entry.name)
            else:
                reasons[entry.name] = reason
    left = [entry for entry in ledger.live if entry.name not in exclude]
    failed = [(entry.name, reasons.get(entry.name, "it was started meanwhile")) for entry in left]
    return CleanupReport(tuple(ended), tuple(failed))


def settle(ledger: SpendLedger) -> Flow[None]:
    """Look at what became of everything in a ledger whose end or cost is not known."""
    for entry in ledger.entries:
        if entry.id is not None and entry.cost_usd is None:
            found = yield from _look(entry)
            if found is None or found.has_ended:
                _note_end(ledger, entry.name, found)


def record_if_ended(ledger: SpendLedger, found: Instance | Job) -> None:
    """Take note of the end, and the cost, of a machine or job of the ledger that was looked at."""
    entry = ledger.find(found.id)
    if entry is not None and entry.is_live and found.has_ended:
        _note_end(ledger, entry.name, found)


def end_instance(ledger: SpendLedger, instance: Instance) -> Flow[Instance]:
    """End a machine, record what it cost, and return it after its end."""
    if not instance.has_ended:
        yield from instances.terminate(instance.id)
    after = yield from _unless_missing(instances.get(instance.id))
    _note_end(ledger, instance.name, after)
    return after if after is not None else instance


def end_job(ledger: SpendLedger, job: Job) -> Flow[Job]:
    """End a job, record what it cost, and return it after its end."""
    if not job.has_ended:
        try:
            job = yield from jobs.cancel(job.id)
        except ConflictError:  # it has just ended by itself
            job = yield from jobs.get(job.id)
    if job.has_ended:
        _note_end(ledger, job.name, job)
    return job


def jobs_named(name: str) -> Flow[list[Job]]:
    """Return the jobs of exactly this name."""
    return [job for job in (yield from all_jobs(q=name)) if job.name == name]


def all_jobs(**filters: Any) -> Flow[list[Job]]:
    """Return the jobs of all pages of a list."""
    found: list[Job] = []
    following: Callable[[], Operation[PageData[Job]]] | None = partial(jobs.list_all, **filters)
    while following is not None:
        page = yield from following()
        found += page.items
        following = page.following
    return found


def _end(ledger: SpendLedger, entry: LedgerEntry) -> Flow[str | None]:
    """End one entry; returns why it is not certain that it ended, or `None` when it is."""
    found = yield from _look(entry)
    if found is None:
        if entry.id is not None:
            _note_end(ledger, entry.name, None)
            return None
        return "no answer to its launch came, and it was not found by its name"
    if isinstance(found, Job):
        found = yield from end_job(ledger, found)
        return None if found.has_ended else f"it is still `{found.status}`"
    yield from end_instance(ledger, found)
    return None


def _look(entry: LedgerEntry) -> Flow[Instance | Job | None]:
    """Return an entry's machine or job, by its identifier or its name."""
    if entry.id is not None:
        if entry.kind == "job":
            return (yield from _unless_missing(jobs.get(entry.id)))
        return (yield from _unless_missing(instances.get(entry.id)))
    if entry.kind == "job":
        named = yield from jobs_named(entry.name)
        return next(iter(named), None)
    listed = yield from instances.list_instances(search=entry.name)
    return next((item for item in listed if item.name == entry.name), None)


def _unless_missing(call: Call[T]) -> Flow[T | None]:
    try:
        return (yield from call)
    except NotFoundError:
        return None


def _note_end(ledger: SpendLedger, name: str, found: Instance | Job | None) -> None:
    cost: Decimal | None = found.cost_usd if isinstance(found, Job) else cost_of_instance(found)
    known: dict[str, Any] = {} if found is None else {"id": found.id}
    if cost is not None:
        known["cost_usd"] = cost
    ledger.note(name, state="ended", **known)
