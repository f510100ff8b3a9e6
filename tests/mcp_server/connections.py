"""Connections to a server: both eras of the protocol, over stdio and HTTP."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import IO, Any, Final

from mcp import Client, StdioServerParameters, types

import runcrate_core as rc
from runcrate_emulator import Emulator
from runcrate_mcp import ServerSettings
from runcrate_mcp.http import serve_http

ERAS: Final = ("legacy", "auto")
TRANSPORTS: Final = ("stdio", "http")
LIMITS: Final = ("--max-total-usd", "5", "--max-price-per-hour", "2", "--max-runtime-minutes", "60")
PLAN: Final = {"gpu_type": "A100", "max_runtime_minutes": 30}


class Person:
    """Decides on approvals, and remembers the questions."""

    def __init__(self, *decisions: str) -> None:
        self.decisions = list(decisions)
        self.questions: list[str] = []

    async def __call__(self, _: Any, params: Any) -> types.ElicitResult:
        self.questions.append(params.message)
        decision = self.decisions.pop(0) if self.decisions else "yes"
        return types.ElicitResult(action="accept", content={"approve": decision == "yes"})


def environment(emulator: Emulator) -> dict[str, str]:
    """Return the environment of a server that uses an emulator."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {**kept, **emulator.environment_variables()}


def client_of(emulator: Emulator) -> rc.AsyncRuncrate:
    """Return a client of an emulator."""
    urls = {"base_url": emulator.base_url, "inference_url": emulator.inference_url}
    return rc.AsyncRuncrate(emulator.api_key, **urls)


@contextmanager
def http_server(emulator: Emulator, *flags: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Give the URL and the process of a server."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "runcrate_mcp", "--http", "0", *flags],
            env=environment(emulator),
            stderr=log,
        )
        try:
            yield _url(process, log), process
        finally:
            process.terminate()
            process.wait(30)


@asynccontextmanager
async def serving_over_http(
    emulator: Emulator, settings: ServerSettings, **options: Any
) -> AsyncIterator[tuple[str, asyncio.Task[None]]]:
    """Serve over HTTP in this process; give the URL and the task."""
    url = asyncio.get_running_loop().create_future()
    async with client_of(emulator) as client:
        serving = asyncio.create_task(
            serve_http(settings, 0, client, on_ready=url.set_result, **options)
        )
        try:
            yield await url, serving
        finally:
            serving.cancel()
            await asyncio.wait([serving])


def stdio_server(emulator: Emulator, *flags: str) -> StdioServerParameters:
    """Return the command of a server over stdio."""
    command = ["-m", "runcrate_mcp", *flags]
    return StdioServerParameters(command=sys.executable, args=command, env=environment(emulator))


def _url(process: subprocess.Popen[bytes], log: IO[str]) -> str:
    while process.poll() is None:
        log.seek(0)
        if found := re.search(r"Serving (http://\S+)\n", log.read()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError("the server ended")


@asynccontextmanager
async def connected(
    emulator: Emulator, transport: str, era: str, *flags: str, person: Person | None = None
) -> AsyncIterator[Client]:
    """Give a client that is connected to a server of its own."""
    if transport == "stdio":
        server = stdio_server(emulator, *flags)
        async with Client(server, mode=era, elicitation_callback=person) as client:
            yield client
        return
    with http_server(emulator, "--idle-minutes", "0.02", *flags) as (url, _):
        async with Client(url, mode=era, elicitation_callback=person) as client:
            yield client


def text_of(result: types.CallToolResult) -> str:
    """Return the text blocks of a result."""
    return "\n".join(block.text for block in result.content if block.type == "text")


async def launch(client: Client, **changes: Any) -> types.CallToolResult:
    """Plan and launch an instance."""
    plan = await client.call_tool("runcrate_plan_instance", {**PLAN, **changes})
    assert not plan.is_error, text_of(plan)
    token = plan.structured_content["plan_token"]
    return await client.call_tool("runcrate_launch_instance", {"plan_token": token})


def launches(emulator: Emulator) -> int:
    """Return how many launches were requested."""
    return sum(
        request.method == "POST" and request.path.endswith("/instances")
        for request in emulator.requests
    )
