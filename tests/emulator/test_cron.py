"""Cron expressions: time zones, days that never come, distance between runs."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from runcrate_emulator.infrastructure.cron import next_run, shortest_gap_minutes

NOW = "2026-11-18T12:07:30"  # a Wednesday
BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        ("*/20 * * * *", "UTC", NOW, "2026-11-18T12:20"),
        ("0 9 * JAN Mon-fri", "UTC", NOW, "2027-01-01T09:00"),
        ("0 0 31 * 6", "UTC", NOW, "2026-11-21T00:00"),  # either of two days
        ("0 0 29 2 *", "UTC", NOW, "2028-02-29T00:00"),
        ("0 2 * * *", BERLIN, NOW, "2026-11-19T01:00"),
        # The clock skips 02:30 on 29 March; on 25 October it shows 02:30 twice.
        ("30 2 * * *", BERLIN, "2026-03-29T00:00", "2026-03-29T01:00"),
        ("30 2 * * *", BERLIN, "2026-10-25T00:00", "2026-10-25T00:30"),
        ("30 2 * * *", BERLIN, "2026-10-25T00:30", "2026-10-26T01:30"),
    ],
)
def test_next_run(expression, zone, after, expected):
    run = next_run(expression, utc(after), ZoneInfo(zone))
    assert run == utc(expected)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_no_run_after_the_last_year():
    assert next_run("0 0 1 1 *", utc("9999-12-31T23:59"), ZoneInfo("UTC")) is None


@pytest.mark.parametrize(
    ("expression", "gap"),
    [
        ("0 * * * *", 60),
        ("0,50 * * * *", 10),
        ("50 23 * * *", 1440),
        ("0,55 0,23 * * *", 5),
        ("5 1,2 * * *", 60),
    ],
)
def test_shortest_gap(expression, gap):
    assert shortest_gap_minutes(expression) == gap


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * * * *",
        "@daily",
        "60 * * * *",
        "0 0 31 2 *",
        "5-1 * * * *",
        "*/0 * * * *",
        "² * * * *",
    ],
)
def test_bad_expressions(expression):
    with pytest.raises(ValueError, match=r"five fields|cannot be"):
        shortest_gap_minutes(expression)
