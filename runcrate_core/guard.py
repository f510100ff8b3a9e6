"""The guard between an agent and the GPU cloud: plan, launch, change and end within limits.

It is written once for both clients and both frameworks: its methods return flows, which
`client.run(...)` (or `await client.run(...)`) carries out.

    guard = SpendGuard(SpendLimits(max_price_per_hour=2, max_runtime_minutes=30))
    plan = client.run(guard.plan(gpu_type="A100", max_runtime_minutes=30))
    instance = client.run(guard.launch(plan.token))
    client.run(guard.end_everything())
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.api import instances
from runcrate_core.errors import (
    AmbiguousLaunchError,
    NotFoundError,
    RuncrateError,
    SpendRefusedError,
)
from runcrate_core.protocol.steps import Do, Now, Sleep
from runcrate_core.spending import (
    LaunchPlan,
    RunningMachine,
    SpendEntry,
    SpendLedger,
    SpendLimits,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from runcrate_core.api.instances import Instance, InstanceType
    from runcrate_core.protocol.steps import Flow

# Plans that are kept; an agent that makes more has lost its way, and the oldest are forgotten.
MOST_PLANS: Final = 100
# How often and how far apart ending a machine is tried on the way out.
END_WAITS_S: Final = (0.5, 2.0, 5.0)
_SECONDS_PER_HOUR: Final = 3600


@dataclass(frozen=True)
class EndReport:
    """What `end_everything` did.

    Attributes:
        ended: Names of the machines that were ended, or had ended by themselves.
        failed: Names of those that could not be ended, with the reason. They end by their own
            lifetime.
    """

    ended: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]

    def describe(self) -> str:
        """Return what was done, in one or more sentences."""
        parts = [f"Ended: {', '.join(self.ended)}." if self.ended else "Nothing was left running."]
        parts += [
            f"{name} could not be ended ({reason}); the server ends it after its lifetime. "
            "Look at it in the dashboard."
            for name, reason in self.failed
        ]
        return " ".join(parts)


class SpendGuard:
    """Plans, launches and ends machines within limits, and keeps the ledger.

    Args:
        limits: What may be spent.
        ledger: The ledger to keep; a new one when not given.
        approve: Asked before each launch; anything but `True` refuses it.
        may_end_others: Whether machines may be ended whose names lack the prefix.
    """

    def __init__(
        self,
        limits: SpendLimits,
        *,
        ledger: SpendLedger | None = None,
        approve: Callable[[LaunchPlan], bool] | None = None,
        may_end_others: bool = False,
    ) -> None:
        self.limits = limits
        self.ledger = ledger if ledger is not None else SpendLedger()
        self._approve = approve
        self._may_end_others = may_end_others
        self._plans: dict[str, LaunchPlan] = {}

    def plan(
        self,
        *,
        gpu_type: str | None = None,
        region: str | None = None,
        gpu_count: int = 1,
        max_runtime_minutes: int | None = None,
        name: str | None = None,
        **options: Any,
    ) -> Flow[LaunchPlan]:
        """Choose the cheapest machine that fits, and show what launching it would do.

        Args:
            gpu_type: GPU to look for; any allowed one when not given.
            region: Region to look in; any allowed one when not given.
            gpu_count: How many GPUs.
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
            gpu_count,
        )
        price = self.limits.check_price(machine.hourly_rate, f"`{machine.id}`")
        running = yield from self.running()
        plan = LaunchPlan(
            name=self._full_name(name),
            instance_type_id=machine.id,
            gpu_type=machine.gpu_type,
            gpu_count=max(machine.gpu_count, gpu_count),
            region=machine.region,
            price_per_hour=price,
            max_runtime_minutes=max_runtime_minutes or 0,
            running=tuple(running),
            made_at=(yield from Now()),
            options=options,
        )
        if len(self._plans) >= MOST_PLANS:
            self._plans.pop(next(iter(self._plans)))
        self._plans[plan.token] = plan
        return plan

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
        plan = self._plans.get(token)
        if plan is None:
            raise SpendRefusedError(
                f"There is no plan `{token}`, or it was carried out already. Nothing was launched. "
                "Make a plan first; look at what runs before launching again."
            )
        plan.check_age((yield from Now()))
        plan.check_price((yield from self._price_now(plan)))
        if self._approve is not None and (yield from Do(partial(self._approve, plan))) is not True:
            raise SpendRefusedError(
                f"The launch of {plan.name!r} was not approved. Nothing was launched."
            )
        self.ledger.reserve(
            SpendEntry(
                plan.name, "instance", plan.price_per_hour, plan.max_runtime_minutes, plan.gpu_count
            ),
            self.limits,
            (yield from self.running()),
        )
        del self._plans[token]
        try:
            instance = yield from instances.create(
                name=plan.name,
                instance_type_id=plan.instance_type_id,
                max_runtime_minutes=plan.max_runtime_minutes,
                **plan.options,
            )
        except AmbiguousLaunchError:
            self.ledger.note(plan.name, state="unknown")
            raise
        except (RuncrateError, ValueError):
            self.ledger.release(plan.name)  # it is certain that nothing was launched
            raise
        except BaseException:
            self.ledger.note(plan.name, state="unknown")
            raise
        self.ledger.note(plan.name, id=instance.id, state="started")
        return instance

    def update(self, instance_id: str, *, max_runtime_minutes: int) -> Flow[Instance]:
        """Change the lifetime of a machine, within the limits.

        Raises:
            SpendRefusedError: It is not one of its own, or the limits forbid it.
        """
        instance = yield from self._own(instance_id, "changed")
        self.limits.check_request(
            gpu_type=None, region=None, gpu_count=1, runtime_minutes=max_runtime_minutes
        )
        self.ledger.extend(instance.name, max_runtime_minutes, self.limits)
        return (yield from instances.update(instance_id, max_runtime_minutes=max_runtime_minutes))

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
        yield from instances.terminate(instance_id)
        return (yield from self._record_end(instance))

    def running(self) -> Flow[list[RunningMachine]]:
        """Return what runs under the prefix of the limits, whoever started it."""
        found = yield from instances.list_instances()
        return [
            RunningMachine(
                id=item.id,
                name=item.name,
                status=item.status,
                gpu_type=item.gpu_type,
                gpu_count=item.gpu_count or 0,
                price_per_hour=item.cost_per_hour,
            )
            for item in found
            if not item.has_ended and self.limits.owns(item.name)
        ]

    def settle(self) -> Flow[SpendLedger]:
        """Look at what became of everything in the ledger, and return it."""
        for entry in self.ledger.live:
            if entry.id is not None and entry.kind == "instance":
                instance = yield from _present(entry.id)
                if instance is None or instance.has_ended:
                    self._note_end(entry.name, instance)
        return self.ledger

    def end_everything(self) -> Flow[EndReport]:
        """End every machine in the ledger, whatever goes wrong with one of them."""
        ended: list[str] = []
        failed: list[tuple[str, str]] = []
        for entry in self.ledger.live:
            try:
                yield from self._end(entry)
                ended.append(entry.name)
            except RuncrateError as error:
                failed.append((entry.name, error.message))
        return EndReport(tuple(ended), tuple(failed))

    def _end(self, entry: SpendEntry) -> Flow[None]:
        last: RuncrateError | None = None
        for wait in (0.0, *END_WAITS_S):
            if wait:
                yield Sleep(wait)
            try:
                instance = yield from self._find(entry)
                if instance is None:
                    self.ledger.note(entry.name, state="ended")
                    return
                if not instance.has_ended:
                    yield from instances.terminate(instance.id)
                yield from self._record_end(instance)
            except RuncrateError as error:
                last = error
            else:
                return
        if last is not None:
            raise last

    def _find(self, entry: SpendEntry) -> Flow[Instance | None]:
        if entry.id is not None:
            return (yield from _present(entry.id))
        found = yield from instances.list_instances(search=entry.name)
        return next((item for item in found if item.name == entry.name), None)

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

    def _record_end(self, instance: Instance) -> Flow[Instance]:
        after = yield from _present(instance.id)
        self._note_end(instance.name, after)
        return after if after is not None else instance

    def _note_end(self, name: str, instance: Instance | None) -> None:
        self.ledger.note(name, state="ended", cost_usd=cost_of_instance(instance))

    def _price_now(self, plan: LaunchPlan) -> Flow[Decimal | None]:
        offered = yield from instances.list_types(gpu_type=plan.gpu_type)
        return next(
            (item.hourly_rate for item in offered if item.id == plan.instance_type_id), None
        )

    def _full_name(self, name: str | None) -> str:
        longest = 64  # the longest that was seen accepted
        rest = (name or "").removeprefix(self.limits.name_prefix).strip() or "machine"
        # A name of its own is what a lost launch is found again by.
        ending = f"-{secrets.token_hex(3)}"
        return f"{self.limits.name_prefix}{rest}"[: longest - len(ending)] + ending


def cheapest(offered: list[InstanceType], limits: SpendLimits, gpu_count: int) -> InstanceType:
    """Return the cheapest machine that the limits allow.

    Raises:
        SpendRefusedError: There is none; it says what was offered.
    """
    fitting = [
        item
        for item in offered
        if item.hourly_rate is not None
        and item.gpu_count == gpu_count
        and limits.allows_gpu(item.gpu_type)
        and limits.allows_region(item.region)
    ]
    if not fitting:
        raise SpendRefusedError(
            f"None of the {len(offered)} machines offered has {gpu_count} GPU of an allowed type "
            "in an allowed region. Nothing was launched. List the instance types and choose "
            "another."
        )
    return min(fitting, key=lambda item: (item.hourly_rate or Decimal(), item.id))


def cost_of_instance(instance: Instance | None) -> Decimal | None:
    """Return what an ended machine cost in USD, or `None` when its times are not known.

    Counted is from when it was deployed until its last change, which is its end.
    """
    if instance is None or not instance.has_ended or instance.cost_per_hour is None:
        return None
    if instance.deployed_at is None:
        return Decimal()  # it ended before it ran
    if instance.updated_at is None:
        return None
    seconds = Decimal(str((instance.updated_at - instance.deployed_at).total_seconds()))
    return max(Decimal(), instance.cost_per_hour * seconds / _SECONDS_PER_HOUR)


def _present(instance_id: str) -> Flow[Instance | None]:
    try:
        return (yield from instances.get(instance_id))
    except NotFoundError:
        return None
