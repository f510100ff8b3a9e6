"""Instances: launching, watching and ending them; and what envelopes may hold."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

import runcrate_core as rc
from tests.core.cloud import sent


def test_an_instance_is_launched_changed_and_ended(cloud, both):
    launched = both(
        "instances.create",
        name="training-run",
        gpu_type="A100",
        max_runtime_minutes=60,
        env_vars={"MODE": "fast"},
        startup_commands=["pip install torch"],
    )
    assert (launched.is_running, launched.recovered) == (False, False)
    seen: list[str] = []
    running = both(
        "instances.wait_until_running",
        launched.id,
        poll_interval=0.05,
        on_status=lambda state: seen.append(state.status),
    )
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
    one = rc.Volume.model_validate({"id": "v", "sizeGb": 5, "createdAt": "2026-01-01T00:00:00"})
    other = rc.Volume.model_validate(
        {"id": "v", "size_gb": 5, "created_at": "2026-01-01T00:00:00Z"}
    )
    assert one == other
    assert one != "v"
    assert one.created_at == datetime(2026, 1, 1, tzinfo=UTC)
