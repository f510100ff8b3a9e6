"""The ledger on disk: shared by processes, kept over restarts and hard kills."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sqlite3
import stat
import subprocess
import sys
import textwrap
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import runcrate_core as rc
import runcrate_core.toolkit as rt
from runcrate_core.spending import cleanup, network_disks
from runcrate_core.spending.network_disks import file_system_of
from tests.core.agents import start
from tests.core.cloud import in_child

LIMITS = rc.SpendLimits(max_price_per_hour=2, max_instances=9, max_gpus=9, max_total_usd=3)


def entry(name: str, **fields: Any) -> rc.LedgerEntry:
    return rc.LedgerEntry(name, "instance", Decimal(1), 60, **fields)


def execute(path: Path, statement: str, *values: str) -> None:
    """Change the database of a ledger behind its back."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def test_entries_survive_with_all_their_fields(tmp_path):
    path = tmp_path / "budget.db"
    ledger = rc.SpendLedger(path)
    ledger.reserve(entry("agent-a", attempts=2, approved_at=datetime.now(UTC)), LIMITS)
    ledger.note("agent-a", id="i-1", state="started")
    ledger.observe(ledger.entries[0], is_running=True)
    copied = pickle.loads(pickle.dumps(ledger))  # noqa: S301 - what was just made here
    again = rc.SpendLedger(path)
    assert again.entries == copied.entries == ledger.entries
    assert again.entries[0].running_until is not None
    again.note("agent-a", state="ended", cost_usd=Decimal("0.1"))
    assert ledger.total_usd == Decimal("0.1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again.release("agent-a")
    assert ledger.entries == ()
    with pytest.raises(rc.ConfigurationError, match="in memory"):
        pickle.dumps(rc.SpendLedger())


def _reserve_many(path: str, process: int) -> int:
    ledger, taken = rc.SpendLedger(path), 0
    for number in range(20):
        try:
            ledger.reserve(entry(f"agent-{process}-{number}"), LIMITS)
        except rc.SpendRefusedError:
            continue
        taken += 1
    return taken


def test_processes_cannot_exceed_the_budget_together(tmp_path):
    path = str(tmp_path / "budget.db")
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        taken = pool.starmap(_reserve_many, [(path, number) for number in range(3)])
    assert sum(taken) == 3
    assert rc.SpendLedger(path).total_usd == 3


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_ledger_in_memory_is_refused_after_a_fork():
    ledger = rc.SpendLedger()

    def is_refused():
        with pytest.raises(rc.ConfigurationError, match="forked"):
            ledger.reserve(entry("agent-a"), LIMITS)
        return True

    assert in_child(is_refused)
    ledger.reserve(entry("agent-a"), LIMITS)


@pytest.mark.parametrize("path", [":memory:", "file:budget.db?mode=memory", "file::memory:"])
def test_a_name_of_sqlite_is_no_path(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(rc.ConfigurationError, match=r"`SpendLedger\(\)`"):
        rc.SpendLedger(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["not a database", "another database", "newer", "missing folder"])
def test_a_file_that_is_no_ledger_is_refused(tmp_path, kind):
    path = tmp_path / "budget.db"
    if kind == "not a database":
        path.write_text("hello " * 1000)
    elif kind == "missing folder":
        path = tmp_path / "none" / "budget.db"
    else:
        execute(path, "CREATE TABLE other (a)")
        execute(path, f"PRAGMA user_version = {9 if kind == 'newer' else 0}")
    with pytest.raises(rc.ConfigurationError, match="Nothing was launched"):
        rc.SpendLedger(path)


@pytest.mark.parametrize(
    "change",
    [
        "entries SET price_per_hour = 'abc'",
        "entries SET price_per_hour = '1e400'",
        "entries SET cost_usd = '-100'",
        "entries SET cost_usd = 'NaN'",
        "entries SET max_runtime_minutes = 'many'",
        "entries SET reserved_at = 'yesterday'",
    ],
)
def test_a_damaged_row_allows_nothing(tmp_path, change):
    path = tmp_path / "budget.db"
    ledger = rc.SpendLedger(path)
    ledger.reserve(entry("agent-a"), LIMITS)
    execute(path, f"UPDATE {change}")
    for use in (ledger.describe, lambda: ledger.reserve(entry("agent-b"), LIMITS)):
        with pytest.raises(rc.ConfigurationError, match="one of its rows is damaged"):
            use()


@pytest.mark.parametrize("cost", ["1e300", "-1", "NaN"])
def test_an_absurd_cost_leaves_the_worst_case(tmp_path, cost):
    ledger = rc.SpendLedger(tmp_path / "budget.db")
    ledger.reserve(entry("agent-a"), LIMITS)
    job = rc.Job.model_construct(id="j-1", status="failed", cost_usd=Decimal(cost))
    cleanup.record_end(ledger, ledger.entries[0], job)
    [ended] = ledger.entries
    assert (ended.state, ended.at_most_usd) == ("ended", 1)


def test_a_network_disk_is_recognised(tmp_path, monkeypatch):
    mounts = (
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "40 22 0:50 / /mnt/my\\040share rw - nfs4 host:/x rw\nodd\n"
    )
    assert file_system_of(Path("/mnt/my share/x"), mounts) == "nfs4"
    assert file_system_of(Path("/home"), mounts) == "ext4"
    monkeypatch.setattr(network_disks, "network_file_system", lambda _: "nfs4")
    with pytest.raises(rc.ConfigurationError, match=r"network disk \(nfs4\)"):
        rc.SpendLedger(tmp_path / "budget.db")


def test_a_plan_is_launched_by_another_process_after_its_approval(cloud, tmp_path):
    """A person who was asked may take longer than ten minutes, and the asking process may end."""
    path = tmp_path / "budget.db"
    code = """
        import sys, runcrate_core as rc, runcrate_core.toolkit as rt
        limits, ledger = rc.SpendLimits(max_price_per_hour=2), rc.SpendLedger(sys.argv[1])
        box = rt.AgentToolbox(limits=limits, ledger=ledger)
        with rc.Runcrate() as client:
            arguments = {"gpu_type": "A100", "max_runtime_minutes": 30}
            token = client.run(box.run_tool("runcrate_plan_instance", arguments)).data["plan_token"]
        box.describe_call("runcrate_launch_instance", {"plan_token": token})
        print(token)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
    environment = {**os.environ, **cloud.environment_variables()}
    token = subprocess.check_output(command, env=environment, text=True).strip()
    long_ago = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    execute(path, "UPDATE plans SET plan = json_set(plan, '$.planned_at', ?)", long_ago)
    box = rt.AgentToolbox(limits=rc.SpendLimits(max_price_per_hour=2), ledger=rc.SpendLedger(path))
    launch = box.run_tool("runcrate_launch_instance", {"plan_token": token})
    with rc.Runcrate(cloud.api_key, base_url=cloud.base_url) as client:
        launched = client.run(launch).data
        with pytest.raises(rc.SpendRefusedError, match="launched already"):
            client.run(box.run_tool("runcrate_launch_instance", {"plan_token": token}))
    assert list(cloud.world.live_instances) == [launched["id"]]
    [kept] = rc.SpendLedger(path).entries
    assert (kept.id, kept.state) == (launched["id"], "started")


def test_two_agents_keep_one_budget_and_end_what_each_started(cloud, tmp_path):
    ledger = rc.SpendLedger(tmp_path / "budget.db")
    guards = [rc.SpendGuard(LIMITS, ledger=ledger) for _ in range(2)]

    with rc.Runcrate(cloud.api_key, base_url=cloud.base_url) as client:
        with rc.SpendSession(guards[0], client) as outer:
            first = client.run(start(guards[0]))
            with rc.SpendSession(guards[1], client) as inner:
                second = client.run(start(guards[1]))
            assert inner.report.ended == (second.name,)
            assert list(cloud.world.live_instances) == [first.id]
        assert outer.report.ended == (first.name,)
    assert cloud.world.live_instances == {}


def test_a_cost_is_never_below_the_time_that_was_observed():
    now = datetime.now(UTC)
    ahead = {"running_from": now, "running_until": now + timedelta(days=400)}
    ran = replace(entry("agent-a"), **ahead)  # by a clock that was set ahead
    assert ran.observed_usd == ran.at_most_usd
    ledger = rc.SpendLedger()
    ledger.reserve(entry("agent-a"), LIMITS)
    ledger.note("agent-a", running_from=now - timedelta(minutes=30), running_until=now)
    ledger.note("agent-a", state="ended", cost_usd=Decimal("0.01"))
    assert ledger.entries[0].cost_usd == Decimal("0.5")
