"""Schedules: once, repeatedly, and right now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

import runcrate_core as rc
from tests.core.cloud import sent

JOB = {"command": "python train.py", "gpu_type": "A100", "max_runtime_minutes": 5}


@pytest.fixture
def nightly(both: Any) -> rc.Schedule:
    made: rc.Schedule = both(
        "schedules.create", kind="job", cron="0 2 * * *", name="nightly", spec=JOB
    )
    return made


def test_a_schedule_is_made_changed_and_deleted(both: Any, nightly: rc.Schedule) -> None:
    assert (nightly.cron, nightly.timezone, nightly.overlap) == ("0 2 * * *", "UTC", "skip")
    assert nightly.next_run_at is not None
    assert [found.id for found in both("schedules.list")] == [nightly.id]
    assert both("schedules.update", nightly.id, enabled=False).next_run_at is None
    assert both("schedules.update", nightly.id, enabled=True, cron="0 3 * * 1-5").enabled
    assert both("schedules.get", nightly.id).cron == "0 3 * * 1-5"
    assert both("schedules.update", nightly.id, spec=JOB | {"name": "n"}).spec["name"] == "n"
    both("schedules.delete", nightly.id)
    assert both("schedules.list") == []


def test_a_moment_is_sent_in_utc(cloud: Any, both: Any) -> None:
    moment = cloud.clock.now() + timedelta(days=1)
    elsewhere = moment.astimezone(timezone(timedelta(hours=9)))
    spec = JOB | {"name": "once"}
    made = both("schedules.create", kind="job", run_at=elsewhere, spec=spec)
    [request] = sent(cloud, "POST /schedules")
    shown = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert request.json == {"kind": "job", "spec": spec, "run_at": shown}
    both("schedules.update", made.id, run_at=elsewhere.isoformat())
    [change] = sent(cloud, f"PATCH /schedules/{made.id}")
    assert change.json == {"run_at": shown}


@pytest.mark.parametrize(
    "times",
    [
        {},
        {"run_at": datetime(2026, 1, 1, tzinfo=UTC), "cron": "0 2 * * *"},
        {"run_at": datetime(2026, 1, 1)},  # noqa: DTZ001 - the mistake
        {"run_at": "2026-10-21T02:00:00"},
        {"run_at": "tomorrow"},
    ],
)
def test_47_times_that_mean_nothing_are_refused(cloud: Any, both: Any, times: Any) -> None:
    with pytest.raises(ValueError, match="Nothing was sent"):
        both("schedules.create", kind="job", spec=JOB, **times)
    with pytest.raises(ValueError, match="Nothing was sent"):
        both("schedules.update", "schedule-1", **times)
    assert cloud.requests == []


def test_run_now_gives_what_was_launched(both: Any, nightly: rc.Schedule) -> None:
    run = both("schedules.run_now", nightly.id)
    assert run.instance is None
    assert run.job.command == "python train.py"
    assert run.schedule.last_job_id == run.job.id


def test_a_run_without_response_is_never_sent_again(
    cloud: Any, both: Any, nightly: rc.Schedule
) -> None:
    cloud.fail(f"POST /schedules/{nightly.id}/run-now", lose_answer=True)
    with pytest.raises(rc.AmbiguousLaunchError, match=r"schedules\.get") as caught:
        both("schedules.run_now", nightly.id)
    assert caught.value.name is None
    assert len(sent(cloud, f"POST /schedules/{nightly.id}/run-now")) == 1
    assert len(both("jobs.list")) == 1


@pytest.mark.parametrize("named", [{"name": "mine", "spec": JOB}, {"spec": JOB | {"name": "mine"}}])
def test_a_creation_without_response_is_found_by_its_name(
    cloud: Any, both: Any, named: Any
) -> None:
    cloud.fail("POST /schedules", lose_answer=True)
    made = both("schedules.create", kind="job", cron="0 2 * * *", **named)
    assert (made.name, made.recovered) == ("mine", True)
    assert len(sent(cloud, "POST /schedules")) == 1


def test_a_creation_without_response_and_name_is_ambiguous(cloud: Any, both: Any) -> None:
    cloud.fail("POST /schedules", lose_answer=True)
    with pytest.raises(rc.AmbiguousLaunchError, match=r"schedules\.list"):
        both("schedules.create", kind="job", cron="0 2 * * *", spec=JOB)
    assert len(sent(cloud, "POST /schedules")) == 1
    assert sent(cloud, "GET /schedules") == []


def test_the_values_of_a_spec_are_not_shown(both: Any) -> None:
    spec = JOB | {"env": {"TOKEN": "sesame"}}
    made = both("schedules.create", kind="job", cron="0 2 * * *", name="n", spec=spec)
    assert "sesame" not in repr(made)
