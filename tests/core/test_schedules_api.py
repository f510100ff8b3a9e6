"""Schedules: once, repeatedly, and right now."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import pytest

from tests.core.cloud import sent

JOB = {"command": "python train.py", "gpu_type": "A100", "max_runtime_minutes": 5}


@pytest.fixture
def nightly(both: Any) -> Any:
    return both("schedules.create", kind="job", cron="0 2 * * *", name="nightly", spec=JOB)


def test_a_schedule_is_made_changed_and_deleted(both, nightly):
    assert (nightly.cron, nightly.timezone, nightly.overlap) == ("0 2 * * *", "UTC", "skip")
    assert nightly.next_run_at is not None
    assert [found.id for found in both("schedules.list")] == [nightly.id]
    assert both("schedules.update", nightly.id, enabled=False).next_run_at is None
    assert both("schedules.update", nightly.id, enabled=True, cron="0 3 * * 1-5").enabled
    assert both("schedules.get", nightly.id).cron == "0 3 * * 1-5"
    assert both("schedules.update", nightly.id, spec=JOB | {"name": "n"}).spec["name"] == "n"
    both("schedules.delete", nightly.id)
    assert both("schedules.list") == []


def test_a_moment_is_sent_in_utc_and_the_values_of_a_spec_are_not_shown(cloud, both):
    moment = cloud.clock.now() + timedelta(days=1)
    elsewhere = moment.astimezone(timezone(timedelta(hours=9)))
    spec = JOB | {"name": "once", "env": {"TOKEN": "sesame"}}
    made = both("schedules.create", kind="job", run_at=elsewhere, spec=spec)
    [request] = sent(cloud, "POST /schedules")
    shown = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert request.json == {"kind": "job", "spec": spec, "run_at": shown}
    assert "sesame" not in repr(made)
    both("schedules.update", made.id, run_at=elsewhere.isoformat())
    [change] = sent(cloud, f"PATCH /schedules/{made.id}")
    assert change.json == {"run_at": shown}


def test_run_now_gives_what_was_launched(both, nightly):
    run = both("schedules.run_now", nightly.id)
    assert run.instance is None
    assert run.job.command == "python train.py"
    assert run.schedule.last_job_id == run.job.id
