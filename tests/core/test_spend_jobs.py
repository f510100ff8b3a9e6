"""The guard and jobs on the emulated cloud: plans, approval, lost jobs, the cost to the cent."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

import runcrate_core as rc
from runcrate_core.api.instance_types import InstanceType
from runcrate_core.spending import cleanup
from runcrate_core.spending import instance_selection as selection
from runcrate_core.spending.money import cents
from runcrate_emulator import JobOutcome
from tests.core.agents import JOB, LIMITS, Guard, billed
from tests.core.cloud import respond, sent


def test_a_job_is_paid_to_the_cent(cloud, both, guard):
    cloud.world.on_job = lambda _: JobOutcome(seconds=100)
    job = guard.run_job(**JOB, name="hello", tags={"project": "x"})
    assert job.name.startswith("agent-hello-")
    [request] = sent(cloud, "POST /jobs")
    assert request.json["gpu_type"] == ["A100:1"]
    assert request.json["tags"] == {"project": "x", "started-by": "agent-"}
    [entry] = guard.ledger.live
    assert (entry.kind, entry.id, entry.state) == ("job", job.id, "started")
    # An A100 may also be one of 80 GB in the emulator's words, which is dearer.
    assert entry.at_most_usd == Decimal("1.79") * 10 / 60
    both("jobs.wait", job.id, poll_interval=0.02)
    guard.settle()
    [entry] = guard.ledger.entries
    assert (entry.state, entry.cost_usd is not None) == ("ended", True)
    assert cents(guard.ledger.total_usd) == cents(billed(cloud)) > 0


def test_each_attempt_of_a_job_is_reserved_and_each_gpu_counted(both, guard):
    with pytest.raises(rc.SpendRefusedError, match=r"it may cost 5\.37 USD"):
        guard.run_job(**{**JOB, "max_runtime_minutes": 60}, max_retries=2)
    job = guard.run_job(**JOB, max_retries=2)
    assert job.max_retries == 2
    [entry] = guard.ledger.live
    assert (entry.at_most_usd, entry.gpu_count) == (Decimal("1.79") * 30 / 60, 1)
    guard.cancel_job(job.id)
    guard.run_job(**{**JOB, "gpu_type": "CPU"})
    assert guard.ledger.live[0].gpu_count == 0


@pytest.mark.parametrize(
    ("wish", "limits", "words"),
    [
        ({"max_runtime_minutes": None}, {}, "a lifetime"),
        ({"max_runtime_minutes": 61}, {}, "Allowed are 1 to 60 minutes"),
        ({"max_runtime_minutes": 0}, {}, "Allowed are 1 to 60 minutes"),
        ({"gpu_count": 2}, {}, "Allowed are 1 to 1 in all"),
        ({"gpu_type": "A100:2"}, {}, "Allowed are 1 to 1 in all"),
        ({"gpu_type": ["A100", "B200:8"]}, {}, "Allowed are 1 to 1 in all"),
        ({"gpu_type": "A100:many"}, {}, "is not a GPU type"),
        ({"gpu_type": []}, {}, "0 GPU types were given"),
        ({"gpu_type": ["A100"] * 9}, {}, "9 GPU types were given"),
        ({}, {"gpu_types": ["H100"]}, "the GPU type 'A100' is not allowed"),
        ({}, {"regions": ["us-east-1"]}, "may run anywhere"),
        ({"region": "eu-west-1"}, {"regions": ["us-east-1"]}, "region 'eu-west-1' is not allowed"),
        ({"max_retries": 11}, {}, "11 retries"),
        ({"max_retries": True}, {}, "True retries"),
        # Known once the prices are: every instance that the job may get must be allowed.
        ({"gpu_type": "H100"}, {"max_price_per_hour": 2}, r"costs 3\.0 USD an hour"),
        ({"gpu_type": "H100"}, {"gpu_types": ["H100"]}, "GPU type that is not allowed"),
        ({"gpu_type": "B200"}, {}, "no instance type with 1 x B200"),
    ],
)
def test_a_job_beyond_the_limits_is_refused_unsent(cloud, both, wish, limits, words):
    guard = Guard(both, rc.SpendLimits(**limits))
    with pytest.raises(rc.SpendRefusedError, match=words):
        guard.run_job(**{**JOB, **wish})
    looks_up_prices = wish.get("gpu_type") in ("H100", "B200")
    assert [entry.route for entry in cloud.requests] == ["/instances/types"] * looks_up_prices


def test_a_city_counts_as_any_region():
    offered = [
        InstanceType(id="a", gpu_type="A", gpu_count=1, region="us-east-1", hourly_rate=Decimal(1)),
        InstanceType(id="b", gpu_type="A", gpu_count=1, region="eu-west-1", hourly_rate=Decimal(2)),
        InstanceType(id="c", gpu_type="A", gpu_count=1, hourly_rate=Decimal("1.5")),
    ]
    candidate = selection.Candidate("A", 1)

    def dearest(region):
        return selection.most_expensive_for_job(offered, rc.SpendLimits(), candidate, region).id

    assert [dearest(region) for region in (None, "Paris", "us-east", "!")] == ["b", "b", "a", "b"]
    unpriced = [InstanceType(id="d", gpu_type="A", gpu_count=1)]
    with pytest.raises(rc.SpendRefusedError, match="is not known"):
        selection.most_expensive_for_job(unpriced, rc.SpendLimits(), candidate, None)
    with pytest.raises(rc.SpendRefusedError, match="none of the 1 instance types"):
        selection.cheapest(unpriced, rc.SpendLimits(), gpu_count=1)
    assert selection.candidates_of("A100", 2) == (selection.Candidate("A100", 2),)


def test_a_job_must_be_approved(cloud, both):
    asked: list[rc.Proposal] = []

    def approve(plan):
        asked.append(plan)
        return False

    guard = Guard(both, LIMITS, approve=approve)
    with pytest.raises(rc.SpendRefusedError, match="not approved"):
        guard.run_job(**{**JOB, "command": "a\nb" + "x" * 500}, region="us-east\n1", max_retries=1)
    shown = asked[0].describe()
    assert shown.startswith(f'{asked[0].name}: job on A100:1 in "us-east\\n1" at up to 1.79 USD')
    assert 'for at most 10 minutes, 2 times at most: at most 0.60 USD, running "a\\nbxxx' in shown
    assert "\n" not in shown
    assert len(shown) < 700
    assert sent(cloud, "POST /jobs") == []
    assert guard.ledger.entries == ()


@pytest.mark.parametrize("price", [2.5, 0])
def test_a_job_that_became_dearer_while_it_was_approved_is_refused(cloud, both, price):
    def approve(_):
        offered = [{"id": "t", "gpu_type": "A100", "gpu_count": 1, "hourly_rate": price}]
        respond(cloud, "GET /instances/types", offered)
        return True

    guard = Guard(both, replace(LIMITS, max_price_per_hour=3), approve=approve)
    with pytest.raises(rc.SpendRefusedError, match=r"rose from 1\.79 to 2\.5|is not known"):
        guard.run_job(**JOB)
    assert (sent(cloud, "POST /jobs"), guard.ledger.entries) == ([], ())


def test_jobs_that_run_already_count(cloud, both, guard):
    cloud.clock_speed = 0  # the job goes on for as long as this takes
    tags = {"started-by": "agent-"}
    both("jobs.run", **{**JOB, "command": "sleep 500"}, name="agent-left", tags=tags)
    [left] = guard.running()
    assert (left.name, left.gpu_count) == ("agent-left", 1)
    with pytest.raises(rc.SpendRefusedError, match="1 instances or jobs run"):
        guard.run_job(**JOB)


def test_a_job_that_is_lost_counts_and_is_ended_by_its_name(cloud, both, guard):
    cloud.fail("POST /jobs", lose_response=True)
    cloud.fail("POST /jobs", drop_connection=True, times=3)
    respond(cloud, "GET /jobs", [], times=3)  # what runs, and looking for it twice
    with pytest.raises(rc.AmbiguousLaunchError) as caught:
        guard.run_job(**JOB)
    [entry] = guard.ledger.live
    assert (caught.value.name, entry.state) == (entry.name, "unknown")
    report = guard.terminate_all()
    assert (report.ended, report.failed) == ((entry.name,), ())
    assert cloud.world.live_jobs == {}


def test_a_job_that_just_ended_is_left_as_it_is(cloud, both, guard):
    job = guard.run_job(**JOB)
    done = both("jobs.wait", job.id, poll_interval=0.02)
    assert guard.cancel_job(done.id).status == "succeeded"
    cloud.clock_speed = 0
    late = guard.run_job(**JOB)
    # It ends between the look and the cancellation.
    looked = cleanup.cancel_job(guard.ledger, late)
    cloud.clock.advance(100)
    assert both("run", looked).status == "succeeded"
    assert guard.ledger.live == ()
