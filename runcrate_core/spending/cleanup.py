"""Cleanup: terminate resources of a ledger, verify their end, and record their cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from runcrate_core.api import instances, jobs
from runcrate_core.api.instances import Instance
from runcrate_core.api.job_types import Job
from runcrate_core.errors import ConflictError, NotFoundError, RuncrateError
from runcrate_core.protocol.identifiers import is_usable
from runcrate_core.protocol.reconcile import same
from runcrate_core.protocol.steps import RunConcurrently, Sleep
from runcrate_core.spending.money import MAX_AMOUNT_USD, cost_of_instance, cost_of_job

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from runcrate_core.protocol.paging import PageData
    from runcrate_core.protocol.steps import Flow, Operation
    from runcrate_core.spending.ledger import SpendLedger
    from runcrate_core.spending.ledger_entry import LedgerEntry

# Waits between the attempts to terminate a resource (seconds). A launch that was interrupted may
# still be handled by the server and appear later, and a termination takes its time.
END_WAITS_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
# Further waits for a resource that says it is being terminated, or whose termination is refused
# by an error that may pass.
TERMINATING_WAITS_S: Final = (8.0, 8.0, 8.0, 8.0, 8.0, 8.0)
_BUSY_STATUSES: Final = frozenset({409, 423, 429})
_FIRST_CLIENT_ERROR: Final = 400
_FIRST_SERVER_ERROR: Final = 500
# A termination that is refused so may be one of something that has just ended.
_MAY_HAVE_ENDED: Final = frozenset({404, 408, 409, 410})
# Waits for the end to be seen after a termination by a tool.
CONFIRM_WAITS_S: Final = (0.0, 0.5, 1.0, 2.0)
# A launch whose outcome is unknown, and that the API lists nowhere after so long, never happened.
NEVER_APPEARED_AFTER: Final = timedelta(minutes=10)
# A resource that was launched may not be listed at once; until then a 404 does not mean its end.
SHOWN_WITHIN: Final = timedelta(seconds=10)
# The clocks of this computer and of the server may differ by so much.
CLOCK_SKEW: Final = timedelta(minutes=2)

T = TypeVar("T")
Started = TypeVar("Started", Instance, Job)


@dataclass(frozen=True)
class CleanupReport:
    """Result of `terminate_all`.

    Attributes:
        ended: Names of the instances and jobs that were terminated, or had ended on their own.
        failed: Names of those whose end was not seen, with the reason. They end by their
            lifetime.
    """

    ended: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()

    def describe(self) -> str:
        """Return the result in one or more sentences."""
        parts = [f"Ended: {', '.join(self.ended)}."] if self.ended else []
        parts += [
            f"{name} could not be ended ({reason.rstrip('.')}); the server ends it after its "
            "lifetime. Check it in the dashboard."
            for name, reason in self.failed
        ]
        return " ".join(parts) or "Nothing was left running."


def terminate_all(
    ledger: SpendLedger, exclude: Collection[str] = (), *, session: str | None = None
) -> Flow[CleanupReport]:
    """Terminate the live resources of a ledger side by side, so that none delays the others.

    Instances that were seen to end without being deleted are deleted.

    Args:
        ledger: The ledger.
        exclude: Names of those to leave alone.
        session: Only those that were started in this session.
    """
    entries = [
        entry
        for entry in left_over(ledger)
        if entry.name not in exclude and session in (None, entry.session)
    ]
    results = yield from RunConcurrently(
        tuple(_terminate_persistently(ledger, entry) for entry in entries)
    )
    reasons = dict(zip((entry.name for entry in entries), map(_reason, results), strict=True))
    return CleanupReport(
        ended=tuple(name for name, reason in reasons.items() if reason is None),
        failed=tuple((name, reason) for name, reason in reasons.items() if reason is not None),
    )


def left_over(ledger: SpendLedger) -> list[LedgerEntry]:
    """Return the entries that are live, or were not deleted."""
    return [entry for entry in ledger.entries if entry.is_live or entry.name in ledger.lingering]


def settle(ledger: SpendLedger) -> Flow[None]:
    """Look up every resource of a ledger whose end or cost is not known."""
    unsettled = [entry for entry in ledger.entries if entry.cost_usd is None]
    yield from RunConcurrently(tuple(_settle(ledger, entry) for entry in unsettled))


def settle_ended(ledger: SpendLedger, listed: Collection[str]) -> Flow[None]:
    """Free the places of live entries that have ended on their own.

    Args:
        ledger: The ledger.
        listed: Identifiers of the resources that the API lists as running.
    """
    for entry in ledger.live:
        if entry.id is None or entry.id in listed:
            continue
        try:
            resource = yield from look_up(entry.kind, entry.id)
        except (RuncrateError, ValueError):
            continue  # it keeps its place
        if resource is not None and resource.id == entry.id and resource.has_ended:
            yield from ledger.run(record_end, ledger, entry, resource)


def record_if_ended(ledger: SpendLedger, resource: Instance | Job) -> None:
    """Record the state of a resource of the ledger that was looked up: running, or its end."""
    entry = next((entry for entry in ledger.live if entry.id == resource.id), None)
    if entry is None:
        return
    if resource.has_ended:
        record_end(ledger, entry, resource)
    elif same(entry.name, resource.name):
        ledger.observe(entry, is_running=_is_running(resource))


def record_end(ledger: SpendLedger, entry: LedgerEntry, resource: Instance | Job | None) -> None:
    """Record that a resource has ended, and its cost if it is known."""
    changes: dict[str, Any] = {"state": "ended"}
    if resource is not None:
        if isinstance(resource, Job):
            cost = cost_of_job(resource)
        else:
            cost = cost_of_instance(resource)
            if cost == 0 and entry.running_from is not None:
                cost = None  # it was seen running
        changes["id"] = resource.id
        if isinstance(resource, Instance) and _is_lingering(resource):
            ledger.lingering.add(entry.name)
        if cost is not None and cost.is_finite() and 0 <= cost < MAX_AMOUNT_USD:
            changes["cost_usd"] = cost
    ledger.note(entry.name, **changes)


def terminate_instance(ledger: SpendLedger, instance: Instance) -> Flow[Instance]:
    """Terminate an instance, wait a little for its end, and record that.

    When the response is lost, or it is refused as one that has ended, its end is looked up.

    Returns:
        The instance as last seen. It has ended only if its `has_ended` is true, or if the API
        does not know it any more.
    """
    failure: RuncrateError | None = None
    try:
        if not instance.has_ended:
            yield from instances.terminate(instance.id)
        yield from _remove_remains(instance)
    except RuncrateError as error:
        failure = _if_it_may_have_ended(error)
    last = instance
    for wait in CONFIRM_WAITS_S:
        if wait:
            yield Sleep(wait)
        seen = yield from _unless_missing(instances.get(instance.id))
        if seen is not None and seen.id != instance.id:
            continue
        if seen is None or seen.has_ended:
            entry = next((entry for entry in ledger.entries if entry.id == instance.id), None)
            if entry is not None:
                yield from ledger.run(record_end, ledger, entry, seen)
            gone = instance.model_copy(update={"status": "terminated"})
            return gone if seen is None else seen
        last = seen
    if failure is not None:
        raise failure
    return last


def cancel_job(ledger: SpendLedger, job: Job) -> Flow[Job]:
    """Cancel a job, and record its end. One that has ended stays as it is.

    Returns:
        The job as last seen. It has ended only if its `has_ended` is true.
    """
    failure: RuncrateError | None = None
    try:
        if not job.has_ended:
            job = yield from _cancel(job.id)
    except RuncrateError as error:
        failure = _if_it_may_have_ended(error)
    for wait in CONFIRM_WAITS_S[1:]:
        if job.has_ended:
            break
        yield Sleep(wait)
        job = yield from jobs.get(job.id)
    entry = next((entry for entry in ledger.entries if entry.id == job.id), None)
    if entry is not None and job.has_ended:
        yield from ledger.run(record_end, ledger, entry, job)
    if failure is not None and not job.has_ended:
        raise failure
    return job


def _if_it_may_have_ended(error: RuncrateError) -> RuncrateError:
    """Return the error of a termination that may have worked, or of something that has ended.

    Raises:
        RuncrateError: It was refused for certain, so nothing has to be looked up.
    """
    status = error.status_code or _FIRST_SERVER_ERROR
    if _FIRST_CLIENT_ERROR <= status < _FIRST_SERVER_ERROR and status not in _MAY_HAVE_ENDED:
        raise error
    return error


def look_up_by_name(kind: str, name: str) -> Flow[Instance | Job | None]:
    """Return the resource of exactly this name, if one is listed."""
    return next(iter((yield from _named(kind, name))), None)


def _named(kind: str, name: str) -> Flow[Sequence[Instance | Job]]:
    if kind == "job":
        return (yield from jobs_named(name))
    listed = yield from instances.list_instances(search=name)
    return [item for item in listed if same(name, item.name)]


def jobs_named(name: str) -> Flow[list[Job]]:
    """Return the jobs of exactly this name."""
    return [job for job in (yield from all_jobs(q=name)) if same(name, job.name)]


def all_jobs(**filters: Any) -> Flow[list[Job]]:
    """Return the jobs of all pages of a list."""
    listed: list[Job] = []
    following: Callable[[], Operation[PageData[Job]]] | None = partial(jobs.list_all, **filters)
    while following is not None:
        page = yield from following()
        listed += page.items
        following = page.following
    return listed


def _terminate_persistently(ledger: SpendLedger, entry: LedgerEntry) -> Flow[str | None]:
    """Terminate one entry until its end is seen; returns why it was not, or `None`."""
    waits = [0.0, *END_WAITS_S]
    extra = list(TERMINATING_WAITS_S)
    reason: str | None = None
    while waits:
        wait = waits.pop(0)
        if wait:
            yield Sleep(wait)
        current = ledger.find(entry.name) or entry
        if not current.is_live and current.name not in ledger.lingering:
            return None
        try:
            reason, is_terminating = yield from _terminate(
                ledger, current, may_be_several=entry.id is None
            )
        except (RuncrateError, ValueError) as error:
            reason, is_terminating = _message(error), _may_pass(error)
        if reason is None:
            return None
        if is_terminating and not waits and extra:
            waits.append(extra.pop())
    return reason


def _terminate(
    ledger: SpendLedger, entry: LedgerEntry, *, may_be_several: bool
) -> Flow[tuple[str | None, bool]]:
    """Terminate one entry once.

    Args:
        ledger: The ledger.
        entry: The entry.
        may_be_several: No response to its launch came: a proxy may have sent the request twice.

    Returns:
        Why its end is not certain, or `None`; and whether it says that it is being terminated.
    """
    try:
        resource = yield from _identify(ledger, entry)
    except RuncrateError as error:
        if entry.id is None or not is_usable(entry.id) or isinstance(error, _OtherResourceError):
            raise
        # It cannot be looked up, which is no reason to let it run.
        yield from _request_end(entry.kind, entry.id)
        return error.message, False
    if resource is None:
        if entry.id is None or not is_usable(entry.id):
            return "no response to its launch came, and it was not found by its name", False
        yield from _request_end(entry.kind, entry.id)
        if _may_yet_be_shown(entry):
            return "the API does not show it yet", False
        yield from ledger.run(record_end, ledger, entry, None)
        return None, False
    if not resource.has_ended:
        yield from _request_end(entry.kind, resource.id)
        seen = yield from look_up(entry.kind, resource.id)
        if seen is not None and seen.id != resource.id:
            return "the API returned another resource", False
        if seen is not None and not seen.has_ended:
            word = seen.status.lower()
            return f"it is still `{seen.status}`", word != "running" and word.endswith("ing")
        resource = seen
    elif isinstance(resource, Instance):
        yield from _remove_remains(resource)
    for other in (yield from _named(entry.kind, entry.name)) if may_be_several else ():
        if not other.has_ended:
            yield from _request_end(entry.kind, other.id)
            return f"another {entry.kind} of this name is still `{other.status}`", True
    yield from ledger.run(record_end, ledger, entry, resource)
    return None, False


def _identify(ledger: SpendLedger, entry: LedgerEntry) -> Flow[Instance | Job | None]:
    """Return the resource of an entry; `None` when there is none.

    An identifier came with the response to a launch. When the API shows another name under it
    than the one that was launched, it was renamed, or the response was of another resource: the
    one that has the name counts.

    Raises:
        _OtherResourceError: The identifier is that of another resource.
    """
    by_id = None
    if entry.id is not None and is_usable(entry.id):
        by_id = yield from look_up(entry.kind, entry.id)
        if by_id is None:
            return None
        same_name = not by_id.name or same(entry.name, by_id.name)  # nameless, it is no other's
        if by_id.id == entry.id and (same_name or entry.is_confirmed):
            yield from ledger.run(ledger.observe, entry, is_running=_is_running(by_id))
            return by_id
    by_name = yield from look_up_by_name(entry.kind, entry.name)
    if by_name is not None:
        yield from ledger.run(_record_found, ledger, entry, by_name)
        return by_name
    if by_id is None:
        return None
    reserved_at = entry.reserved_at or datetime.min.replace(tzinfo=UTC)
    is_renamed = (
        by_id.id == entry.id
        and by_id.created_at is not None
        and by_id.created_at >= reserved_at - CLOCK_SKEW
    )
    if not is_renamed:
        raise _OtherResourceError(
            f"the identifier {entry.id!r} belongs to another resource ({by_id.name!r}), which was "
            "left alone"
        )
    return by_id


class _OtherResourceError(RuncrateError):
    """The identifier of an entry is that of another resource."""


def _settle(ledger: SpendLedger, entry: LedgerEntry) -> Flow[None]:
    if entry.id is not None and is_usable(entry.id):
        resource = yield from look_up(entry.kind, entry.id)
        if _may_yet_be_shown(entry) if resource is None else resource.id != entry.id:
            return
        if resource is None or resource.has_ended:
            yield from ledger.run(record_end, ledger, entry, resource)
        elif same(entry.name, resource.name):
            yield from ledger.run(ledger.observe, entry, is_running=_is_running(resource))
        return
    resource = yield from look_up_by_name(entry.kind, entry.name)
    if resource is not None:
        yield from ledger.run(_record_found, ledger, entry, resource)
        if resource.has_ended:
            yield from ledger.run(record_end, ledger, entry, resource)
    elif (
        entry.reserved_at is not None
        and datetime.now(UTC) - entry.reserved_at > NEVER_APPEARED_AFTER
    ):
        yield from ledger.run(ledger.release, entry.name)


def _may_pass(error: Exception) -> bool:
    """Return whether an error may pass soon, as "cannot be terminated while it is created"."""
    status = getattr(error, "status_code", None) or 0
    return status in _BUSY_STATUSES or status >= _FIRST_SERVER_ERROR


def _may_yet_be_shown(entry: LedgerEntry) -> bool:
    """Return whether a resource was launched just now, so that a 404 does not mean its end."""
    if entry.is_confirmed or entry.reserved_at is None:
        return False
    return timedelta() <= datetime.now(UTC) - entry.reserved_at < SHOWN_WITHIN


def _request_end(kind: str, identifier: str) -> Flow[None]:
    if kind == "job":
        yield from _unless_missing(_cancel(identifier))
        return
    yield from _unless_missing(instances.terminate(identifier))


def _remove_remains(instance: Instance) -> Flow[None]:
    """Delete an instance that has ended without being deleted."""
    if _is_lingering(instance):
        try:
            yield from _unless_missing(instances.terminate(instance.id))
        except ConflictError:
            return  # the service does it itself


def _is_lingering(instance: Instance) -> bool:
    return instance.status.lower() in instances.LINGERING_STATUSES


def _cancel(job_id: str) -> Flow[Job]:
    try:
        return (yield from jobs.cancel(job_id))
    except ConflictError:  # it has just ended on its own
        return (yield from jobs.get(job_id))


def look_up(kind: str, identifier: str) -> Flow[Instance | Job | None]:
    """Return a resource; `None` when there is none of this identifier."""
    if kind == "job":
        return (yield from _unless_missing(jobs.get(identifier)))
    return (yield from _unless_missing(instances.get(identifier)))


def _unless_missing(call: Operation[T]) -> Flow[T | None]:
    try:
        return (yield from call)
    except NotFoundError:
        return None


def _record_found(ledger: SpendLedger, entry: LedgerEntry, resource: Instance | Job) -> None:
    ledger.note(entry.name, id=resource.id, state="started", is_confirmed=True)


def _is_running(resource: Instance | Job) -> bool:
    return resource.status.lower() == "running"


def _reason(result: str | Exception | None) -> str | None:
    return result if result is None or isinstance(result, str) else _message(result)


def _message(error: Exception) -> str:
    known = isinstance(error, RuncrateError | ValueError)
    return str(error) if known else type(error).__name__
