"""Reservations: budget set aside for a launch before anything is sent, and the launch's outcome."""

from __future__ import annotations

import re
import secrets
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from runcrate_core.api import instances
from runcrate_core.api.lifetimes import is_endless, warn_of_another
from runcrate_core.errors import AmbiguousLaunchError, RuncrateError, SpendRefusedError
from runcrate_core.protocol.identifiers import is_usable
from runcrate_core.protocol.reconcile import same
from runcrate_core.spending import cleanup
from runcrate_core.spending.limits import MAX_JOB_RETRIES, MAX_RUNTIME_MINUTES
from runcrate_core.spending.money import cents, known_price
from runcrate_core.spending.plans import RunningResource, plain

if TYPE_CHECKING:
    from runcrate_core.api.instances import Instance
    from runcrate_core.api.job_types import Job
    from runcrate_core.protocol.steps import Flow
    from runcrate_core.spending.cleanup import Started
    from runcrate_core.spending.ledger import SpendLedger
    from runcrate_core.spending.ledger_entry import LedgerEntry
    from runcrate_core.spending.limits import SpendLimits

# Tag by which jobs of a guard are found again; its value is the prefix of their names.
JOB_TAG: Final = "started-by"
# Jobs in these states cost money, or will; others have ended (official SDK 0.5.0).
_LIVE_JOB_STATUSES: Final = ("queued", "starting", "running")
# A response that reports more GPUs is a mistake.
_MAX_REPORTED_GPUS: Final = 1000
# The longest name that was seen accepted.
_MAX_NAME_LENGTH: Final = 64
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")


class Reservations:
    """Reserves budget in a ledger, launches, and records the outcome.

    Args:
        limits: Spending limits.
        ledger: The ledger.
        owner: The guard, whose session the launches are counted to.
    """

    def __init__(self, limits: SpendLimits, ledger: SpendLedger, owner: object = None) -> None:
        self._limits = limits
        self._ledger = ledger
        self._owner = owner

    def running(self) -> Flow[list[RunningResource]]:
        """Return the live instances and jobs under the prefix, whatever started them."""
        return (yield from self._survey())[0]

    def _survey(self) -> Flow[tuple[list[RunningResource], frozenset[str]]]:
        """Return what runs under the prefix, and the identifiers of everything that is listed."""
        listed = yield from instances.list_instances()
        owned = [
            RunningResource(
                id=item.id,
                name=item.name,
                status=item.status,
                gpu_type=item.gpu_type,
                gpu_count=_gpus(item),
                price_per_hour=item.cost_per_hour,
            )
            for item in listed
            if not item.has_ended and self._limits.owns(item.name)
        ]
        known = {item.name for item in owned}
        jobs = yield from cleanup.all_jobs(
            status=_LIVE_JOB_STATUSES, tags={JOB_TAG: self._limits.name_prefix}
        )
        owned += [
            RunningResource(
                id=job.id,
                name=job.name,
                status=job.status,
                gpu_type=job.gpu_type,
                gpu_count=_gpus(job),
                price_per_hour=job.cost_per_hour,
            )
            for job in jobs
            if not job.has_ended and job.name not in known
        ]
        owned = list({item.id: item for item in owned}.values())  # pages may repeat some
        return owned, frozenset({item.id for item in listed} | {job.id for job in jobs})

    def reserve(self, entry: LedgerEntry, *, plan_token: str | None = None) -> Flow[frozenset[str]]:
        """Reserve budget and a place for what is to be launched.

        Args:
            entry: Its entry.
            plan_token: The plan that is used up by it.

        Returns:
            Identifiers of the resources that there were before the launch.

        Raises:
            SpendRefusedError: It would exceed a limit. Nothing was launched.
        """
        running, before = yield from self._survey()
        yield from cleanup.settle_ended(self._ledger, {item.id for item in running})
        cancelled = threading.Event()
        try:
            yield from self._ledger.run(
                self._ledger.reserve,
                entry,
                self._limits,
                running,
                owner=self._owner,
                plan_token=plan_token,
                cancelled=cancelled,
            )
        except (RuncrateError, ValueError):
            raise
        except BaseException:
            # Its thread may still be waiting for the ledger: then it reserves nothing.
            cancelled.set()
            self._ledger.attempt(self._ledger.release, entry.name)
            raise
        return before

    def launch(
        self, entry: LedgerEntry, creation: Flow[Started], before: frozenset[str]
    ) -> Flow[Started]:
        """Run the creation of a reserved resource, record its outcome, and verify it.

        Args:
            entry: Its entry.
            creation: Creates it.
            before: Identifiers of the resources that there were before: none is the new one.

        Raises:
            SpendRefusedError: The API launched something beyond the limits;
                it was terminated, or the message gives the reason why not.
            AmbiguousLaunchError: The response was lost, or did not name what was launched; or the
                ledger could not record it.
        """
        ledger, name = self._ledger, entry.name
        try:
            created = yield from creation
        except (RuncrateError, ValueError) as error:
            is_unknown = isinstance(error, RuncrateError) and error.may_have_been_received
            if is_unknown or isinstance(error, AmbiguousLaunchError):
                yield from ledger.run(ledger.attempt, ledger.note, name, state="unknown")
            else:  # it is certain that nothing was launched
                yield from ledger.run(ledger.attempt, ledger.release, name)
            raise
        except BaseException:
            ledger.attempt(ledger.note, name, state="unknown")
            raise
        try:
            return (yield from self._recorded(entry, created, before))
        except (AmbiguousLaunchError, SpendRefusedError):
            raise
        except RuncrateError as error:
            raise AmbiguousLaunchError(
                f"The {entry.kind} {name!r} (`{created.id}`) was launched and is charged, but the "
                "ledger could not record that: it counts as reserved, with its worst case. "
                "Terminate it when it is not needed.",
                name=name,
                may_have_been_received=True,
            ) from error
        except BaseException as interruption:
            ledger.attempt(ledger.note, name, state="unknown")
            interruption.add_note(f"The {entry.kind} {name!r} (`{created.id}`) was launched.")
            raise

    def _recorded(
        self, entry: LedgerEntry, created: Started, before: frozenset[str]
    ) -> Flow[Started]:
        """Identify, record and verify what was launched."""
        is_new = self._is_new(entry, created, before)
        has_other_name = bool(created.name) and not same(entry.name, created.name)
        if has_other_name or not is_new:
            created = yield from self._identified(entry, created, is_new=is_new)
        yield from self._record(entry, created)
        if is_endless(created):
            created = yield from self._looked_up(entry, created)
            yield from self._record(entry, created)
        yield from self._verify(entry, created)
        warn_of_another(created, entry.max_runtime_minutes)
        return created

    def unique_name(self, name: str | None) -> str:
        """Return a name under the prefix of the limits by which a lost launch is found again."""
        rest = (name or "").removeprefix(self._limits.name_prefix)
        rest = _NOT_IN_NAMES.sub("-", rest).strip("-") or "instance"
        suffix = f"-{secrets.token_hex(3)}"
        return f"{self._limits.name_prefix}{rest}"[: _MAX_NAME_LENGTH - len(suffix)] + suffix

    def _is_new(self, entry: LedgerEntry, created: Started, before: frozenset[str]) -> bool:
        """Return whether a response has an identifier that can be used, and no other resource."""
        is_other = any(
            known.id == created.id and known.name != entry.name for known in self._ledger.entries
        )
        return created.id not in before and not is_other and is_usable(created.id)

    def _identified(self, entry: LedgerEntry, created: Started, *, is_new: bool) -> Flow[Started]:
        """Return what was launched by its name, after a response that does not identify it.

        A new identifier under another name is kept for its termination, which looks at its age.

        Raises:
            AmbiguousLaunchError: It is not listed.
        """
        changes = {"state": "unknown"} | ({"id": created.id} if is_new else {})
        yield from self._ledger.run(self._ledger.note, entry.name, **changes)
        listed = yield from cleanup.look_up_by_name(entry.kind, entry.name)
        if isinstance(listed, type(created)) and is_usable(listed.id):
            return listed
        shown = f" (`{created.id}`, {created.name!r})" if is_new else ""
        raise AmbiguousLaunchError(
            f"The {entry.kind} {entry.name!r} was launched, but the response does not identify it"
            f"{shown}, and it is not listed under its name. It may run and be charged. Look it up "
            "before launching another.",
            name=entry.name,
            may_have_been_received=True,
        )

    def _record(self, entry: LedgerEntry, created: Started) -> Flow[None]:
        """Record an outcome at the price and size of the response, never below the plan's.

        What ends at no time counts with the longest lifetime that there is, and nothing counts
        with more than there is.
        """
        yield from self._ledger.run(self._ledger.restore, entry, self._owner)
        price = known_price(created.cost_per_hour) or entry.price_per_hour
        minutes = MAX_RUNTIME_MINUTES if is_endless(created) else created.max_runtime_minutes or 0
        gpus, retries = created.gpu_count or 0, getattr(created, "max_retries", None) or 0
        yield from self._ledger.run(
            self._ledger.note,
            entry.name,
            id=created.id,
            state="started",
            price_per_hour=max(price, entry.price_per_hour),
            gpu_count=max(min(gpus, _MAX_REPORTED_GPUS), entry.gpu_count),
            max_runtime_minutes=max(min(minutes, MAX_RUNTIME_MINUTES), entry.max_runtime_minutes),
            attempts=max(1 + min(retries, MAX_JOB_RETRIES), entry.attempts),
        )

    def _looked_up(self, entry: LedgerEntry, created: Started) -> Flow[Started]:
        """Return a resource as it is shown now, whose launch reported no end of it."""
        try:
            seen = yield from cleanup.look_up(entry.kind, created.id)
        except RuncrateError:
            return created
        if not isinstance(seen, type(created)) or seen.id != created.id:
            return created
        return seen if "max_runtime_minutes" in seen.model_fields_set else created

    def _verify(self, entry: LedgerEntry, created: Started) -> Flow[None]:
        """Terminate what is beyond the limits, although its plan was within them.

        Raises:
            SpendRefusedError: It is.
        """
        excess = self._excess(entry, created)
        if excess is None:
            return
        started = next((known for known in self._ledger.entries if known.name == entry.name), entry)
        try:
            report = yield from cleanup.terminate_all(
                self._ledger,
                exclude={known.name for known in self._ledger.entries} - {entry.name},
            )
            outcome = report.describe()
        except RuncrateError as error:
            outcome = f"It could not be terminated: {error.message}"
        raise SpendRefusedError(
            f"The API launched something other than planned: {plain(started.name)} "
            f"({created.id!r}) {excess}. It counts with its real price. {outcome}"
        )

    def _excess(self, planned: LedgerEntry, created: Started) -> str | None:
        if is_endless(created):
            return (
                "reports no end of its own, although a lifetime of "
                f"{planned.max_runtime_minutes} minutes was requested"
            )
        entries = self._ledger.entries
        entry = next((known for known in entries if known.name == planned.name), planned)
        limits = self._limits
        if entry.price_per_hour > limits.price_limit_usd:
            return (
                f"costs {entry.price_per_hour} USD an hour, and the limit is "
                f"{limits.price_limit_usd}"
            )
        gpus = sum(known.gpu_count for known in entries if known.is_live)
        if entry.gpu_count > planned.gpu_count and gpus > limits.max_gpus:
            return f"has {entry.gpu_count} GPUs, and the limit is {limits.max_gpus} in all"
        minutes = created.max_runtime_minutes or 0
        if minutes > max(planned.max_runtime_minutes, limits.max_runtime_minutes):
            return f"may run for {minutes} minutes, and the limit is {limits.max_runtime_minutes}"
        total = sum((known.at_most_usd for known in entries), Decimal())
        if entry.at_most_usd > planned.at_most_usd and total > limits.budget_usd:
            return (
                f"may cost {cents(entry.at_most_usd)} USD, which exceeds the remaining budget of "
                f"{limits.budget_usd} USD"
            )
        return None


def _gpus(resource: Instance | Job) -> int:
    """Return the GPUs of a resource: one if the API does not report it, as the limits count."""
    return 1 if resource.gpu_count is None else resource.gpu_count
