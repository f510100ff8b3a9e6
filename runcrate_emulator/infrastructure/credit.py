"""Credits running down: usage of live instances, and what happens when money or a budget ends.

An instance's usage accumulates by the second and becomes a transaction every hour, at the end of a
UTC month and when it stops. `floating` amounts include what has accumulated since.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import instance_life
from runcrate_emulator.infrastructure.instance_life import Instance, StopReason
from runcrate_emulator.infrastructure.records import Environment
from runcrate_emulator.workspace import Workspace

_SECONDS_PER_HOUR = 3600


def floating_balance(world: Workspace, at: datetime) -> Decimal:
    """The balance net of what live instances have used."""
    return world.ledger.balance - active_usage(world, at)


def active_usage(world: Workspace, at: datetime) -> Decimal:
    """Usage of live instances that is not in a transaction yet."""
    return sum(
        (instance_life.unposted_cost(m, at) for m in world.live_instances.values()), Decimal(0)
    )


def burn_per_hour(world: Workspace, at: datetime) -> Decimal:
    """Hourly cost of all running instances, in USD."""
    return _burn(world.live_instances.values(), at)


def spent_this_month(world: Workspace, environment_id: str, at: datetime) -> Decimal:
    """Usage of an environment in the UTC month of a moment, accumulating usage included."""
    accumulating = sum(
        (instance_life.unposted_cost(m, at) for m in _of(world, environment_id)), Decimal(0)
    )
    return world.ledger.spent_in_month(environment_id, at) + accumulating


def is_budget_spent(world: Workspace, environment: Environment, at: datetime) -> bool:
    """True if the environment has reached its monthly budget."""
    budget = environment.monthly_budget_usd
    return budget is not None and spent_this_month(world, environment.id, at) >= budget


def require_launch_credit(world: Workspace, environment: Environment, at: datetime) -> None:
    """Refuse a launch that nobody can pay for.

    Raises:
        ApiError: 402 `insufficient_credits` or `BUDGET_REACHED`.
    """
    if floating_balance(world, at) <= 0:
        raise ApiError(
            402,
            "insufficient_credits",
            "The balance is used up; nothing was launched. Top it up.",
        )
    if is_budget_spent(world, environment, at):
        raise ApiError(
            402,
            "BUDGET_REACHED",
            f"The monthly budget of environment `{environment.name}` is spent; nothing was "
            "launched. Raise it on the dashboard or wait for the next month.",
        )


def stop_instance(
    world: Workspace, instance: Instance, at: datetime, reason: StopReason
) -> Instance:
    """Stop an instance and post the rest of its usage."""
    over = instance_life.stopped(instance, at, reason)
    _post(world, over, at)
    over = replace(over, usage_from=at)
    world.keep_instance(over)
    return over


def next_instance_event(world: Workspace) -> datetime | None:
    """When an instance next becomes ready, is posted for, or stops by a limit."""
    return min((_next_event(world, m) for m in world.live_instances.values()), default=None)


def live_through_instance_events(world: Workspace, at: datetime) -> None:
    """Post the usage that is due and stop the instances whose limit is reached."""
    for instance in list(world.live_instances.values()):
        stop = instance_life.planned_stop(instance)
        if stop is not None and stop[0] <= at:
            stop_instance(world, instance, at, stop[1])
        elif instance_life.next_posting(instance) <= at:
            _post(world, instance, at)
            world.keep_instance(replace(instance, usage_from=at))


def next_credit_event(world: Workspace) -> datetime | None:
    """When the balance falls below a line, or an environment's budget is spent."""
    now = world.moment
    left = floating_balance(world, now)
    burn = burn_per_hour(world, now)
    recharge = world.auto_recharge
    moments = []
    if recharge.enabled and recharge.last_failure_at is None:
        spare = left - (recharge.threshold_usd or 0)
        moments.append(_when_used_up(now, spare + _least_burn(burn), burn))
    if world.live_instances:
        moments.append(_when_used_up(now, left, burn))
        moments += [_budget_event(world, environment, now) for environment in _capped(world)]
    return min((moment for moment in moments if moment is not None), default=None)


def live_through_credit_events(world: Workspace, at: datetime) -> None:
    """Recharge if that is set up; stop what can no longer be paid for."""
    threshold = world.auto_recharge.threshold_usd or Decimal(0)
    if world.auto_recharge.enabled and floating_balance(world, at) < threshold:
        _recharge(world, at)
    if floating_balance(world, at) <= 0:
        for instance in list(world.live_instances.values()):
            stop_instance(world, instance, at, "low_balance")
    for environment in _capped(world):
        if is_budget_spent(world, environment, at):
            for instance in list(_of(world, environment.id)):
                stop_instance(world, instance, at, "budget")


def _recharge(world: Workspace, at: datetime) -> None:
    """Charge the default card once; a failed recharge is not tried again until it is set again."""
    recharge = world.auto_recharge
    if recharge.last_failure_at is not None:
        return
    if not any(card.is_default for card in world.cards):
        failure = "no_payment_method"
    elif world.card_behaviour not in ("succeeds", "processing"):
        failure = world.card_behaviour
    else:
        amount = (recharge.target_usd or Decimal(0)) - floating_balance(world, at)
        world.ledger.post("credit", amount, "Auto-recharge", at)
        return
    world.auto_recharge = replace(recharge, last_failure_reason=failure, last_failure_at=at)


def _post(world: Workspace, instance: Instance, at: datetime) -> None:
    start = max(instance.usage_from, instance.runs_from)
    cost = instance_life.unposted_cost(instance, at)
    seconds = math.floor((at - start).total_seconds())
    kind = f"{instance.type.gpu_type} x{instance.type.gpu_count}" if instance.has_gpu else "CPU"
    description = f"Instance {instance.name} ({kind}), {seconds} s"
    world.ledger.charge(
        instance.environment_id, cost, description, at, month_of=start, instance_id=instance.id
    )


def _next_event(world: Workspace, instance: Instance) -> datetime:
    moments = [instance_life.next_posting(instance)]
    stop = instance_life.planned_stop(instance)
    if stop is not None:
        moments.append(stop[0])
    if instance.runs_from > world.moment:
        moments.append(instance.runs_from)
    return min(moments)


def _budget_event(world: Workspace, environment: Environment, now: datetime) -> datetime | None:
    members = list(_of(world, environment.id))
    if not members or environment.monthly_budget_usd is None:
        return None
    left = environment.monthly_budget_usd - spent_this_month(world, environment.id, now)
    return _when_used_up(now, left, _burn(members, now))


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


def _least_burn(burn: Decimal) -> Decimal:
    """Less than a second's burn: `below a line` is a moment later than `at the line`."""
    return burn / _SECONDS_PER_HOUR / 2 if burn > 0 else Decimal("1e-12")


def _burn(members: Iterable[Instance], at: datetime) -> Decimal:
    running = (m for m in members if instance_life.status_at(m, at) == "running")
    return sum((m.type.hourly_rate for m in running), Decimal(0))


def _of(world: Workspace, environment_id: str) -> Iterable[Instance]:
    return (m for m in world.live_instances.values() if m.environment_id == environment_id)


def _capped(world: Workspace) -> list[Environment]:
    return [e for e in world.environments.values() if e.monthly_budget_usd is not None]
