"""Instances of a guard: plan, launch, change and terminate them within limits."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.api import instance_types, instances
from runcrate_core.api.lifetimes import is_endless
from runcrate_core.errors import RuncrateError, SpendRefusedError
from runcrate_core.protocol.json_body import refuse_misspelt, without_none
from runcrate_core.protocol.reconcile import is_ambiguous
from runcrate_core.protocol.steps import Now
from runcrate_core.spending import cleanup
from runcrate_core.spending.instance_selection import cheapest, price_of
from runcrate_core.spending.ledger_entry import LedgerEntry
from runcrate_core.spending.limits import MAX_RUNTIME_MINUTES, refused
from runcrate_core.spending.plans import LaunchPlan, LifetimeExtension

if TYPE_CHECKING:
    from runcrate_core.api.instances import Instance
    from runcrate_core.protocol.steps import Flow
    from runcrate_core.spending.approval import Approval
    from runcrate_core.spending.ledger import SpendLedger
    from runcrate_core.spending.ledger_storage import StoredPlan
    from runcrate_core.spending.limits import SpendLimits
    from runcrate_core.spending.ownership import Ownership
    from runcrate_core.spending.reservations import Reservations

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
        ownership: Ownership,
    ) -> None:
        self._limits = limits
        self._ledger = ledger
        self._approval = approval
        self._reservations = reservations
        self._ownership = ownership

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
        """Choose the cheapest instance type that fits, and show the cost of launching it.

        Args:
            gpu_type: GPU to launch; any allowed one when not given.
            region: Region to launch in; any allowed one when not given.
            gpu_count: How many GPUs.
            instance_type_id: An entry of `instances.list_types`, instead of the cheapest.
            max_runtime_minutes: Its lifetime, which must be given.
            name: A part of its name, between the prefix of the limits and a unique suffix.
            options: Further fields of `instances.create`.

        Raises:
            SpendRefusedError: The limits forbid it, or no instance type fits.
            ValueError: An option is misspelt.
        """
        refuse_misspelt(options, instances.LAUNCH_FIELDS)
        self._limits.check_request(
            gpu_type=gpu_type,
            region=region,
            gpu_count=gpu_count,
            runtime_minutes=max_runtime_minutes,
        )
        instance_type = cheapest(
            (yield from instance_types.list_types(gpu_type=gpu_type, region=region)),
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
        yield from self._ledger.run(self._ledger.save_plan, plan)
        return plan

    def plan_of(self, token: str) -> LaunchPlan | None:
        """Return a plan that was made and not launched, without a request."""
        return self._ledger.plan_of(token)

    def launch(self, token: str) -> Flow[Instance]:
        """Launch a plan, once.

        Age, limits and price are checked before a person is asked and again afterwards; then
        budget is reserved, and only then is the launch sent. The response is compared with the
        plan: anything beyond the limits is terminated at once.

        Args:
            token: The plan's `token`.

        Raises:
            SpendRefusedError: The plan is unknown, used, expired or not approved, its price
                rose, or the limits forbid it; nothing was launched. Or the API launched something
                beyond the limits, which was terminated.
            AmbiguousLaunchError: The response was lost; the ledger counts it as started.
        """
        ledger = self._ledger
        stored = yield from ledger.run(ledger.claim_plan, token)
        plan = stored.plan
        try:
            yield from self._check(stored)
            creation = instances.launch(
                without_none(
                    **plan.options,
                    name=plan.name,
                    instance_type_id=plan.instance_type_id,
                    max_runtime_minutes=plan.max_runtime_minutes,
                ),
                has_unique_name=True,
            )
            if self._approval.is_required and stored.approved_at is None:
                yield from self._approval.require(plan)
                yield from ledger.run(ledger.approve_plan, token)
                stored = replace(stored, approved_at=datetime.now(UTC))
                yield from self._check(stored)
            entry = LedgerEntry(
                plan.name,
                "instance",
                plan.price_per_hour,
                plan.max_runtime_minutes,
                plan.gpu_count,
                approved_at=stored.approved_at,
            )
            before = yield from self._reservations.reserve(entry, plan_token=token)
        except BaseException:
            ledger.attempt(ledger.unclaim_plan, token)  # nothing was sent: it may be tried again
            raise
        return (yield from self._reservations.launch(entry, creation, before))

    def update(self, instance_id: str, *, max_runtime_minutes: int) -> Flow[Instance]:
        """Change the lifetime of an instance of the ledger, within the limits.

        The server never terminates an instance sooner than two minutes after a change, so changes
        near its end would prolong it without end: that time is counted, and the lifetime of the
        limits is exceeded by two minutes at most.

        Args:
            instance_id: Identifier.
            max_runtime_minutes: Its complete lifetime, from when it first ran.

        Raises:
            SpendRefusedError: It was not started here, the limits forbid it, or a longer lifetime
                was not approved. Nothing was changed. Or the API reports another lifetime, beyond
                the limits; it counts with that.
            RuncrateError: The change failed. Where it may have been made, the ledger counts the
                longer lifetime.
        """
        self._limits.check_request(
            gpu_type=None, region=None, gpu_count=1, runtime_minutes=max_runtime_minutes
        )
        instance = yield from self._own(instance_id, "changed")
        entry = next((known for known in self._ledger.live if known.id == instance.id), None)
        if entry is None:
            raise refused(
                f"no running instance in the ledger is called {instance.name!r}",
                "Launch an instance with the lifetime that is needed",
                "Nothing was changed.",
            )
        before = entry.max_runtime_minutes
        longest = max(max_runtime_minutes, before + SOONEST_STOP_MINUTES)
        if longest > self._limits.max_runtime_minutes + SOONEST_STOP_MINUTES:
            raise refused(
                f"the lifetime of {instance.name!r} was changed near its end before, and could "
                f"exceed {self._limits.max_runtime_minutes} minutes",
                "Let it end, or terminate it",
                "Nothing was changed.",
            )
        if max_runtime_minutes > before:
            price = entry.price_per_hour
            extension = LifetimeExtension(entry.name, price, before, max_runtime_minutes)
            yield from self._approval.require(extension)
        yield from self._ledger.run(self._ledger.extend, entry.name, longest, self._limits)
        changed = yield from self._changed(entry, instance, max_runtime_minutes)
        reported = MAX_RUNTIME_MINUTES
        if not is_endless(changed):
            reported = min(changed.max_runtime_minutes or 0, MAX_RUNTIME_MINUTES)
        minutes = lifetime_minutes(changed, max_runtime_minutes) or max(longest, reported)
        yield from self._ledger.run(self._ledger.note, entry.name, max_runtime_minutes=minutes)
        if reported > self._limits.max_runtime_minutes or is_endless(changed):
            shown = "none" if is_endless(changed) else f"one of {reported} minutes"
            raise SpendRefusedError(
                f"A lifetime of {max_runtime_minutes} minutes was requested for {entry.name!r} "
                f"(`{instance.id}`), and the API reports {shown}: it may run and be charged for "
                "longer than the limits allow. Terminate it, or change its lifetime again."
            )
        return changed

    def terminate(self, instance_id: str, *, expected_name: str | None = None) -> Flow[Instance]:
        """Terminate an instance, and record its end and cost once that is seen.

        Args:
            instance_id: Identifier.
            expected_name: The name it must have, as a check against a mistaken identifier.

        Returns:
            The instance as last seen: check its `has_ended`.

        Raises:
            SpendRefusedError: It is not one of its own, or has another name. It continues.
        """
        instance = yield from self._own(instance_id, "terminated", expected_name)
        return (yield from cleanup.terminate_instance(self._ledger, instance))

    def _check(self, stored: StoredPlan) -> Flow[None]:
        """Refuse a plan that is old, beyond the limits or more expensive now.

        Raises:
            SpendRefusedError: It is.
        """
        plan = stored.plan
        now = yield from Now()
        if stored.asked_at is None:  # otherwise it waits for the answer of a person
            plan.check_age(now, made_here=stored.process == os.getpid())
        self._limits.check_request(
            gpu_type=plan.gpu_type,
            region=plan.region,
            # An instance without a GPU is planned only by its name.
            gpu_count=max(plan.gpu_count, 1),
            runtime_minutes=plan.max_runtime_minutes,
        )
        if not self._limits.owns(plan.name):
            raise refused(f"the plan {plan.token!r} is one of other limits", "Make a new plan")
        offered = yield from instance_types.list_types(gpu_type=plan.gpu_type)
        price = price_of(offered, plan.instance_type_id)
        plan.check_price(price)
        self._limits.check_price(price, f"`{plan.instance_type_id}`")

    def _changed(self, entry: LedgerEntry, instance: Instance, minutes: int) -> Flow[Instance]:
        """Send a change of lifetime; one whose response was lost is looked up."""
        try:
            changed = yield from instances.change(instance.id, {"max_runtime_minutes": minutes})
        except RuncrateError as error:
            if not is_ambiguous(error):
                yield from self._ledger.run(
                    self._ledger.note, entry.name, max_runtime_minutes=entry.max_runtime_minutes
                )
                raise
            try:
                seen = yield from instances.get(instance.id)
            except RuncrateError:
                raise error from None
            if seen.id != instance.id or seen.max_runtime_minutes != minutes:
                raise
            return seen
        if changed.id == instance.id and not is_endless(changed):
            return changed
        seen = yield from instances.get(instance.id)
        self._ownership.require(seen, instance.id, "verified")
        return seen

    def _own(
        self, instance_id: str, action: str, expected_name: str | None = None
    ) -> Flow[Instance]:
        instance = yield from instances.get(instance_id)
        self._ownership.require(instance, instance_id, action, expected_name)
        yield from self._ledger.run(cleanup.record_if_ended, self._ledger, instance)
        return instance


def lifetime_minutes(instance: Instance, requested: int) -> int | None:
    """Return the lifetime of an instance after a change; `None` if the response does not report it.

    Args:
        instance: The response to the change.
        requested: The lifetime that was requested. A response with a shorter one is invalid.
    """
    if is_endless(instance) or (instance.max_runtime_minutes or 0) > requested:
        return None
    if instance.deployed_at is None:
        # Its lifetime starts when it runs.
        return None if instance.is_running else requested
    if instance.auto_stop_at is None:
        return None
    seconds = (instance.auto_stop_at - instance.deployed_at).total_seconds()
    minutes = math.ceil(seconds / _SECONDS_PER_MINUTE)
    return minutes if minutes >= requested else None
