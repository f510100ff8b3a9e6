"""Credits running down: usage of live instances, and what happens when money or a budget ends.

An instance's usage accumulates by the second and becomes a transaction every hour, at the end of a
UTC month and when it stops. `floating` amounts include what has accumulated since.
"""

import math
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import instance_life
from runcrate_emulator.infrastructure.instance_life import Instance, StopReason
from runcrate_emulator.infrastructure.records import Environment
from runcrate_emulator.world import World

_SECONDS_PER_HOUR = 3600


def floating_balance(world: World) -> Decimal:
    """The balance net of what live instances have used."""
    return world.ledger.balance - active_usage(world)


def active_usage(world: World, environment_id: str | None = None) -> Decimal:
    """Usage of live instances that is not in a transaction yet."""
    members = _members(world, environment_id)
    costs = (instance_life.cost_between(m, m.usage_from, world.moment) for m in members)
    return sum(costs, Decimal(0))


def burn_per_hour(world: World, environment_id: str | None = None) -> Decimal:
    """Hourly cost of all running instances, in USD."""
    return sum(
        (
            instance.type.hourly_rate
            for instance in _members(world, environment_id)
            if instance_life.status_at(instance, world.moment) == "running"
        ),
        Decimal(0),
    )


def spent_this_month(world: World, environment_id: str) -> Decimal:
    """Usage of an environment in the present UTC month, accumulating usage included."""
    posted = world.ledger.spent_in_month[environment_id, world.moment.year, world.moment.month]
    return posted + active_usage(world, environment_id)


def budget_left(world: World, environment: Environment) -> Decimal | None:
    """The rest of an environment's monthly budget; None where it has none."""
    budget = environment.monthly_budget_usd
    return None if budget is None else budget - spent_this_month(world, environment.id)


def is_budget_spent(world: World, environment: Environment) -> bool:
    """True if the environment has reached its monthly budget."""
    left = budget_left(world, environment)
    return left is not None and left <= 0


def require_credit(
    world: World, environment: Environment, done: Literal["run", "launched"]
) -> None:
    """Refuse an inference request or a launch that is not covered by the balance or budget."""
    if floating_balance(world) <= 0:
        problem = f"The balance is used up; nothing was {done}. Top it up."
        raise ApiError(402, "insufficient_credits", problem)
    if is_budget_spent(world, environment):
        raise ApiError(
            402,
            "budget_exceeded" if done == "run" else "BUDGET_REACHED",
            f"The monthly budget of environment `{environment.name}` is spent; nothing was "
            f"{done}. Raise it on the dashboard or wait for the next month.",
        )


def stop_instance(world: World, instance: Instance, reason: StopReason) -> None:
    """Stop an instance and post the rest of its usage."""
    instance.stopped_at = instance.updated_at = world.moment
    instance.stop_reason = reason
    _post(world, instance)
    del world.live_instances[instance.id]
    if world.ssh is not None:
        world.ssh.remove(instance.id)


def instance_due(world: World, instance: Instance) -> datetime:
    """Time at which an instance next becomes ready, is posted for, or stops by a limit."""
    moments = [instance_life.next_posting(instance)]
    stop = instance_life.planned_stop(instance)
    if stop is not None:
        moments.append(stop[0])
    if instance.runs_from > world.moment:
        moments.append(instance.runs_from)
    return min(moments)


def settle_instance(world: World, instance: Instance) -> None:
    """Stop an instance whose limit is reached, or post the usage that is due."""
    stop = instance_life.planned_stop(instance)
    if stop is not None and stop[0] <= world.moment:
        stop_instance(world, instance, stop[1])
    elif instance_life.next_posting(instance) <= world.moment:
        _post(world, instance)


def _post(world: World, instance: Instance) -> None:
    """Post the usage of an instance since the last time."""
    now = world.moment
    start = max(instance.usage_from, instance.runs_from)
    seconds = math.floor((now - start).total_seconds())
    kind = f"{instance.type.gpu_type} x{instance.type.gpu_count}" if instance.has_gpu else "CPU"
    world.ledger.charge(
        instance.environment_id,
        instance_life.cost_between(instance, start, now),
        f"Instance {instance.name} ({kind}), {seconds} s",
        now,
        month_of=start,
        instance_id=instance.id,
    )
    instance.usage_from = now


def _pots(world: World) -> Iterator[tuple[Decimal, str | None, StopReason]]:
    """Money for live instances: how much is left, whose instances they are, why they stop."""
    if world.live_instances:
        yield floating_balance(world), None, "low_balance"
    for environment in world.environments.values():
        left = budget_left(world, environment)
        if left is not None and any(_members(world, environment.id)):
            yield left, environment.id, "budget"


def credit_due(world: World, _: object) -> datetime | None:
    """Time at which the balance is used up, or an environment's budget is spent."""
    ends = [(left, burn_per_hour(world, whose)) for left, whose, _ in _pots(world)]
    moments = (_when_used_up(world.moment, left, burn) for left, burn in ends)
    return min((moment for moment in moments if moment is not None), default=None)


def settle_credit(world: World, _: object) -> None:
    """Stop what can no longer be paid for."""
    for left, whose, reason in list(_pots(world)):
        for instance in list(_members(world, whose)) if left <= 0 else ():
            stop_instance(world, instance, reason)


def _when_used_up(now: datetime, left: Decimal, burn: Decimal) -> datetime | None:
    """The first whole second at which an amount is used up; None if it never is."""
    if left <= 0:
        return now
    if burn <= 0:
        return None
    seconds = math.ceil(left * _SECONDS_PER_HOUR / burn)
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _members(world: World, environment_id: str | None) -> Iterable[Instance]:
    """The live instances, all or those of an environment."""
    live = world.live_instances.values()
    return (m for m in live if environment_id in (None, m.environment_id))
