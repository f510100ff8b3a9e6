"""The guard between an agent and the GPU cloud: plan, launch, change and end within limits.

It is written once for both clients and both frameworks: its methods return flows, which
`client.run(...)` (or `await client.run(...)`) carries out.

    guard = SpendGuard(SpendLimits(max_price_per_hour=2, max_runtime_minutes=30))
    plan = client.run(guard.plan(gpu_type="A100", max_runtime_minutes=30))
    instance = client.run(guard.launch(plan.token))
    job = client.run(guard.run_job(command="...", gpu_type="A100", max_runtime_minutes=10))
    client.run(guard.terminate_all())
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.api import instances
from runcrate_core.errors import APIStatusError, InternalServerError, SpendRefusedError
from runcrate_core.protocol.steps import Now
from runcrate_core.spending import cleanup
from runcrate_core.spending.instance_selection import cheapest, price_of
from runcrate_core.spending.job_guard import JobGuard
from runcrate_core.spending.ledger import LedgerEntry
from runcrate_core.spending.limits import refused
from runcrate_core.spending.plans import LaunchPlan, LifetimeExtension

if TYPE_CHECKING:
    from collections.abc import Collection

    from runcrate_core.api.instance_types import Instance
    from runcrate_core.protocol.steps import Flow
    from runcrate_core.spending.cleanup import CleanupReport
    from runcrate_core.spending.ledger import SpendLedger
    from runcrate_core.spending.limits import SpendLimits
    from runcrate_core.spending.plans import ApproveCallback

# Plans that are kept; an agent that makes more has lost its way, and the oldest are forgotten.
MAX_PLANS: Final = 100
# A change of its lifetime never ends a machine sooner (official SDK 0.5.0).
SOONEST_STOP_MINUTES: Final = 2
_SECONDS_PER_MINUTE: Final = 60


class SpendGuard(JobGuard):
    """Plans, launches and ends machines and jobs within limits, and keeps the ledger.

    Args:
        limits: What may be spent.
        ledger: The ledger to keep; a new one when not given.
        approve: Asked before each launch, job and longer life; anything but `True` refuses it.
        may_end_others: Whether machines may be ended whose names lack the prefix.
    """

    def __init__(
        self,
        limits: SpendLimits,
        *,
        ledger: SpendLedger | None = None,
        approve: ApproveCallback | None = None,
        may_end_others: bool = False,
    ) -> None:
        super().__init__(limits, ledger, approve)
        self._may_end_others = may_end_others
        self._plans: dict[str, LaunchPlan] = {}
        self._plans_lock = threading.Lock()

    def plan(
        self,
        *,
        gpu_type: str | None = None,
        region: str | None = None,
        gpu_count: int = 1,
        instance_type_id: str | None = None,
        max_runtime_minutes: int | None = None,
        name: str | None = None,
        **options: Any,
    ) -> Flow[LaunchPlan]:
        """Choose the cheapest machine that fits, and show what launching it would do.

        Args:
            gpu_type: GPU to look for; any allowed one when not given.
            region: Region to look in; any allowed one when not given.
            gpu_count: How many GPUs.
            instance_type_id: One machine of `instances.list_types`, instead of the cheapest.
            max_runtime_minutes: Its lifetime, which must be given.
            name: The end of its name; the prefix of the limits is put before it.
            options: Further fields of `instances.create`.

        Raises:
            SpendRefusedError: The limits forbid it, or no machine fits.
        """
        self.limits.check_request(
            gpu_type=gpu_type,
            region=region,
            gpu_count=gpu_count,
            runtime_minutes=max_runtime_minutes,
        )
        machine = cheapest(
            (yield from instances.list_types(gpu_type=gpu_type, region=region)),
            self.limits,
            gpu_count=gpu_count,
            gpu_type=gpu_type,
            instance_type_id=instance_type_id,
        )
        price = self.limits.check_price(machine.hourly_rate, f"`{machine.id}`")
        running = yield from self.running()
        plan = LaunchPlan(
            name=self._full_name(name),
            instance_type_id=machine.id,
            gpu_type=machine.gpu_type,
            gpu_count=machine.gpu_count,
            region=machine.region,
            price_per_hour=price,
            max_runtime_minutes=max_runtime_minutes or 0,
            running=tuple(running),
            made_at=(yield from Now()),
            options=options,
        )
        self._keep(plan)
        return plan

    def plan_of(self, token: str) -> LaunchPlan | None:
        """Return a plan that was made and not carried out, without asking the API."""
        with self._plans_lock:
            return self._plans.get(token)

    def launch(self, token: str) -> Flow[Instance]:
        """Carry out a plan, once.

        Price and what runs are looked at anew, money is reserved, and only then is anything sent.

        Args:
            token: The plan's `token`.

        Raises:
            SpendRefusedError: The plan is unknown, used, old or dearer, or was not approved, or
                the limits forbid it now. Nothing was launched.
            AmbiguousLaunchError: The answer was lost; the ledger counts it as started.
        """
        plan = self._claim(token)
        try:
            plan.check_age((yield from Now()))
            offered = yield from instances.list_types(gpu_type=plan.gpu_type)
            plan.check_price(price_of(offered, plan.instance_type_id))
            creation = instances.create(
                name=plan.name,
                instance_type_id=plan.instance_type_id,
                max_runtime_minutes=plan.max_runtime_minutes,
                **plan.options,
            )
            yield from self._ask(plan)
            yield from self._reserve(
                LedgerEntry(
                    plan.name,
                    "instance",
                    plan.price_per_hour,
                    plan.max_runtime_minutes,
                    plan.gpu_count,
                )
            )
        except BaseException:
            self._keep(plan)  # nothing was sent, so it may be tried again while it is young
            raise
        return (yield from self._started(plan.name, creation))

    def update(self, instance_id: str, *, max_runtime_minutes: int) -> Flow[Instance]:
        """Change the lifetime of a machine of the ledger, within the limits.

        The server never ends a machine sooner than two minutes after a change, so that changes
        near its end would prolong its life without end: that time is counted, and the lifetime of
        the limits is exceeded by two minutes at most.

        Args:
            instance_id: Identifier.
            max_runtime_minutes: Its whole life, from when it first ran.

        Raises:
            SpendRefusedError: It was not started here, the limits forbid it, or a longer life
                was not approved. Nothing was changed.
        """
        self.limits.check_request(
            gpu_type=None, region=None, gpu_count=1, runtime_minutes=max_runtime_minutes
        )
        instance = yield from self._own(instance_id, "changed")
        entry = self.ledger.find(instance.id)
        before = 0 if entry is None else entry.max_runtime_minutes
        longest = max(max_runtime_minutes, before + SOONEST_STOP_MINUTES)
        if longest > self.limits.max_runtime_minutes + SOONEST_STOP_MINUTES:
            raise refused(
                f"the life of {instance.name!r} was changed at its end before, and could exceed "
                f"{self.limits.max_runtime_minutes} minutes",
                "Let it end, or terminate it",
                "Nothing was changed.",
            )
        if entry is not None and max_runtime_minutes > before:
            price = entry.price_per_hour
            yield from self._ask(LifetimeExtension(entry.name, price, before, max_runtime_minutes))
        self.ledger.extend(instance.name, longest, self.limits)
        try:
            after = yield from instances.update(
                instance.id, max_runtime_minutes=max_runtime_minutes
            )
        except APIStatusError as error:
            if not isinstance(error, InternalServerError):  # else it may have been changed
                self.ledger.note(instance.name, max_runtime_minutes=before)
            raise
        minutes = lifetime_minutes(after, max_runtime_minutes)
        if minutes is not None:
            self.ledger.note(instance.name, max_runtime_minutes=minutes)
        return after

    def terminate(self, instance_id: str, *, expected_name: str | None = None) -> Flow[Instance]:
        """End a machine, and record what it cost.

        Args:
            instance_id: Identifier.
            expected_name: The name it must have, as a check against a mistaken identifier.

        Returns:
            The machine after its end.

        Raises:
            SpendRefusedError: It is not one of its own, or has another name. It runs on.
        """
        instance = yield from self._own(instance_id, "ended", expected_name)
        return (yield from cleanup.end_instance(self.ledger, instance))

    def settle(self) -> Flow[SpendLedger]:
        """Look at what became of everything in the ledger, and return it."""
        yield from cleanup.settle(self.ledger)
        return self.ledger

    def terminate_all(self, *, exclude: Collection[str] = ()) -> Flow[CleanupReport]:
        """End every machine and job in the ledger, whatever goes wrong with one of them.

        Args:
            exclude: Names of those to leave alone.
        """
        return (yield from cleanup.terminate_all(self.ledger, exclude))

    def _own(self, instance_id: str, what: str, expected_name: str | None = None) -> Flow[Instance]:
        instance = yield from instances.get(instance_id)
        if not (self._may_end_others or self.limits.owns(instance.name)):
            raise SpendRefusedError(
                f"The machine `{instance.id}` is not one of those that were started here (their "
                f"names begin with {self.limits.name_prefix!r}), so it was not {what}."
            )
        if expected_name is not None and instance.name != expected_name:
            raise SpendRefusedError(
                f"The machine `{instance.id}` has another name than {expected_name!r}, so it was "
                f"not {what}. List the machines and check the identifier."
            )
        return instance

    def _keep(self, plan: LaunchPlan) -> None:
        with self._plans_lock:
            if len(self._plans) >= MAX_PLANS:
                self._plans.pop(next(iter(self._plans)))
            self._plans[plan.token] = plan

    def _claim(self, token: str) -> LaunchPlan:
        """Take a plan away, so that no other call carries it out too."""
        with self._plans_lock:
            plan = self._plans.pop(token, None)
        if plan is None:
            raise SpendRefusedError(
                f"There is no plan `{token}`, or it was carried out already. Nothing was launched. "
                "Make a plan first; look at what runs before launching again."
            )
        return plan


def lifetime_minutes(instance: Instance, asked: int) -> int | None:
    """Return how long a machine lives after a change, as its answer says; `None` if it does not.

    Args:
        instance: The answer to the change.
        asked: The lifetime that was asked for.
    """
    if instance.deployed_at is None:
        return asked  # it does not run yet, and its life is counted from when it does
    if instance.auto_stop_at is None:
        return None
    seconds = (instance.auto_stop_at - instance.deployed_at).total_seconds()
    return math.ceil(seconds / _SECONDS_PER_MINUTE)
