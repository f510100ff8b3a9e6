"""The flags of `runcrate-mcp`, and the checks of its HTTP server."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

import runcrate_core as rc
from runcrate_emulator import Emulator
from runcrate_mcp import ServerSettings, command_line
from runcrate_mcp.http import ClientActivity
from tests.mcp_server.connections import serving_over_http


@pytest.fixture(autouse=True)
def _levels_of_loggers_are_restored() -> Iterator[None]:
    """The command quiets loggers of libraries; tests of other files read them."""
    names = ("httpx", "httpcore", "mcp", "uvicorn", "sse_starlette")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def test_without_a_key_the_server_says_so(monkeypatch, capsys):
    monkeypatch.delenv("RUNCRATE_API_KEY")
    assert command_line.main([]) == 2
    printed = capsys.readouterr()
    assert "RUNCRATE_API_KEY" in printed.err
    assert printed.out == ""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []

    async def serve(*arguments: Any) -> None:
        calls.append(arguments)

    monkeypatch.setattr(command_line, "_serve", serve)
    return calls


def test_flags_mirror_the_spending_limits(served, tmp_path):
    flags = (
        "--max-total-usd 7.5 --max-price-per-hour 2 --max-runtime-minutes 30 --max-instances 2 "
        "--max-gpus 4 --gpu-types A100,H100 --regions us-east-1 --name-prefix mine- --yes "
        f"--include list_instances,runcrate_get_balance --include get_job --files-dir {tmp_path} "
        "--http 0 --idle-minutes 5"
    )
    assert command_line.main(flags.split()) == 0
    [(settings, port, idle_minutes)] = served
    assert settings.limits == rc.SpendLimits(
        max_total_usd=Decimal("7.5"),
        max_price_per_hour=2,
        max_runtime_minutes=30,
        max_instances=2,
        max_gpus=4,
        gpu_types=("A100", "H100"),
        regions=("us-east-1",),
        name_prefix="mine-",
    )
    assert settings.include == {"list_instances", "runcrate_get_balance", "get_job"}
    assert (settings.require_approval, settings.files_dir) == (False, tmp_path)
    assert (port, idle_minutes) == (0, 5.0)


def test_without_flags_there_are_no_limits(served):
    assert command_line.main([]) == 0
    assert served[0][0].limits is None
    assert served[0][0].require_approval


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ("--yes", "`--yes` needs spending limits"),
        ("--allow-commands", "`--allow-commands` needs spending limits"),
        ("--regions us-east-1", "`--regions` narrows spending limits"),
        ("--max-total-usd -1", "max_total_usd"),
        ("--max-runtime-minutes 1", "max_runtime_minutes"),
        ("--http 70000", "--http"),
        ("--idle-minutes 0", "--idle-minutes"),
        ("--include ,", "no name is given"),
        ("--max-total-usd 5 --gpu-types ,", "no name is given"),
        (f"--files-dir {__file__}", "is a file, not a directory"),
    ],
)
def test_what_does_not_fit_together_is_refused(served, capsys, flags, reason):
    try:
        status = command_line.main(flags.split())
    except SystemExit as stopped:  # of the parser
        status = stopped.code
    assert (status, served) == (2, [])
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("name", ["no_such_tool", "launch_instance", "generate_image"])
def test_a_tool_that_is_not_there_is_named(name, capsys):
    assert command_line.main(["--include", name, "--http", "0"]) == 2
    assert name in capsys.readouterr().err


def test_a_closed_standard_input_is_said(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    assert command_line.main([]) == 2
    assert "is closed" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert command_line.main(["--http", str(port)]) == 2
    assert f"Port {port} cannot be used" in capsys.readouterr().err


def test_without_the_sdk_it_says_what_to_install(capsys, monkeypatch):
    async def serve(*_):
        raise ModuleNotFoundError("No module named 'mcp'", name="mcp.server")

    monkeypatch.setattr(command_line, "_serve", serve)
    assert command_line.main([]) == 2
    assert "runcrate-integrations[mcp]" in capsys.readouterr().err


async def test_requests_of_other_hosts_and_origins_are_refused():
    info = {"name": "test", "version": "1"}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}
    initialize = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    accept = {"Accept": "application/json, text/event-stream"}
    with Emulator() as emulator:
        async with (
            serving_over_http(emulator, ServerSettings()) as (url, _),
            httpx.AsyncClient() as http,
        ):
            for headers, status in (
                ({}, 200),
                ({"Origin": "http://localhost:6274"}, 200),
                ({"Host": "attacker.test"}, 421),
                ({"Origin": "https://attacker.test"}, 403),
            ):
                response = await http.post(url, json=initialize, headers={**accept, **headers})
                assert response.status_code == status, headers


class Clients:
    """Sends requests of clients to a `ClientActivity`."""

    def __init__(self, idle_timeout: float) -> None:
        self.release = asyncio.Event()
        self.release.set()
        self.activity = ClientActivity(self._app, idle_timeout)

    async def _app(self, scope: Any, _: Any, send: Any) -> None:
        headers = [(b"mcp-session-id", scope["opens"].encode())] if scope["opens"] else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await self.release.wait()

    async def send(self, method: str, session: str | None = None, *, opens: str = "") -> None:
        headers = [] if session is None else [(b"mcp-session-id", session.encode())]
        scope = {"type": "http", "method": method, "headers": headers, "opens": opens}

        async def sink(_: Any) -> None:
            pass

        await self.activity(scope, None, sink)


@pytest.mark.parametrize("other", ["s2", ""])
async def test_the_end_of_the_last_session_is_noticed_at_once(other):
    """A client without a session may still be there."""
    clients = Clients(idle_timeout=60)
    await clients.send("POST", opens=other)
    await clients.send("POST", opens="s1")
    await clients.send("POST", "s1")
    await clients.send("DELETE", "s1")
    assert not clients.activity.gone.is_set()
    if other:
        await clients.send("DELETE", other)
        assert clients.activity.gone.is_set()


async def test_silence_is_noticed_but_an_open_request_is_none():
    clients = Clients(idle_timeout=0.1)
    clients.release.clear()
    waiting = asyncio.create_task(clients.send("GET", "s1"))
    await asyncio.sleep(0.3)
    assert not clients.activity.gone.is_set()
    clients.release.set()
    await waiting
    await asyncio.wait_for(clients.activity.gone.wait(), 2)
