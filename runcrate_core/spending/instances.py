"""Instances of a guard: plan, launch, change and terminate them within limits."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.api import instances
from runcrate_core.errors import APIStatusError, InternalServerError, SpendRefusedError
from runcrate_core.protocol.steps import Now
from runcrate_core.spending import cleanup
from runcrate_core.spending.instance_selection import cheapest, price_of
from runcrate_core.spending.ledger import LedgerEntry
from runcrate_core.spending.limits import refused
from runcrate_core.spending.plans import LaunchPlan, LifetimeExtension

if TYPE_CHECKING:
    from runcrate_core.api.instance_types import Instance
    from runcrate_core.protocol.steps import Flow
    from runcrate_core.spending.approval import Approval
    from runcrate_core.spending.ledger import SpendLedger
    from runcrate_core.spending.limits import SpendLimits
    from runcrate_core.spending.reservations import Reservations

# Plans that are kept; an agent that makes more has lost its way, and the oldest are dropped.
MAX_PLANS: Final = 100
# A change of its lifetime never terminates an instance sooner (official SDK 0.5.0).
SOONEST_STOP_MINUTES: Final = 2
_SECONDS_PER_MINUTE: Final = 60


class GuardedInstances:
    """Plans, launches, changes and terminates instances within limits; a part of `SpendGuard`."""

    def __init__(
        self,
        limits: SpendLimits,
        ledger: SpendLedger,
        approval: Approval,
        reservations: Reservations,
        *,
        may_end_others: bool,
    ) -> None:
        self._limits = limits
        self._ledger = ledger
        self._approval = approval
        self._reservations = reservations
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
        self._limits.check_request(
            gpu_type=gpu_type,
            region=region,
            gpu_count=gpu_count,
            runtime_minutes=max_runtime_minutes,
        )
        instance_type = cheapest(
            (yield from instances.list_types(gpu_type=gpu_type, region=region)),
            self._limits,
            gpu_count=gpu_count,
            gpu_type=gpu_type,
            instance_type_id=instance_type_id,
        )
        price = self._limits.check_price(instance_type.hourly_rate, f"`{instance_type.id}`")
        running = yield from self._reservations.running()
        plan = LaunchPlan(
            name=self._reservations.unique_name(name),
            instance_type_id=instance_type.id,
            gpu_type=instance_type.gpu_type,
            gpu_count=instance_type.gpu_count,
            region=instance_type.region,
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
            yield from self._approval.require(plan)
            yield from self._reservations.reserve(
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
        return (yield from self._reservations.launch(plan.name, creation))

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
        self._limits.check_request(
            gpu_type=None, region=None, gpu_count=1, runtime_minutes=max_runtime_minutes
        )
        instance = yield from self._own(instance_id, "changed")
        entry = self._ledger.find(instance.id)
        before = 0 if entry is None else entry.max_runtime_minutes
        longest = max(max_runtime_minutes, before + SOONEST_STOP_MINUTES)
        if longest > self._limits.max_runtime_minutes + SOONEST_STOP_MINUTES:
            raise refused(
                f"the life of {instance.name!r} was changed at its end before, and could exceed "
                f"{self._limits.max_runtime_minutes} minutes",
                "Let it end, or terminate it",
                "Nothing was changed.",
            )
        if entry is not None and max_runtime_minutes > before:
            price = entry.price_per_hour
            yield from self._approval.require(
                LifetimeExtension(entry.name, price, before, max_runtime_minutes)
            )
        self._ledger.extend(instance.name, longest, self._limits)
        try:
            after = yield from instances.update(
                instance.id, max_runtime_minutes=max_runtime_minutes
            )
        except APIStatusError as error:
            if not isinstance(error, InternalServerError):  # else it may have been changed
                self._ledger.note(instance.name, max_runtime_minutes=before)
            raise
        minutes = lifetime_minutes(after, max_runtime_minutes)
        if minutes is not None:
            self._ledger.note(instance.name, max_runtime_minutes=minutes)
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
        return (yield from cleanup.end_instance(self._ledger, instance))

    def _own(self, instance_id: str, what: str, expected_name: str | None = None) -> Flow[Instance]:
        instance = yield from instances.get(instance_id)
        if not (self._may_end_others or self._limits.owns(instance.name)):
            raise SpendRefusedError(
                f"The machine `{instance.id}` is not one of those that were started here (their "
                f"names begin with {self._limits.name_prefix!r}), so it was not {what}."
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
