"""Schedules: they fire on the clock, skip for reasons, and are strict about their timing."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from runcrate_emulator import JobOutcome
from runcrate_emulator.infrastructure.schedules import following_run
from tests.emulator.conftest import GOOD, INSTANCE, JOB, assert_refused

BOX = {**INSTANCE, "max_runtime_minutes": 30}


@pytest.fixture
def schedule(infra):
    return lambda **fields: infra.make("/schedules", **{**GOOD["/schedules"], **fields})


def read(infra, made):
    return infra.read(f"/schedules/{made['id']}")


def test_a_recurring_job_fires_at_its_time(emulator, infra, schedule):
    made = schedule(name="daily")
    assert (made["next_run_at"], made["run_count"]) == ("2026-11-18T14:00:00.000Z", 0)
    assert (made["enabled"], made["overlap"], made["timezone"]) == (True, "skip", "UTC")
    assert (made["run_as_credential"], made["max_runtime_minutes"]) == ("api_key", 60)
    emulator.clock.advance(2 * 86400)
    now = read(infra, made)
    assert (now["run_count"], now["last_status"]) == (2, "launched")
    assert now["last_run_at"] == "2026-11-19T14:00:00.000Z"
    assert now["next_run_at"] == "2026-11-20T14:00:00.000Z"
    jobs = infra.read("/jobs")
    days = ["2026-11-19T14:00:00.000Z", "2026-11-18T14:00:00.000Z"]
    assert [job["created_at"] for job in jobs] == days
    assert now["last_job_id"] == jobs[0]["id"]
    assert {job["status"] for job in jobs} == {"succeeded"}
    path = f"/schedules/{made['id']}"
    assert infra.change(path, timezone="Asia/Tokyo")["next_run_at"] == "2026-11-21T05:00:00.000Z"
    single = infra.change(path, run_at="2026-12-01T00:00:00Z")
    assert (single["cron"], single["next_run_at"]) == (None, "2026-12-01T00:00:00.000Z")


def test_a_single_run_launches_an_instance_and_is_over(emulator, infra, schedule):
    made = schedule(kind="instance", spec=BOX, cron=None, run_at="2026-11-18T15:00:00+02:00")
    assert (made["run_at"], made["name"]) == ("2026-11-18T13:00:00.000Z", "box")
    emulator.clock.advance(3600 + 1800)
    now = read(infra, made)
    assert (now["enabled"], now["next_run_at"], now["last_status"]) == (False, None, "launched")
    path = f"/instances/{now['last_instance_id']}"
    instance = infra.read(path)
    assert (instance["name"], instance["status"]) == ("box", "running")
    emulator.clock.advance(30)
    assert infra.read(path)["stop_reason"] == "max_runtime"
    again = infra.patch(f"/schedules/{made['id']}", json={"enabled": True})
    assert_refused(again, 422, "validation_error", "enabled")


def test_a_run_is_skipped_while_the_last_one_lives(emulator, infra, schedule):
    emulator.on_job = lambda _: JobOutcome(seconds=90 * 60)
    long = {**JOB, "max_runtime_minutes": 120}
    skips = schedule(spec=long, cron="0 * * * *")
    allows = schedule(spec=long, cron="0 * * * *", overlap="allow")
    emulator.clock.advance(2 * 3600)
    now = read(infra, skips)
    assert (now["last_status"], now["run_count"]) == ("skipped_overlap", 1)
    assert now["last_error"]
    now = read(infra, allows)
    assert (now["last_status"], now["run_count"]) == ("launched", 2)


def test_a_spent_budget_and_a_refused_launch_skip_a_run(emulator, infra, schedule):
    emulator.world.set_budget("main", 0)
    broke = schedule(cron="0 13 * * *")
    emulator.clock.advance(3600)
    assert read(infra, broke)["last_status"] == "skipped_budget"
    assert_refused(infra.post(f"/schedules/{broke['id']}/run-now"), 402, "BUDGET_REACHED")
    emulator.world.set_budget("main", None)
    refused = schedule(kind="instance", spec={**BOX, "gpu_type": "B200"}, cron="0 14 * * *")
    emulator.clock.advance(3600)
    now = read(infra, refused)
    assert (now["last_status"], now["run_count"]) == ("failed", 0)
    assert "B200" in now["last_error"]
    assert_refused(infra.post(f"/schedules/{refused['id']}/run-now"), 503, "no_capacity")


def test_a_schedule_launches_as_the_key_that_last_resumed_it(emulator, infra, schedule):
    path = f"/schedules/{schedule(cron='0 13 * * *')['id']}"
    emulator.world.deactivated_keys.add(emulator.api_key)
    emulator.add_key("rc_live_other")
    other = {"Authorization": "Bearer rc_live_other"}
    for change, status, enabled in (
        ({"name": "mine"}, "credential_revoked", False),
        ({"enabled": True}, "launched", True),
    ):
        assert infra.patch(path, json=change, headers=other).status_code == 200
        emulator.clock.advance(86400)
        now = infra.get(path, headers=other).json()["data"]
        assert (now["last_status"], now["enabled"]) == (status, enabled)


def test_fifty_in_an_environment_two_hundred_in_a_workspace(infra):
    body = GOOD["/schedules"]
    for number in range(4):
        infra.make("/environments", name=f"e{number}")
        path = f"/schedules?environment=e{number}"
        for _ in range(50):
            infra.make(path, **body)
        assert_refused(infra.post(path, json=body), 422, "validation_error")
    assert_refused(infra.post("/schedules", json=body), 422, "validation_error")


NOW = "2026-11-18T12:07:30"  # a Wednesday


@pytest.mark.parametrize(
    ("cron", "timezone", "after", "expected"),
    [
        ("0 9 * JAN Mon-fri", "UTC", NOW, "2027-01-01T09:00"),
        ("0 0 31 * 6", "UTC", NOW, "2026-11-21T00:00"),  # either of two days
        # The clock skips 02:30 on 29 March.
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T01:00"),
        ("0 0 1 1 *", "UTC", "9999-12-31T23:59", None),
    ],
)
def test_the_next_run_of_a_cron_expression(cron, timezone, after, expected):
    timing = SimpleNamespace(cron=cron, timezone=timezone, run_at=None)
    run = following_run(timing, datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert run == (expected and datetime.fromisoformat(expected).replace(tzinfo=UTC))
