"""Fault table, rows 17 to 26: nothing paid is started twice, and nothing beyond the limits."""

import asyncio
import logging
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest

import runcrate_core as rc
from tests.core.agents import LIMITS, Guard
from tests.core.both_clients import cancelled, new_client
from tests.core.cloud import respond, sent
from tests.servers import Reply, ScriptedServer

MADE = {"id": "i-1", "name": "training", "status": "pending"}
CREATED = Reply(201, {"data": MADE})
SILENT = Reply(body=[b"{", 3.0], end="hold")
CUT = Reply(end="no response")
NOW = {"date": format_datetime(datetime.now(UTC), usegmt=True)}
LATER = {**MADE, "created_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
LISTED = Reply(json={"data": [LATER]}, headers=NOW)
EMPTY = Reply(json={"data": []})


OLD = {**MADE, "created_at": "2020-01-01T00:00:00Z"}
LOST = [
    *(CUT, SILENT, Reply(500, {"error": "boom"}), Reply(504), Reply(408), Reply(201, None)),
    Reply(303, headers={"location": "/api/v1/instances/i-1"}),
    *(Reply(201, {"data": {**MADE, "id": odd}}) for odd in ("", "..", "a/../b", "i\n")),
]
LAUNCH = {"name": "training", "gpu_type": "A100", "max_runtime_minutes": 60}


@pytest.mark.parametrize("lost", LOST)
def test_17_a_lost_launch_that_is_not_found_is_ambiguous(scripted, lost):
    server, both = scripted(lost, EMPTY, timeout=0.5)
    with pytest.raises(rc.AmbiguousLaunchError) as caught:
        both("instances.create", **LAUNCH)
    assert [request.method for request in server.received] == ["POST", "GET", "GET"]
    error = caught.value
    assert error.name == "training"
    assert error.idempotency_key == server.received[0].headers["idempotency-key"]
    assert "instances.list(search='training')" in str(error)


TWICE = Reply(json={"data": [LATER, LATER]}, headers=NOW)


@pytest.mark.parametrize("looks", [[TWICE], [EMPTY, LISTED], [Reply(403, {"error": "no"}), LISTED]])
def test_18_a_lost_launch_is_found_by_its_name(scripted, looks):
    server, both = scripted(Reply(500, {"error": "boom"}), *looks)
    instance = both("instances.create", **LAUNCH)
    assert [request.method for request in server.received] == ["POST", *["GET" for _ in looks]]
    assert (instance.id, instance.recovered) == ("i-1", True)


@pytest.mark.parametrize(
    ("others", "sent", "problem"),
    [
        ([OLD], 3, None),
        ([{**LATER, "gpu_type": "H100"}], 3, None),
        ([LATER, {**LATER, "id": "i-2"}], 2, "for certain"),
    ],
)
def test_18_another_instance_of_the_same_name_is_not_taken_for_it(failure, others, sent, problem):
    replies = (CUT, Reply(json={"data": others}, headers=NOW))
    create = {"call": "instances.create", "arguments": LAUNCH}
    failure(rc.AmbiguousLaunchError, *replies, **create, sent=sent, match=problem)


def test_19_a_launch_that_never_left_is_repeated(at):
    with pytest.raises(rc.APIConnectionError) as caught:
        at("http://127.0.0.1:9", max_retries=2)("instances.create", **LAUNCH)
    assert (caught.value.may_have_been_received, caught.value.attempts) == (False, 3)
    assert isinstance(caught.value, ConnectionError)
    assert not isinstance(caught.value, rc.AmbiguousLaunchError)


@pytest.mark.parametrize("status", [503, 429])
def test_20_no_capacity_is_asked_again_and_a_line_logged_for_each_request(scripted, status, caplog):
    caplog.set_level(logging.DEBUG, logger="runcrate_core")
    server, both = scripted(Reply(status, {"error": "no capacity"}), CREATED)
    assert both("instances.create", **LAUNCH).id == "i-1"
    first, second = server.received
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body
    logged = [it for it in caplog.record_tuples if it[0] == "runcrate_core"]
    assert [(level, re.sub(r"\d\.\d\d s", "N s", text)) for _, level, text in logged] == [
        (logging.DEBUG, f"POST /instances: {status} after N s"),
        (logging.INFO, f"POST /instances: {status}; attempt 2 follows in N s"),
        (logging.DEBUG, "POST /instances: 201 after N s"),
    ]


def test_a_refused_launch_is_neither_repeated_nor_looked_for(failure):
    refused = Reply(502, {"error": {"code": "launch_refused", "message": "no such template"}})
    create = {"call": "instances.create", "arguments": LAUNCH}
    failure(rc.InternalServerError, refused, match="no such template", **create)


@pytest.mark.parametrize("replies", [[SILENT], [CUT, SILENT]], ids=["sent", "looked for"])
async def test_23_a_cancelled_launch_names_what_may_run(replies):
    with ScriptedServer(*replies) as server:
        async with new_client(server.url, is_async=True) as client:
            task = asyncio.create_task(client.instances.create(**LAUNCH))
            await asyncio.sleep(0.2)
            error = await cancelled(task)
        assert server.sent == len(replies)
    [note] = error.__notes__
    assert "'training'" in note
    assert server.received[0].headers["idempotency-key"] in note


def test_24_terminate_after_a_lost_response_is_success(scripted):
    server, both = scripted(CUT, Reply(404, {"error": "not found"}))
    assert both("instances.terminate", "i-1") is None
    assert server.sent == 2


# --- rows 25 and 26: the guard -------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "limits"),
    [
        ({"max_runtime_minutes": None}, {}),
        ({"max_runtime_minutes": 61}, {}),
        ({"max_runtime_minutes": 4}, {}),
        ({"gpu_count": 2}, {}),
        ({}, {"gpu_types": ["RTX 4090"]}),
        ({"region": "mars"}, {"regions": ["eu", "us"]}),
    ],
    ids=["no lifetime", "too long", "too short", "too many", "other gpu", "other region"],
)
def test_25_what_the_limits_forbid_is_refused_before_anything_is_sent(cloud, both, wish, limits):
    guard = Guard(both, rc.SpendLimits(**limits))
    with pytest.raises(rc.SpendRefusedError, match="Nothing was launched"):
        guard.launched(**wish)
    assert cloud.requests == []


def test_25_instances_that_run_already_count(cloud, both):
    both("instances.create", name="agent-old", gpu_type="A100")
    with pytest.raises(rc.SpendRefusedError, match="1 instances or jobs run"):
        Guard(both).launched()
    assert len(sent(cloud, "POST /instances")) == 1


def test_25_reservations_at_the_same_time_cannot_exceed_the_total_together():
    limits = rc.SpendLimits(max_instances=10, max_gpus=10, max_total_usd=3)
    ledger = rc.SpendLedger()

    def entry(number):
        return rc.LedgerEntry(f"agent-{number}", "instance", Decimal(1), 60)

    for number in range(3):
        ledger.reserve(entry(number), limits)
    with pytest.raises(rc.SpendRefusedError, match=r"0\.00 USD of 3 USD are left"):
        ledger.reserve(entry(3), limits)
    ledger.note("agent-0", state="ended", cost_usd=Decimal("0.10"))
    with pytest.raises(rc.SpendRefusedError, match=r"0\.90 USD of 3 USD"):
        ledger.reserve(entry(4), limits)
    assert "agent-0: ended, cost 0.10 USD" in ledger.describe()
    assert ledger.describe().endswith("in all at most 2.10 USD")


@pytest.mark.parametrize("response", [False, None, "yes"])
def test_25_only_an_explicit_yes_approves(cloud, both, response):
    guard = Guard(both, approve=lambda _plan: response)
    with pytest.raises(rc.SpendRefusedError, match="not approved"):
        guard.launched()
    assert sent(cloud, "POST /instances") == []
    assert not guard.ledger.entries


def test_26_a_plan_whose_price_rose_is_refused(cloud, both):
    kind = {"id": "good", "gpu_type": "A100", "gpu_count": 1}
    unpriced = {**kind, "id": "unpriced"}  # which is never chosen
    for offered in ([unpriced, {**kind, "hourly_rate": 1.5}], [{**kind, "hourly_rate": 1.6}]):
        respond(cloud, "GET /instances/types", offered)
    with pytest.raises(rc.SpendRefusedError, match=r"rose from 1\.5 to 1\.6"):
        Guard(both).launched()
    assert sent(cloud, "POST /instances") == []


def test_26_an_old_plan_is_refused():
    plan = rc.LaunchPlan("n", "t", "A100", 1, None, Decimal(1), 60, made_at=100.0)
    plan.check_age(700.0)
    with pytest.raises(rc.SpendRefusedError, match="older than 10 minutes"):
        plan.check_age(700.1)
    with pytest.raises(rc.SpendRefusedError, match="no longer offered"):
        plan.check_price(None)


def test_a_mistaken_identifier_is_caught_by_the_name(scripted):
    mine = {**MADE, "name": "agent-a"}
    _, both = scripted(Reply(json={"data": mine}))
    guard = Guard(both, LIMITS)
    guard.ledger.reserve(rc.LedgerEntry("agent-a", "instance", Decimal(1), 30), LIMITS)
    guard.ledger.note("agent-a", id="i-1", state="started")
    with pytest.raises(rc.SpendRefusedError, match="another name"):
        guard.terminate("i-1", expected_name="agent-b")


@pytest.mark.parametrize(
    ("limit", "values"),
    [
        ("max_price_per_hour", (0, float("nan"))),
        ("max_total_usd", ("much", "1e999999")),
        ("max_gpus", (0,)),
        ("max_instances", (1.5,)),
        ("max_runtime_minutes", (4, 10_081)),
        ("name_prefix", (None, 5, "", " ", " agent-", "agent\n", "\u202eagent")),
        ("gpu_types", ([None],)),
        ("regions", ([1],)),
    ],
)
def test_senseless_limits_are_refused(limit, values):
    for value in values:
        with pytest.raises(ValueError, match=limit):
            rc.SpendLimits(**{limit: value})
