"""The guard of jobs, and what starting a machine and starting a job have in common."""

from __future__ import annotations

import functools
import inspect
import re
import secrets
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.api import instances, job_submissions, jobs
from runcrate_core.errors import (
    AmbiguousLaunchError,
    ConfigurationError,
    RuncrateError,
    SpendRefusedError,
)
from runcrate_core.protocol.reconcile import Creation, by_name, create_once
from runcrate_core.protocol.steps import InvokeCallback, RunInThread
from runcrate_core.spending import cleanup
from runcrate_core.spending.instance_selection import candidates_of, dearest_for_job
from runcrate_core.spending.ledger import LedgerEntry, SpendLedger
from runcrate_core.spending.limits import MIN_JOB_MINUTES, SpendLimits, refused
from runcrate_core.spending.plans import JobPlan, RunningResource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcrate_core.api.instance_types import InstanceType
    from runcrate_core.api.job_types import Job
    from runcrate_core.protocol.steps import Flow
    from runcrate_core.spending.cleanup import Started
    from runcrate_core.spending.instance_selection import Candidate
    from runcrate_core.spending.plans import ApproveCallback, Proposal

# The label by which jobs of a guard are found again; its value is the prefix of their names.
JOB_TAG: Final = "started-by"
# Jobs in these states cost money, or will; others have ended (official SDK 0.5.0).
_LIVE_JOB_STATUSES: Final = ("queued", "starting", "running")
MAX_RETRIES: Final = 10
# The longest name that was seen accepted.
_MAX_NAME_LENGTH: Final = 64
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")


class JobGuard:
    """Runs and cancels jobs within limits; the base of `SpendGuard`.

    Args:
        limits: What may be spent.
        ledger: The ledger to keep; a new one when not given.
        approve: Asked before each job; anything but `True` refuses it.

    Raises:
        ConfigurationError: `limits` is something else.
    """

    def __init__(
        self, limits: SpendLimits, ledger: SpendLedger | None, approve: ApproveCallback | None
    ) -> None:
        if not isinstance(limits, SpendLimits):
            raise ConfigurationError(
                f"`limits` must be `SpendLimits(...)`, not a `{type(limits).__name__}`. Nothing "
                "can be started with it."
            )
        self.limits = limits
        self.ledger = ledger if ledger is not None else SpendLedger()
        self._approve = approve

    def run_job(
        self,
        *,
        command: str,
        gpu_type: str | Sequence[str],
        max_runtime_minutes: int | None = None,
        gpu_count: int = 1,
        region: str | None = None,
        max_retries: int = 0,
        name: str | None = None,
        **options: Any,
    ) -> Flow[Job]:
        """Submit a job within the limits, once.

        The API chooses its machine, so every machine that it may choose must be within the
        limits, and what the dearest of them costs is reserved, for each attempt.

        Args:
            command: Shell command.
            gpu_type: GPU, or several to try in order; one may carry its count (`A100-80GB:2`).
            max_runtime_minutes: Longest life of each attempt, which must be given.
            gpu_count: GPUs of the machine where `gpu_type` does not say.
            region: Where it must run; must be given when the limits name regions.
            max_retries: Further attempts after a failed one, 0 to 10.
            name: The end of its name; the prefix of the limits is put before it.
            options: Further fields of `jobs.run`.

        Raises:
            SpendRefusedError: The limits forbid it, or it was not approved. Nothing was sent.
            AmbiguousLaunchError: The answer was lost; the ledger counts it as started.
        """
        wanted = candidates_of(gpu_type, gpu_count)
        self._check_job(wanted, region, max_runtime_minutes)
        attempts = 1 + _whole_retries(max_retries)
        dearest: list[InstanceType] = []
        for candidate in wanted:
            offered = yield from instances.list_types(gpu_type=candidate.gpu_type)
            dearest.append(dearest_for_job(offered, self.limits, candidate, region))
        plan = JobPlan(
            name=self._full_name(name),
            command=command,
            gpu_types=tuple(candidate.spelled for candidate in wanted),
            gpu_count=max(item.gpu_count for item in dearest),
            region=region,
            price_per_hour=max(item.hourly_rate or Decimal() for item in dearest),
            max_runtime_minutes=max_runtime_minutes or 0,
            attempts=attempts,
            options=options,
        )
        submission = job_submissions.run(
            command=command,
            gpu_type=list(plan.gpu_types),
            max_runtime_minutes=plan.max_runtime_minutes,
            **{
                **options,
                "name": plan.name,
                "region": region,
                "max_retries": max_retries,
                "tags": {**(options.get("tags") or {}), JOB_TAG: self.limits.name_prefix},
            },
        )
        yield from self._ask(plan)
        yield from self._reserve(
            LedgerEntry(
                plan.name,
                "job",
                plan.price_per_hour,
                plan.max_runtime_minutes,
                plan.gpu_count,
                attempts=plan.attempts,
            )
        )
        creation = Creation(
            what="job",
            name=plan.name,
            look_up=f"jobs.list(q={plan.name!r})",
            find=by_name(plan.name, partial(cleanup.jobs_called, plan.name)),
        )
        return (yield from self._started(plan.name, create_once(submission, creation)))

    def cancel_job(self, job_id: str) -> Flow[Job]:
        """Cancel a job, and record what it cost. One that has ended otherwise stays as it is.

        Raises:
            SpendRefusedError: It is not one of its own. It goes on.
        """
        job = yield from jobs.get(job_id)
        if not self.limits.owns(job.name):
            raise SpendRefusedError(
                f"The job `{job.id}` is not one of those that were started here (their names "
                f"begin with {self.limits.name_prefix!r}), so it was not cancelled."
            )
        return (yield from cleanup.end_job(self.ledger, job))

    def running(self) -> Flow[list[RunningResource]]:
        """Return what runs under the prefix of the limits, whoever started it."""
        machines = [
            RunningResource(
                id=item.id,
                name=item.name,
                status=item.status,
                gpu_type=item.gpu_type,
                gpu_count=item.gpu_count or 0,
                price_per_hour=item.cost_per_hour,
            )
            for item in (yield from instances.list_instances())
            if not item.has_ended and self.limits.owns(item.name)
        ]
        known = {machine.name for machine in machines}
        found = yield from cleanup.listed_jobs(
            status=_LIVE_JOB_STATUSES, tags={JOB_TAG: self.limits.name_prefix}
        )
        return machines + [
            RunningResource(
                id=job.id,
                name=job.name,
                status=job.status,
                gpu_type=job.gpu_type,
                gpu_count=job.gpu_count or 0,
                price_per_hour=job.cost_per_hour,
            )
            for job in found
            if not job.has_ended and job.name not in known
        ]

    def _check_job(
        self, wanted: Sequence[Candidate], region: str | None, runtime_minutes: int | None
    ) -> None:
        for candidate in wanted:
            self.limits.check_request(
                gpu_type=candidate.gpu_type,
                region=region,
                gpu_count=candidate.gpu_count,
                runtime_minutes=runtime_minutes,
                shortest_minutes=MIN_JOB_MINUTES,
            )
        if self.limits.regions is not None and region is None:
            raise refused(
                "a job without `region` may run anywhere",
                f"Give one of {', '.join(self.limits.regions)}",
            )

    def _ask(self, plan: Proposal) -> Flow[None]:
        approve = self._approve
        if approve is None:
            return
        answer = yield from RunInThread(partial(approve, plan))
        if inspect.isawaitable(answer):
            pending = answer
            answer = yield InvokeCallback(functools.wraps(approve)(lambda _: pending), plan)
        if answer is not True:
            raise SpendRefusedError(
                f"This was not approved: {plan.describe()}. Nothing was launched or changed."
            )

    def _reserve(self, entry: LedgerEntry) -> Flow[None]:
        running = yield from self.running()
        self.ledger.reserve(entry, self.limits, running)

    def _started(self, name: str, creation: Flow[Started]) -> Flow[Started]:
        """Carry out the creation of what is reserved, and record what became of it."""
        try:
            made = yield from creation
        except AmbiguousLaunchError:
            self.ledger.note(name, state="unknown")
            raise
        except (RuncrateError, ValueError):
            self.ledger.release(name)  # it is certain that nothing was launched
            raise
        except BaseException:
            self.ledger.note(name, state="unknown")
            raise
        self.ledger.note(name, id=made.id, state="started")
        return made

    def _full_name(self, name: str | None) -> str:
        rest = (name or "").removeprefix(self.limits.name_prefix)
        rest = _NOT_IN_NAMES.sub("-", rest).strip("-") or "machine"
        # A name of its own is what a lost launch is found again by.
        end = f"-{secrets.token_hex(3)}"
        return f"{self.limits.name_prefix}{rest}"[: _MAX_NAME_LENGTH - len(end)] + end


def _whole_retries(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_RETRIES:
        raise refused(f"{value!r} retries are not possible", f"Allowed are 0 to {MAX_RETRIES}")
    return value
