"""The life of a session with the official client, in both eras, over stdio and HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import stdio_client

import runcrate_core as rc
from runcrate_emulator import Emulator
from runcrate_mcp import ServerSettings
from tests.mcp_server.connections import (
    ERAS,
    LIMITS,
    PLAN,
    TRANSPORTS,
    Person,
    connected,
    environment,
    http_server,
    launch,
    launches,
    serving_over_http,
    stdio_server,
    text_of,
)
from tests.ssh.hosts import eventually


@pytest.fixture
def emulator() -> Any:
    with Emulator(clock_speed=30) as emulator:
        yield emulator


def statuses(emulator: Emulator) -> dict[str, str]:
    with rc.Runcrate(emulator.api_key, base_url=emulator.base_url) as client:
        return {instance.id: instance.status for instance in client.instances.list()}


async def terminated(emulator: Emulator, instance_id: str) -> bool:
    ended = {None, "terminated", "terminating"}
    return await asyncio.to_thread(eventually, lambda: statuses(emulator).get(instance_id) in ended)


@pytest.mark.parametrize(("transport", "era"), [("stdio", "legacy"), ("http", "auto")])
async def test_a_session_from_the_list_to_the_end_of_its_instance(emulator, transport, era):
    """The other two pairs are in the tests of SIGTERM below."""
    person = Person()
    progress: list[str | None] = []

    async def on_progress(_, __, message):
        progress.append(message)

    async with connected(emulator, transport, era, *LIMITS, person=person) as client:
        assert client.protocol_version == {"legacy": "2025-11-25", "auto": "2026-07-28"}[era]
        assert len((await client.list_tools()).tools) > 15
        plan = await client.call_tool("runcrate_plan_instance", PLAN)
        call = {"plan_token": plan.structured_content["plan_token"]}
        approved = await client.call_tool("runcrate_launch_instance", call)
        assert not approved.is_error, text_of(approved)
        instance_id = approved.structured_content["id"]
        assert plan.structured_content["name"] in person.questions[-1]
        assert "0.75 USD" in person.questions[-1]

        emulator.clock.advance(60)
        instance = {"instance_id": instance_id}
        running = await client.call_tool(
            "runcrate_wait_for_instance", instance, progress_callback=on_progress
        )
        assert running.structured_content["status"] == "running"
        assert progress == [f"{instance_id}: running"]

        assert (launches(emulator), len(person.questions)) == (1, 1)
        if transport == "http":
            # The server goes with the fixture; here the client alone goes.
            assert statuses(emulator)[instance_id] == "running"
    assert await terminated(emulator, instance_id)


async def test_a_client_that_leaves_an_http_server_ends_what_it_started(emulator):
    limits = rc.SpendLimits(max_price_per_hour=2, max_total_usd=5)
    settings = ServerSettings(limits=limits)
    async with serving_over_http(emulator, settings, idle_timeout=0.5) as (url, serving):
        for era in ERAS:  # the server continues with a new session
            async with Client(url, mode=era, elicitation_callback=Person()) as client:
                launched = await launch(client)
                assert not launched.is_error, text_of(launched)
                async with Client(url, mode=era) as other:
                    assert not (await other.call_tool("runcrate_list_instances", {})).is_error
            assert await terminated(emulator, launched.structured_content["id"])
            assert not serving.done()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_sigterm_ends_everything_while_the_client_is_still_there(emulator, transport):
    if transport == "stdio":
        server = stdio_client(stdio_server(emulator, *LIMITS, "--yes"))
        async with Client(server, mode="auto") as client:
            launched = await launch(client)
            [pid] = servers()
            os.kill(pid, signal.SIGTERM)
            assert await terminated(emulator, launched.structured_content["id"])
            assert await asyncio.to_thread(eventually, lambda: servers() == [])
        return
    with http_server(emulator, *LIMITS, "--yes") as (url, process):
        async with Client(url, mode="legacy") as client:
            launched = await launch(client)
            process.send_signal(signal.SIGTERM)
            assert await terminated(emulator, launched.structured_content["id"])
            assert await asyncio.to_thread(process.wait, 20) == 128 + signal.SIGTERM


async def test_a_client_that_is_killed_leaves_nothing_running(emulator):
    program = """
import asyncio, os, sys
from mcp import Client, StdioServerParameters
from tests.mcp_server.connections import LIMITS, launch
async def main():
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "runcrate_mcp", *LIMITS, "--yes"], env=dict(os.environ)
    )
    async with Client(server) as client:
        print((await launch(client)).structured_content["id"], flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        env={**environment(emulator), "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    instance_id = (await process.stdout.readline()).decode().strip()
    assert statuses(emulator)[instance_id] in {"pending", "running"}
    process.kill()
    await process.wait()
    assert await terminated(emulator, instance_id)


async def test_after_a_hard_kill_the_ledger_names_what_runs(emulator, tmp_path):
    ledger = tmp_path / "ledger.db"
    with http_server(emulator, *LIMITS, "--yes", "--ledger", str(ledger)) as (url, process):
        async with Client(url, mode="auto") as client:
            launched = (await launch(client)).structured_content
            process.kill()
            await asyncio.to_thread(process.wait)
    assert statuses(emulator)[launched["id"]] in {"pending", "running"}
    # The server enforces the lifetime, whatever becomes of this program.
    [entry] = rc.SpendLedger(ledger).live
    assert (entry.id, entry.name) == (launched["id"], launched["name"])
    assert launched["max_runtime_minutes"] == PLAN["max_runtime_minutes"]


def servers() -> list[int]:
    """Return the processes of servers that this process started and that run."""
    command = ["pgrep", "-P", str(os.getpid()), "-f", "runcrate_mcp"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]
