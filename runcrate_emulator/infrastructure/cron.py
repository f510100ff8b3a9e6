"""Cron expressions of five fields: when they fire next, and how close together. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_MAX_DAYS_SEARCHED = 366 * 9  # 29 February is at most 8 years away
_MINUTES_PER_HOUR = 60
_HOURS_PER_DAY = 24


@dataclass(frozen=True)
class Cron:
    """A parsed expression: the values that each field allows."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def is_on(self, day: datetime) -> bool:
        """True if it fires on a day; as in cron, day of month or day of week if both are set."""
        if day.month not in self.months:
            return False
        on_day = day.day in self.days
        on_weekday = day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return on_day and on_weekday
        return on_day or on_weekday


def parse_cron(expression: str) -> Cron:
    """Parse five fields with lists, ranges, steps and names.

    Raises:
        ValueError: It is no such expression; the message says why.
    """
    fields = expression.split()
    if len(fields) != 5:  # noqa: PLR2004 - minute, hour, day, month, weekday
        raise ValueError("must have five fields: minute hour day month weekday")
    minute, hour, day, month, weekday = fields
    return Cron(
        minutes=tuple(sorted(_values(minute, 0, 59))),
        hours=tuple(sorted(_values(hour, 0, 23))),
        days=frozenset(_values(day, 1, 31)),
        months=frozenset(_values(month, 1, 12, _MONTHS, 1)),
        weekdays=frozenset(value % 7 for value in _values(weekday, 0, 7, _DAYS, 0)),
        any_day=day.startswith("*"),
        any_weekday=weekday.startswith("*"),
    )


def _values(
    field: str, least: int, most: int, names: list[str] | None = None, first_name: int = 0
) -> set[int]:
    values: set[int] = set()
    for part in field.split(","):
        span, has_step, step_text = part.partition("/")
        step = _number(step_text, 1, most) if has_step else 1
        if span == "*":
            low, high = least, most
        else:
            low_text, is_range, high_text = span.partition("-")
            low = _number(low_text, least, most, names, first_name)
            high = _number(high_text, least, most, names, first_name) if is_range else low
            if has_step and not is_range:
                high = most
        if low > high:
            raise ValueError(f"has a range that ends before it begins: `{part}`")
        values.update(range(low, high + 1, step))
    return values


def _number(
    text: str, least: int, most: int, names: list[str] | None = None, first_name: int = 0
) -> int:
    if names is not None and text.casefold() in names:
        return names.index(text.casefold()) + first_name
    is_number = text.isascii() and text.isdigit() and len(text) <= 3  # noqa: PLR2004 - 59 is the largest
    if not is_number or not least <= int(text) <= most:
        raise ValueError(f"has `{text}` where {least} to {most} is possible")
    return int(text)


def shortest_gap_minutes(cron: Cron) -> int:
    """The least minutes between two runs that the expression allows, day borders included."""
    first, last = cron.minutes[0], cron.minutes[-1]
    within = [b - a for a, b in zip(cron.minutes, cron.minutes[1:], strict=False)]
    over_the_hour = [
        (b - a) * _MINUTES_PER_HOUR + first - last
        for a, b in zip(cron.hours, cron.hours[1:], strict=False)
    ]
    overnight = (cron.hours[0] + _HOURS_PER_DAY - cron.hours[-1]) * _MINUTES_PER_HOUR + first - last
    return min([*within, *over_the_hour, overnight])


def next_run(cron: Cron, after: datetime, timezone: ZoneInfo) -> datetime | None:
    """The first moment after another at which it fires, in UTC; None if it never does.

    Local times that a change of the clock skips do not fire; a repeated one fires once.
    """
    for local in _local_times(cron, after.astimezone(timezone).replace(tzinfo=None)):
        moment = local.replace(tzinfo=timezone).astimezone(UTC)
        exists = moment.astimezone(timezone).replace(tzinfo=None) == local
        if exists and moment > after:
            return moment
    return None


def _local_times(cron: Cron, start: datetime) -> Iterator[datetime]:
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    for offset in range(_MAX_DAYS_SEARCHED):
        try:
            day = midnight + timedelta(days=offset)
        except OverflowError:
            return
        if cron.is_on(day):
            for hour in cron.hours:
                for minute in cron.minutes:
                    yield day.replace(hour=hour, minute=minute)
