"""Amounts of money: exact, in USD."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from runcrate_core.api.instances import Instance
    from runcrate_core.api.job_types import Job

# A price beyond these, of any instance, is a mistake and not a price (USD an hour).
MIN_PRICE_USD: Final = Decimal("0.0001")
MAX_PRICE_USD: Final = Decimal(10_000)
# More than a ledger counts with.
MAX_AMOUNT_USD: Final = 10**12
# Earlier times stand for none, such as year 1 of servers in Go.
_FIRST_YEAR: Final = 2000
# These end only what ran.
_STOPS_OF_RUNNING: Final = frozenset({"max_runtime", "idle"})
_CENT: Final = Decimal("0.01")
_MILLIONTH: Final = Decimal("0.000001")
_MINUTES_PER_HOUR: Final = 60
_SECONDS_PER_HOUR: Final = 3600


def usd(value: Decimal | float | str, name: str) -> Decimal:
    """Return an amount.

    Raises:
        ValueError: It is not a positive amount, or no sum that anybody has.
    """
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        amount = Decimal("NaN")
    if not (amount.is_finite() and 0 < amount <= MAX_AMOUNT_USD):
        raise ValueError(f"`{name}` must be an amount above 0 in USD, not {value}.")
    return amount


def known_price(value: Decimal | None) -> Decimal | None:
    """Return a price of the API, or `None` when it is missing, zero, below zero or absurd.

    Catalogues show such prices for what is sold out or not priced yet. Digits behind a millionth
    of a USD are rounded away: a person reads the price before approving it.
    """
    if value is None or not value.is_finite() or not MIN_PRICE_USD <= value <= MAX_PRICE_USD:
        return None
    rounded = value.quantize(_MILLIONTH, ROUND_HALF_UP)
    return min(value, rounded, key=lambda price: len(str(price)))


def cents(amount: Decimal) -> Decimal:
    """Return an amount rounded to the cent, as people read it."""
    return amount.quantize(_CENT, ROUND_HALF_UP)


def worst_case(price_per_hour: Decimal, minutes: int, times: int = 1) -> Decimal:
    """Return the USD of so many minutes, so many times."""
    return price_per_hour * minutes * times / _MINUTES_PER_HOUR


def cost_of_instance(instance: Instance | None) -> Decimal | None:
    """Return the cost of a terminated instance in USD, or `None` when it is not known.

    Counted are the whole seconds (GPUs are billed by the second, seed 001) from its deployment
    until its last change, which is its end; from its creation where the API does not report a
    deployment, as it cannot have run longer.
    """
    if instance is None or not instance.has_ended or known_price(instance.cost_per_hour) is None:
        return None
    started = instance.deployed_at
    if started is None:
        is_reported = "deployed_at" in instance.model_fields_set
        if is_reported and instance.stop_reason not in _STOPS_OF_RUNNING:
            return Decimal()  # it ended before it ran
        started = instance.created_at
    if started is None or instance.updated_at is None or started.year < _FIRST_YEAR:
        return None
    seconds = math.floor((instance.updated_at - started).total_seconds())
    if seconds < 0:
        return None  # an end before its start
    return (instance.cost_per_hour or Decimal()) * seconds / _SECONDS_PER_HOUR


def cost_of_job(job: Job) -> Decimal | None:
    """Return the cost of a job that has ended in USD, or `None` when it is not known.

    A job that ran and is said to have cost nothing is not billed yet: its time counts.
    """
    price = known_price(job.cost_per_hour)
    if job.cost_usd != 0 or price is None or job.started_at is None or job.ended_at is None:
        return job.cost_usd
    seconds = max(0, math.floor((job.ended_at - job.started_at).total_seconds()))
    return price * seconds / _SECONDS_PER_HOUR
