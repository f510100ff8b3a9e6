"""Instances: launching, watching and ending them; and what envelopes may hold."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime
from decimal import Decimal

import pytest

import runcrate_core as rc
from tests.core.cloud import sent
from tests.servers import Reply


def test_an_instance_is_launched_changed_and_ended(cloud, both):
    given = {"env_vars": {"MODE": "fast"}, "startup_commands": ["pip install torch"]}
    wish = {"name": "training-run", "gpu_type": "A100", "max_runtime_minutes": 60} | given
    launched = both("instances.create", **wish)
    assert (launched.is_running, launched.recovered) == (False, False)
    assert sent(cloud, "POST /instances")[0].json == wish
    seen: list[str] = []
    waits = {"poll_interval": 0.05, "on_status": lambda state: seen.append(state.status)}
    running = both("instances.wait_until_running", launched.id, **waits)
    assert running.is_running
    assert (seen[-1], running.id, bool(running.ip)) == ("running", launched.id, True)
    assert isinstance(running.cost_per_hour, Decimal)
    changed = both("instances.update", running.id, idle_shutdown_minutes=30)
    assert (changed.max_runtime_minutes, changed.idle_shutdown_minutes) == (60, 30)
    assert both("instances.update", running.id, idle_shutdown_minutes=None).auto_stop_at
    assert sent(cloud, f"PATCH /instances/{running.id}")[-1].json == {"idle_shutdown_minutes": None}
    assert both("instances.terminate", running.id) is None
    assert both("instances.get", running.id).has_ended


def test_what_can_be_rented_is_filtered(both):
    found = both("instances.list_types", gpu_type="A100", gpu_count=1)
    assert found
    assert all("A100" in kind.gpu_type and kind.gpu_count == 1 for kind in found)
    assert all(isinstance(kind.hourly_rate, Decimal) for kind in found)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01 00:00:00+00",
        "2026-01-01T01:00:00+0100",
        "2026-01-01 00:00:00 UTC",
        "2026-01-01T00:00:00.000000000Z",
    ],
)
def test_times_are_read_as_databases_and_servers_print_them(text):
    shown = rc.Instance.model_validate({"id": "i", "name": "n", "createdAt": text})
    assert shown.created_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_times_without_zone_are_taken_for_utc_and_both_field_cases_are_read():
    time = "2026-01-01T00:00:00"
    one = rc.Volume.model_validate({"id": "v", "sizeGb": 5, "createdAt": time})
    other = rc.Volume.model_validate({"id": "v", "size_gb": 5, "created_at": f"{time}Z"})
    assert one == other
    assert one != "v"
    assert one.created_at == datetime(2026, 1, 1, tzinfo=UTC)


GPU = {"gpu_type": "A100", "max_runtime_minutes": 30}
JOB = {"command": "true", **GPU}


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("instances.create", GPU),
        ("jobs.run", JOB),
        ("jobs.run_group", {**JOB, "count": 1}),
        ("jobs.rerun", {"job_id": "j-1", "max_runtime_minutes": 30}),
        ("instances.update", {"instance_id": "i-1", "max_runtime_minutes": 30}),
        ("schedules.create", {"kind": "job", "spec": JOB, "cron": "0 3 * * *"}),
    ],
)
@pytest.mark.parametrize(
    ("reported", "warned"),
    [
        ({"max_runtime_minutes": None}, ["'a' (`i-1`) reports no end of its own"]),
        ({"max_runtime_minutes": 60}, ["'a' (`i-1`) reports a lifetime of 60 minutes"]),
        ({"max_runtime_minutes": 30}, []),
        ({}, []),
    ],
)
def test_a_lifetime_that_is_not_in_force_is_warned_of(
    scripted, method, arguments, reported, warned
):
    """Nothing is launched again, and what was launched is returned."""
    started = {"id": "i-1", "name": "a", "status": "pending", **reported}
    server, both = scripted(Reply(json={"data": {**started, "jobs": [started]}}))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert both(method, **arguments).id == "i-1"
    assert [re.split("[:,]", str(one.message))[0] for one in seen] == warned
    assert server.sent == 1
