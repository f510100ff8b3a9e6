"""Soak test: processes that are killed at random share one budget on the emulated cloud."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import runcrate_core as rc
from runcrate_core.spending import cleanup
from tests.core.cloud import CLOCK_SPEED
from tests.core.soak import AGENTS, LIMITS

PROCESSES = 4
MAX_KILLS = 2
# `SOAK_LAUNCHES=500 pytest tests/core/test_spend_soak.py` is the complete run (`make soak`).
LAUNCHES = int(os.environ.get("SOAK_LAUNCHES", "9"))
STATUSES = [{"status": status} for status in (500, 503, 429)]
FAULTS: list[dict[str, Any]] = [{"lose_response": True}, {"drop_connection": True}, *STATUSES]
# Hundreds of launches can be paid.
EMULATOR = {"clock_speed": CLOCK_SPEED, "balance_usd": 10_000}
ROUTES = ("POST /instances", "DELETE /instances/{id}", "GET /instances/{id}", "GET /instances")


@pytest.fixture
def path() -> Iterator[Path]:
    """A file that other runs of pytest do not clear away while this test runs for minutes."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name) / "budget.db"


@pytest.mark.timeout(1800)
def test_a_shared_budget_survives_faults_and_hard_kills(cloud, path, monkeypatch):
    ledger = rc.SpendLedger(path)
    draw = random.Random(21)
    each = -(-LAUNCHES // (PROCESSES * AGENTS))
    seeds = iter(range(1, 1000))
    done = threading.Event()
    totals: list[Decimal] = []

    def run():
        command = [sys.executable, "-m", "tests.core.soak", str(path), cloud.base_url]
        return subprocess.Popen([*command, cloud.api_key, str(each), str(next(seeds))])

    def disturb():
        while not done.wait(0.3):
            cloud.fail(draw.choice(ROUTES), **draw.choice(FAULTS))
            totals.append(ledger.total_usd)

    disturber = threading.Thread(target=disturb)
    disturber.start()
    processes = [run() for _ in range(PROCESSES)]
    kills = 0
    while any(process.poll() is None for process in processes):
        next_kill = time.monotonic() + draw.uniform(1.5, 2.5)
        while time.monotonic() < next_kill and any(it.poll() is None for it in processes):
            time.sleep(0.05)
        running = [index for index, process in enumerate(processes) if process.poll() is None]
        if running and kills < MAX_KILLS:
            kills += 1
            index = draw.choice(running)
            processes[index].kill()
            processes[index].wait()
            processes[index] = run()
    done.set()
    disturber.join()
    monkeypatch.setattr(cleanup, "NEVER_APPEARED_AFTER", timedelta())
    with rc.Runcrate(cloud.api_key, base_url=cloud.base_url) as client:
        guard = rc.SpendGuard(LIMITS, ledger=ledger)
        for _ in range(3):
            client.run(guard.settle())
    entries = ledger.entries
    assert all(total <= LIMITS.budget_usd for total in [*totals, ledger.total_usd])
    assert len({entry.id for entry in entries if entry.id}) == sum(
        bool(entry.id) for entry in entries
    )
    assert {entry.id for entry in ledger.live} == set(cloud.world.live_instances)
    started = len(cloud.world.instances)
    assert started >= LAUNCHES
    print(  # noqa: T201 - the figures of the complete run
        f"{LAUNCHES} launches wanted, {started} instances started, {len(entries)} entries, {kills} "
        f"kills, {len(ledger.live)} left running, at most {ledger.total_usd:.2f} USD"
    )
