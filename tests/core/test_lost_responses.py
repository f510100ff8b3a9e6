"""Requests whose response is lost: sent again with the same bytes, looked up by name, or neither.

Launches are in `test_faults_money.py`, videos in `test_videos_api.py`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import runcrate_core as rc
from tests.core.cloud import sent

JOB = {"command": "python train.py", "gpu_type": "A100", "max_runtime_minutes": 5}
VOLUME = {"name": "datasets", "size_gb": 1, "region": "us-east-1"}
SCHEDULE: dict[str, Any] = {"kind": "job", "cron": "0 2 * * *"}
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me"
KEY = {"name": "laptop", "public_key": PUBLIC_KEY}
NAMED: list[tuple[str, dict[str, Any], str]] = [
    ("storage.create", VOLUME, "POST /storage"),
    ("schedules.create", SCHEDULE | {"name": "mine", "spec": JOB}, "POST /schedules"),
    ("schedules.create", SCHEDULE | {"spec": JOB | {"name": "mine"}}, "POST /schedules"),
    ("environments.create", {"name": "staging"}, "POST /environments"),
    ("ssh_keys.create", KEY, "POST /ssh-keys"),
]


@pytest.mark.parametrize(
    ("method", "arguments", "route"),
    [
        ("jobs.run", JOB, "POST /jobs"),
        ("billing.top_up", {"amount_usd": 50}, "POST /billing/topups"),
    ],
)
def test_21_a_keyed_request_is_retried_with_the_same_bytes(cloud, both, method, arguments, route):
    cloud.fail(route, lose_response=True)
    both(method, **arguments)
    first, second = sent(cloud, route)
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    balance = both("billing.get_balance").credits_balance
    assert len(both("jobs.list")) == (method == "jobs.run")
    assert (balance == Decimal(150)) is (method == "billing.top_up")


@pytest.mark.parametrize(("method", "arguments", "route"), NAMED)
def test_a_creation_is_looked_up_by_its_name(cloud, both, method, arguments, route):
    cloud.fail(route, lose_response=True)
    assert both(method, **arguments).recovered
    assert len(sent(cloud, route)) == 1


@pytest.mark.parametrize(
    ("method", "arguments", "route", "advice"),
    [
        (*NAMED[0], r"storage\.list"),
        ("schedules.create", SCHEDULE | {"spec": JOB}, "POST /schedules", r"schedules\.list"),
        *((*call, None) for call in NAMED[3:]),
    ],
)
def test_a_creation_that_is_not_found_is_ambiguous_if_it_may_cost(
    cloud, both, method, arguments, route, advice
):
    cloud.fail(route, drop_connection=True)
    kind = rc.AmbiguousLaunchError if advice else rc.APIConnectionError
    with pytest.raises(kind, match=advice) as caught:
        both(method, **arguments)
    assert type(caught.value) is kind
    if advice:
        assert caught.value.name == arguments.get("name")
        assert caught.value.idempotency_key is not None
    assert len(sent(cloud, route)) == 1


def test_a_run_of_a_schedule_is_never_sent_again(cloud, both):
    nightly = both("schedules.create", **SCHEDULE, name="nightly", spec=JOB)
    cloud.fail(f"POST /schedules/{nightly.id}/run-now", lose_response=True)
    with pytest.raises(rc.AmbiguousLaunchError, match=r"schedules\.get") as caught:
        both("schedules.run_now", nightly.id)
    assert caught.value.name is None
    assert len(sent(cloud, f"POST /schedules/{nightly.id}/run-now")) == 1
    assert len(both("jobs.list")) == 1


def test_24_a_deletion_has_worked(cloud, both):
    volume = both("storage.create", **VOLUME)
    cloud.fail("DELETE /storage/{id}", lose_response=True)
    assert both("storage.delete", volume.id).refund_amount is None
    assert both("storage.list") == []
