"""Cron expressions: fields, days, time zones, distance between runs."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from runcrate_emulator.infrastructure.cron import next_run, parse_cron, shortest_gap_minutes

NOW = datetime(2026, 11, 18, 12, 7, 30, tzinfo=UTC)  # a Wednesday
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * *", "2026-11-18T12:08"),
        ("0 2 * * *", "2026-11-19T02:00"),
        ("*/20 * * * *", "2026-11-18T12:20"),
        ("5-59/30 * * * *", "2026-11-18T12:35"),
        ("10/25 * * * *", "2026-11-18T12:10"),
        ("0 0 1 * *", "2026-12-01T00:00"),
        ("0 9 * * 1-5", "2026-11-19T09:00"),
        ("0 9 * * MON,sat", "2026-11-21T09:00"),
        ("0 9 * * 7", "2026-11-22T09:00"),
        ("0 9 * JAN *", "2027-01-01T09:00"),
        ("0 0 20 * 0", "2026-11-20T00:00"),
        ("0 0 31 * 6", "2026-11-21T00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
    ],
)
def test_next_run(expression, expected):
    run = next_run(parse_cron(expression), NOW, ZoneInfo("UTC"))
    assert run == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_day_that_never_comes():
    assert next_run(parse_cron("0 0 31 2 *"), NOW, ZoneInfo("UTC")) is None
    far = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    assert next_run(parse_cron("0 0 1 1 *"), far, ZoneInfo("UTC")) is None


def test_local_time_follows_the_zone():
    run = next_run(parse_cron("0 2 * * *"), NOW, BERLIN)
    assert run == datetime(2026, 11, 19, 1, 0, tzinfo=UTC)


def test_a_skipped_local_time_does_not_fire_and_a_repeated_one_fires_once():
    cron = parse_cron("30 2 * * *")
    before = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
    first = next_run(cron, before, BERLIN)
    assert first == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)
    night = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
    once = next_run(cron, night, BERLIN)
    assert once == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert next_run(cron, once, BERLIN) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "gap"),
    [
        ("* * * * *", 1),
        ("0 * * * *", 60),
        ("0,50 * * * *", 10),
        ("*/15 * * * *", 15),
        ("0 2 * * *", 1440),
        ("50 23 * * *", 1440),
        ("0,55 0,23 * * *", 5),
        ("5 1,2 * * *", 60),
    ],
)
def test_shortest_gap(expression, gap):
    assert shortest_gap_minutes(parse_cron(expression)) == gap


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "x * * * *",
        "5-1 * * * *",
        "*/0 * * * *",
        "1- * * * *",
        ", * * * *",
        "-1 * * * *",
        "1/ * * * *",
        "@daily",
        "² * * * *",
        "999999 * * * *",
    ],
)
def test_bad_expressions(expression):
    with pytest.raises(ValueError, match=r"five fields|where|before it begins"):
        parse_cron(expression)
