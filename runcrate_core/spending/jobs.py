"""Jobs of a guard: run and cancel them within limits."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from runcrate_core.api import instance_types, job_submissions, jobs
from runcrate_core.protocol.reconcile import by_name
from runcrate_core.protocol.steps import Call
from runcrate_core.spending import cleanup
from runcrate_core.spending.instance_selection import candidates_of, most_expensive_for_job
from runcrate_core.spending.ledger_entry import LedgerEntry
from runcrate_core.spending.limits import MAX_JOB_RETRIES, MIN_JOB_MINUTES, refused
from runcrate_core.spending.money import known_price
from runcrate_core.spending.plans import JobPlan
from runcrate_core.spending.reservations import JOB_TAG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcrate_core.api.instance_types import InstanceType
    from runcrate_core.api.job_types import Job
    from runcrate_core.protocol.steps import Flow
    from runcrate_core.spending.approval import Approval
    from runcrate_core.spending.instance_selection import Candidate
    from runcrate_core.spending.ledger import SpendLedger
    from runcrate_core.spending.limits import SpendLimits
    from runcrate_core.spending.ownership import Ownership
    from runcrate_core.spending.reservations import Reservations


class GuardedJobs:
    """Runs and cancels jobs within limits; a part of `SpendGuard`."""

    def __init__(
        self,
        limits: SpendLimits,
        ledger: SpendLedger,
        approval: Approval,
        reservations: Reservations,
        ownership: Ownership,
    ) -> None:
        self._limits = limits
        self._ledger = ledger
        self._approval = approval
        self._reservations = reservations
        self._ownership = ownership

    def run(
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

        The API chooses its instance, so every instance type that it may choose must be within the
        limits, and the cost of the most expensive is reserved, for each attempt.

        Args:
            command: Shell command.
            gpu_type: GPU, or several to try in order; one may carry its count (`A100-80GB:2`).
            max_runtime_minutes: Lifetime of each attempt, which must be given.
            gpu_count: GPUs of the instance where `gpu_type` does not set it.
            region: Where it must run; must be given when the limits name regions.
            max_retries: Further attempts after a failed one, 0 to 10.
            name: A part of its name, between the prefix of the limits and a unique suffix.
            options: Further fields of `jobs.run`.

        Raises:
            SpendRefusedError: The limits forbid it, or it was not approved. Nothing was sent.
            AmbiguousLaunchError: The response was lost; the ledger counts it as started.
        """
        wanted = candidates_of(gpu_type, gpu_count)
        self._check(wanted, region, max_runtime_minutes)
        attempts = 1 + _whole_retries(max_retries)
        price, gpus = yield from self._price_and_gpus(wanted, region)
        plan = JobPlan(
            name=self._reservations.unique_name(name),
            command=command,
            gpu_types=tuple(candidate.spelled for candidate in wanted),
            gpu_count=gpus,
            region=region,
            price_per_hour=price,
            max_runtime_minutes=max_runtime_minutes or 0,
            attempts=attempts,
            options=options,
        )
        body = job_submissions.job_body(
            command=command,
            gpu_type=list(plan.gpu_types),
            max_runtime_minutes=plan.max_runtime_minutes,
            **{
                **options,
                "name": plan.name,
                "region": region,
                "max_retries": max_retries,
                "tags": {**(options.get("tags") or {}), JOB_TAG: self._limits.name_prefix},
            },
        )
        creation = job_submissions.submit(
            body, by_name(plan.name, partial(_listed, plan.name), is_unique=True)
        )
        approved_at = None
        if self._approval.is_required:
            yield from self._approval.require(plan)
            approved_at = datetime.now(UTC)
            price, gpus = yield from self._price_and_gpus(wanted, region)
            if price > plan.price_per_hour or gpus > plan.gpu_count:
                raise refused(
                    f"the price rose from {plan.price_per_hour} to {price} USD an hour, or more "
                    "GPUs are needed, since the job was approved",
                    "Ask again",
                )
        entry = LedgerEntry(
            plan.name,
            "job",
            plan.price_per_hour,
            plan.max_runtime_minutes,
            plan.gpu_count,
            attempts=plan.attempts,
            approved_at=approved_at,
        )
        before = yield from self._reservations.reserve(entry)
        return (yield from self._reservations.launch(entry, creation, before))

    def cancel(self, job_id: str) -> Flow[Job]:
        """Cancel a job, and record its end and cost once that is seen.

        Args:
            job_id: Identifier.

        Returns:
            The job as last seen: check its `has_ended`. One that has ended stays as it is.

        Raises:
            SpendRefusedError: It is not one of its own. It continues.
        """
        job = yield from jobs.get(job_id)
        self._ownership.require(job, job_id, "cancelled")
        return (yield from cleanup.cancel_job(self._ledger, job))

    def _price_and_gpus(
        self, wanted: Sequence[Candidate], region: str | None
    ) -> Flow[tuple[Decimal, int]]:
        """Return the highest price and the most GPUs of the instance types that a job may get.

        Raises:
            SpendRefusedError: One of them is beyond the limits.
        """
        selected: list[InstanceType] = []
        for candidate in wanted:
            offered = yield from instance_types.list_types(gpu_type=candidate.gpu_type)
            selected.append(most_expensive_for_job(offered, self._limits, candidate, region))
        price = max(known_price(item.hourly_rate) or Decimal() for item in selected)
        return price, max(item.gpu_count for item in selected)

    def _check(
        self, wanted: Sequence[Candidate], region: str | None, runtime_minutes: int | None
    ) -> None:
        for candidate in wanted:
            self._limits.check_request(
                gpu_type=candidate.gpu_type,
                region=region,
                gpu_count=candidate.gpu_count,
                runtime_minutes=runtime_minutes,
                shortest_minutes=MIN_JOB_MINUTES,
            )
        if self._limits.regions is not None and region is None:
            raise refused(
                "a job without `region` may run anywhere",
                f"Give one of {', '.join(self._limits.regions)}",
            )


def _listed(name: str) -> Call[list[Job]]:
    call = jobs.list_jobs(q=name)
    return Call(call.request, lambda response: list(call.parse(response).items))


def _whole_retries(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_JOB_RETRIES:
        raise refused(f"{value!r} retries are not possible", f"Allowed are 0 to {MAX_JOB_RETRIES}")
    return value
