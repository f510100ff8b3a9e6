"""Cron expressions of five fields: when they fire next, and how close together. Pure.

Day of month, day of week and changes of the clock count as in Debian's cron.
"""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_FIELDS = 5
_MINUTES_PER_HOUR = 60
_HOURS_PER_DAY = 24


def shortest_gap_minutes(expression: str) -> int:
    """The least minutes between two runs that an expression allows, day borders included."""
    cron = _parsed(expression)
    minutes, hours = sorted(cron.minutes), sorted(cron.hours)
    within = [b - a for a, b in pairwise(minutes)]
    over_the_hour = [
        (b - a) * _MINUTES_PER_HOUR + minutes[0] - minutes[-1]
        for a, b in pairwise([*hours, hours[0] + _HOURS_PER_DAY])
    ]
    return min([*within, *over_the_hour])


def next_run(expression: str, after: datetime, timezone: ZoneInfo) -> datetime | None:
    """The first moment after another at which it fires, in UTC; None if it never does."""
    try:
        run = next(CronSim(expression, after.astimezone(timezone)), None)
    except OverflowError:  # the last year that a date can have
        return None
    return None if run is None else run.astimezone(UTC)


def _parsed(expression: str) -> CronSim:
    if len(expression.split()) != _FIELDS:
        raise ValueError("must have five fields: minute hour day month weekday")
    try:
        return CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"has a field that cannot be: {error}") from None
