"""Prices and refunds of volumes.

Price and rules are from seed 003; that a month has 30 days and that only whole days are refunded is
the emulator's own arithmetic.
"""

import math
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import credit
from runcrate_emulator.infrastructure.records import BILLING_WEEK, Volume
from runcrate_emulator.workspace import Workspace

_USD_PER_GB_MONTH = Decimal("0.03")
_DAYS_PER_MONTH = 30
_CENT = Decimal("0.01")


def price_for_days(size_gb: int, days: int) -> Decimal:
    """Cost of a number of days of a volume, rounded to the cent."""
    price = _USD_PER_GB_MONTH * size_gb * days / _DAYS_PER_MONTH
    return price.quantize(_CENT, ROUND_HALF_UP)


def days_left(volume: Volume, at: datetime, *, with_today: bool) -> int:
    """Days of the paid week that are left; the day that has started counts only if asked for."""
    days = max((volume.paid_until - at) / timedelta(days=1), 0)
    return math.ceil(days) if with_today else math.floor(days)


def charge_volume(
    world: Workspace, volume: Volume, amount: Decimal, what: str, at: datetime
) -> None:
    """Charge for a volume.

    Raises:
        ApiError: 402 `insufficient_credits` when the balance does not cover it.
    """
    if amount > credit.floating_balance(world, at):
        raise ApiError(
            402,
            "insufficient_credits",
            f"{what} costs {amount} USD in advance, more than the balance; nothing was done.",
        )
    world.ledger.charge(volume.environment_id, amount, f"{what} of volume {volume.name}", at)


def next_volume_event(world: Workspace) -> datetime | None:
    """When the next week of a volume is to be paid."""
    return min((v.paid_until for v in world.volumes.values() if not v.is_suspended), default=None)


def live_through_volume_events(world: Workspace, at: datetime) -> None:
    """Charge the weeks that begin; suspend what the balance does not cover."""
    for volume in list(world.volumes.values()):
        if volume.is_suspended or volume.paid_until > at:
            continue
        world.volumes[volume.id] = _paid_for_a_week(world, volume, at)


def revive_volumes(world: Workspace, at: datetime) -> None:
    """Pay for suspended volumes again, after credit was added."""
    for volume in list(world.volumes.values()):
        if volume.is_suspended:
            world.volumes[volume.id] = _paid_for_a_week(world, volume, at)


def _paid_for_a_week(world: Workspace, volume: Volume, at: datetime) -> Volume:
    week = price_for_days(volume.size_gb, BILLING_WEEK.days)
    try:
        charge_volume(world, volume, week, "A week", at)
    except ApiError:
        return replace(volume, is_suspended=True, updated_at=at)
    return replace(volume, paid_until=at + BILLING_WEEK, is_suspended=False)
