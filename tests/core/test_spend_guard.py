"""The guard on the emulated cloud: plans, jobs, lifetimes, ends, and the ledger to the cent."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from unittest.mock import AsyncMock

import pytest

import runcrate_core as rc
from runcrate_core.api.instances import Instance
from runcrate_core.api.job_types import Job
from runcrate_core.spending import cleanup
from runcrate_core.spending.instances import lifetime_minutes
from runcrate_core.spending.money import cents, cost_of_instance, cost_of_job
from runcrate_core.spending.reservations import Reservations
from tests.core.agents import JOB, LIMITS, Guard, billed
from tests.core.cloud import respond, sent

# --- plans and launches ----------------------------------------------------------------------


def test_an_instance_without_gpu_is_chosen_only_by_its_name(both, guard):
    anything = guard.plan(max_runtime_minutes=30)
    assert (anything.gpu_type, anything.gpu_count) == ("A4000", 1)
    plan = guard.plan(gpu_type="CPU", max_runtime_minutes=30)
    assert (plan.gpu_type, plan.gpu_count) == ("CPU", 0)
    named = guard.plan(instance_type_id="vivid-hawk-h100-c20d", max_runtime_minutes=30)
    assert named.price_per_hour == Decimal("1.54")
    two = Guard(both, rc.SpendLimits(max_gpus=2))
    pair = two.plan(instance_type_id="copper-finch-rtx4090x2-2b9e", max_runtime_minutes=30)
    assert (pair.gpu_count, pair.price_per_hour) == (2, Decimal("1.32"))
    with pytest.raises(rc.SpendRefusedError, match="of an allowed type and number"):
        guard.plan(instance_type_id="copper-finch-rtx4090x2-2b9e", max_runtime_minutes=30)
    with pytest.raises(rc.SpendRefusedError, match="instance types offered is `nothing`"):
        guard.plan(instance_type_id="nothing", max_runtime_minutes=30)


def test_a_plan_shows_a_person_all_that_matters(both, guard):
    wish = {"gpu_type": "A100", "max_runtime_minutes": 30, "template": "ubuntu-train"}
    plan = guard.plan(**wish, name="x\n$(rm -rf /)", startup_commands=["a\nb", "c"])
    assert plan.describe() == (
        f"{plan.name}: 1 x A100 in us-east-1 at 1.49 USD an hour for at most 30 minutes: at most "
        '0.75 USD (template ubuntu-train; running "a\\nb && c" at its start)'
    )
    assert plan.name.startswith("agent-x-rm--rf-")
    assert guard.plan(max_runtime_minutes=5, name="agent-a").name[:8] == "agent-a-"
    assert guard.plan_of(plan.token) is plan


def test_a_plan_that_could_not_be_run_may_be_tried_again(cloud, both, guard):
    first = guard.launched()
    plan = guard.plan(gpu_type="A100", max_runtime_minutes=30)
    assert [one.name for one in plan.running] == [first.name]
    with pytest.raises(rc.SpendRefusedError, match="1 instances or jobs run"):
        guard.launch(plan.token)
    both("instances.terminate", first.id)  # not by the guard
    cloud.fail(f"GET /instances/{first.id}", status=403)
    with pytest.raises(rc.SpendRefusedError):
        guard.launch(plan.token)  # its end could not be seen
    assert guard.launch(plan.token).name == plan.name
    assert guard.ledger.find(first.name).state == "ended"


def test_the_oldest_of_too_many_plans_is_forgotten(both, guard, monkeypatch):
    monkeypatch.setattr("runcrate_core.spending.ledger.MAX_PLANS", 3)
    plan = guard.plan(gpu_type="A100", max_runtime_minutes=30)
    for kept in (True, True, False):
        guard.plan(gpu_type="A100", max_runtime_minutes=30)
        assert (guard.plan_of(plan.token) is not None) is kept


def test_a_plan_claimed_by_parallel_calls_is_launched_once(cloud):
    guard = rc.SpendGuard(rc.SpendLimits(max_instances=5, max_gpus=5))
    cloud.fail("POST /instances", latency_s=0.3, times=None)

    async def race():
        async with rc.AsyncRuncrate(cloud.api_key, base_url=cloud.base_url) as client:
            plan = await client.run(guard.plan(gpu_type="A100", max_runtime_minutes=30))
            calls = [client.run(guard.launch(plan.token)) for _ in range(4)]
            return await asyncio.gather(*calls, return_exceptions=True)

    results = asyncio.run(race())
    assert sum(isinstance(result, rc.Instance) for result in results) == 1
    assert sum(isinstance(result, rc.SpendRefusedError) for result in results) == 3
    assert len(sent(cloud, "POST /instances")) == 1


def test_an_approver_may_be_asynchronous_where_the_client_is(both, is_async):
    async def approve_later(_):
        return True

    guard = Guard(both, LIMITS, approve=approve_later)
    if is_async:
        assert guard.launched().id
        refusing = Guard(both, LIMITS, approve=AsyncMock(return_value=False))
        with pytest.raises(rc.SpendRefusedError, match="This was not approved: agent-"):
            refusing.launched()
    else:
        with pytest.raises(TypeError, match=r"approve_later` is asynchronous.*AsyncRuncrate"):
            guard.launched()
    assert bool(guard.ledger.entries) is is_async


@pytest.mark.parametrize(
    ("fault", "act", "error"),
    [
        ({}, lambda guard: guard.launched(memory=float("nan")), ValueError),
        ({}, lambda guard: guard.plan(gpu_type="A100", max_runtime_minutes="30"), ValueError),
        ({}, lambda guard: guard.plan(gpu_type="A100", max_runtime_minutes=30.5), ValueError),
        ({"status": 402}, lambda guard: guard.launched(), rc.InsufficientCreditsError),
        ({}, lambda guard: guard.run_job(**JOB, template="no"), rc.UnprocessableEntityError),
    ],
    ids=["unsent", "text", "half", "launch", "job"],
)
def test_what_was_refused_gives_its_reservation_back(cloud, guard, fault, act, error):
    if fault:
        cloud.fail("POST /instances", **fault)
    with pytest.raises(error):
        act(guard)
    assert guard.ledger.entries == ()


# --- lifetimes -------------------------------------------------------------------------------


def test_a_lifetime_is_changed_within_the_limits(both):
    guard = Guard(both, replace(LIMITS, max_total_usd=1.2))
    instance = guard.started()
    assert guard.update(instance.id, max_runtime_minutes=40).max_runtime_minutes == 40
    assert guard.ledger.total_usd == Decimal("1.49") * 40 / 60
    for minutes, problem in ((61, "Allowed are 5 to 60 minutes"), (50, r"may cost 1\.24 USD")):
        with pytest.raises(rc.SpendRefusedError, match=problem):
            guard.update(instance.id, max_runtime_minutes=minutes)
    guard.update(instance.id, max_runtime_minutes=20)
    assert guard.ledger.total_usd == Decimal("1.49") * 20 / 60


def test_changes_near_its_end_do_not_keep_an_instance_alive(cloud, both):
    guard = Guard(both, rc.SpendLimits(max_price_per_hour=2, max_runtime_minutes=5))
    instance = guard.started(max_runtime_minutes=5)
    cloud.clock_speed = 0

    def move_the_end(_):
        """A minute before the end, move it by two minutes."""
        now = both("instances.get", instance.id)
        left = (now.auto_stop_at - cloud.clock.now()).total_seconds()
        cloud.clock.advance(max(0, left - 60))
        guard.update(instance.id, max_runtime_minutes=5)

    with pytest.raises(rc.SpendRefusedError, match="could exceed 5 minutes"):
        list(map(move_the_end, range(5)))
    cloud.clock.advance(600)
    ended = both("instances.get", instance.id)
    assert (ended.has_ended, ended.stop_reason) == (True, "max_runtime")
    guard.settle()
    assert cents(guard.ledger.total_usd) == cents(billed(cloud))
    assert guard.ledger.total_usd <= Decimal("1.49") * 7 / 60


def test_a_longer_life_must_be_approved(both):
    asked: list[str] = []

    def approve(plan):
        asked.append(plan.describe())
        return isinstance(plan, rc.LaunchPlan)

    guard = Guard(both, LIMITS, approve=approve)
    instance = guard.started()
    with pytest.raises(rc.SpendRefusedError, match="not approved"):
        guard.update(instance.id, max_runtime_minutes=40)
    guard.update(instance.id, max_runtime_minutes=20)  # cheaper: nobody is asked
    change = f"{instance.name}: a lifetime of 40 instead of 30 minutes at 1.49 USD an hour"
    assert asked[1:] == [f"{change}: at most 0.99 USD"]


LATER = {"Retry-After": "3600"}


@pytest.mark.usefixtures("short_waits")
@pytest.mark.parametrize(
    ("faults", "error", "counts"),
    [
        ([{"status": 409}], rc.ConflictError, False),
        ([{"status": 500, "times": 4}], rc.InternalServerError, True),
        ([{"drop_connection": True, "times": None}], rc.APIConnectionError, True),
        ([{"status": 204, "body": b""}], rc.ResponseFormatError, True),
        ([{"status": 303, "headers": {"Location": "/x"}}], rc.ResponseFormatError, True),
        ([{"lose_response": True}, {"status": 429, "headers": LATER}], None, True),
    ],
    ids=["refused", "failed", "cut", "unreadable", "elsewhere", "made, and then refused"],
)
def test_a_change_that_may_have_been_made_counts(cloud, guard, faults, error, counts):
    instance = guard.started()
    for fault in faults:
        cloud.fail("PATCH /instances/{id}", **fault)
    with pytest.raises(error) if error else nullcontext():
        assert guard.update(instance.id, max_runtime_minutes=40).max_runtime_minutes == 40
    assert guard.ledger.live[0].max_runtime_minutes == (40 if counts else 30)


def test_how_long_an_instance_lives_is_taken_from_the_response(cloud, guard):
    assert lifetime_minutes(Instance(id="i", status="pending"), 30) == 30
    runs = {"id": "i", "status": "running", "deployed_at": "2026-11-21T10:00:00Z"}
    assert lifetime_minutes(Instance.model_validate(runs), 30) is None
    known = Instance.model_validate({**runs, "auto_stop_at": "2026-11-21T10:20:01Z"})
    assert lifetime_minutes(known, 5) == 21
    instance = guard.started()  # without word of the end, the longest counts
    respond(cloud, "PATCH /instances/{id}", runs)
    guard.update(instance.id, max_runtime_minutes=20)
    assert guard.ledger.live[0].max_runtime_minutes == 32


@pytest.mark.parametrize(
    ("reported", "shown", "counted"),
    [
        (None, "reports none", 10_080),
        (900, "reports one of 900", 900),
        (50, None, 50),
        (0, None, 40),
    ],
)
def test_a_change_that_is_not_in_force_is_said(cloud, guard, reported, shown, counted):
    """Without an end, or with a later one, it counts with that; a look-up may show better."""
    instance = guard.started()
    runs = {"id": instance.id, "name": instance.name, "max_runtime_minutes": reported}
    respond(cloud, "PATCH /instances/{id}", runs)
    if not reported:
        respond(cloud, f"GET /instances/{instance.id}", instance.to_dict())
    if reported is None:
        respond(cloud, f"GET /instances/{instance.id}", runs)
    with pytest.raises(rc.SpendRefusedError, match=shown) if shown else nullcontext():
        guard.update(instance.id, max_runtime_minutes=40)
    assert [entry.max_runtime_minutes for entry in guard.ledger.live] == [counted]


# --- ends ------------------------------------------------------------------------------------


def test_what_vanished_has_ended(cloud, both, guard):
    instance = guard.started()
    guard.settle()  # it has been seen
    cloud.fail(f"GET /instances/{instance.id}", status=404, times=None)
    guard.settle()
    [entry] = guard.ledger.entries
    assert (entry.state, entry.cost_usd, entry.at_most_usd) == ("ended", None, Decimal("0.745"))
    guard.ledger.note(instance.name, state="started")
    assert guard.ledger.live == ()
    assert guard.terminate_all() == rc.CleanupReport()
    both("instances.terminate", instance.id)
    again = guard.launched()
    cloud.fail(f"GET /instances/{again.id}", status=404)
    assert guard.terminate_all().ended == (again.name,)
    assert rc.CleanupReport().describe() == "Nothing was left running."


def test_an_instance_whose_end_is_not_yet_seen_is_priced_later(cloud, both, guard):
    instance = guard.started()
    cloud.fail("GET /instances/{id}", status=404)  # `_own`
    with pytest.raises(rc.NotFoundError):
        guard.terminate(instance.id)
    own = both("instances.get", instance.id)
    cloud.fail("GET /instances/{id}", status=404)  # after its end
    ended = both("run", cleanup.terminate_instance(guard.ledger, own))
    assert ended.id == instance.id
    assert guard.ledger.entries[0].cost_usd is None
    guard.settle()
    assert cents(guard.ledger.total_usd) == cents(billed(cloud))


def test_a_lost_instance_that_never_appears_is_said(cloud, both, guard):
    guard.ledger.reserve(rc.LedgerEntry("agent-lost", "instance", Decimal(1), 30), LIMITS)
    report = guard.terminate_all()
    assert report.failed == (
        ("agent-lost", "no response to its launch came, and it was not found by its name"),
    )
    assert guard.terminate_all(exclude=["agent-lost"]) == rc.CleanupReport()
    assert len(sent(cloud, "GET /instances")) == 1 + len(cleanup.END_WAITS_S)


@pytest.mark.parametrize(
    ("reported", "cost"),
    [
        ({}, 3600),
        ({"status": "running"}, None),
        ({"cost_per_hour": None}, None),
        ({"deployed_at": "soon"}, 3600),
        ({"deployed_at": None, "stop_reason": "max_runtime"}, 3600),
        ({"deployed_at": None, "stop_reason": "user"}, 0),
        ({"deployed_at": "2026-01-01T00:59:49.100Z"}, 10),
        ({"deployed_at": "2026-01-01T01:00:10Z", "status": "failed"}, None),
        ({"deployed_at": "0001-01-01T00:00:00Z"}, None),
        ({"created_at": None}, None),
        ({"updated_at": None}, None),
    ],
)
def test_an_instance_costs_its_whole_seconds_and_is_free_only_if_never_deployed(reported, cost):
    """It counts from its creation; unless the API tells that it was never deployed."""
    times = {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T01:00:00Z"}
    body = {"id": "i", "status": "terminated", "cost_per_hour": 3600, **times, **reported}
    assert cost_of_instance(Instance.model_validate(body)) == cost
    assert cost_of_instance(None) is None


def test_an_instance_that_does_not_tell_its_gpus_has_one(cloud, both, guard):
    listed = {"id": "i", "name": "agent-i", "status": "running"}
    respond(cloud, "GET /instances", [listed, listed])  # and it is one, though listed twice
    assert [one.gpu_count for one in guard.plan(max_runtime_minutes=5).running] == [1]


@pytest.mark.parametrize(
    ("reported", "cost"),
    [
        ({"cost_usd": 2}, 2),
        ({"cost_usd": None}, None),
        ({"cost_usd": 0}, 3600),
        ({"cost_usd": 0, "started_at": None}, 0),
        ({"cost_usd": 0, "cost_per_hour": None}, 0),
    ],
)
def test_a_job_that_is_not_billed_yet_counts_with_its_time(reported, cost):
    times = {"started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T01:00:00Z"}
    job = {"id": "j", "status": "succeeded", "cost_per_hour": 3600, **times, **reported}
    assert cost_of_job(Job.model_validate(job)) == cost


# --- the ledger ------------------------------------------------------------------------------


def test_a_closed_ledger_takes_nothing_and_extends_nothing_that_ended():
    ledger = rc.SpendLedger()
    entry = rc.LedgerEntry("a", "instance", Decimal(1), 30)
    owner, other = rc.SpendGuard(LIMITS, ledger=ledger), rc.SpendGuard(LIMITS, ledger=ledger)
    ledger.open_session(owner)
    with pytest.raises(rc.ConfigurationError, match="open on this ledger already"):
        ledger.open_session(owner)
    session = ledger.open_session(other)
    ledger.close_session(owner, "It is over.")
    with pytest.raises(rc.SpendRefusedError, match=r"It is over\. Nothing was launched\."):
        ledger.reserve(entry, LIMITS, owner=owner)
    ledger.reserve(entry, LIMITS, owner=other)
    assert ledger.find("a").session == session
    assert ledger.find("b") is None
    ledger.note("b", state="started")
    ledger.release("b")
    ledger.note("a", state="ended")
    with pytest.raises(rc.SpendRefusedError, match="Nothing was changed"):
        ledger.extend("a", 40, LIMITS)


def test_gpus_count_together():
    limits = rc.SpendLimits(max_instances=5, max_gpus=3)
    ledger = rc.SpendLedger()
    ledger.reserve(rc.LedgerEntry("a", "instance", Decimal(1), 30, gpu_count=2), limits)
    other = rc.RunningResource("o", "o", "running", "A100", 1, None)
    with pytest.raises(rc.SpendRefusedError, match="3 GPUs are in use and 1 more"):
        ledger.reserve(rc.LedgerEntry("b", "instance", Decimal(1), 30), limits, [other])


def test_limits_may_name_one_gpu_as_a_text_and_leave_room_for_names():
    limits = rc.SpendLimits(gpu_types="RTX 4090", name_prefix="p" * 40, regions=[])
    assert limits.allows_gpu("rtx-4090")
    assert not limits.allows_gpu("A100")
    assert not limits.allows_region(None)
    assert limits.owns(Reservations(limits, rc.SpendLedger()).unique_name("training"))
    with pytest.raises(ValueError, match="40"):
        rc.SpendLimits(name_prefix="p" * 41)
    with pytest.raises(rc.ConfigurationError, match=r"`SpendLimits\(...\)`, not a `dict`"):
        rc.SpendGuard({"max_total_usd": 3})
