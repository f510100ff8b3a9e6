"""What tests need that are recorded once and replayed ever after."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from langchain_core.tools import BaseTool

import runcrate_core as rc
from langchain_runcrate import RuncrateToolkit
from runcrate_core.media_tools import media_directory
from runcrate_core.spending import plans, reservations
from runcrate_emulator import JobOutcome
from tests import conftest

# The service wants its rest between two looks; the emulator's clock and a cassette need none.
POLL_S: Final = 5.0 if conftest.RECORDING and conftest.LIVE else 0.02
LIMITS: Final = rc.SpendLimits(
    max_price_per_hour=2, max_runtime_minutes=60, max_total_usd=5, max_instances=2, max_gpus=2
)
JOB: Final = {
    "command": "echo ok > $RUNCRATE_OUTPUT_DIR/r.txt",
    "gpu_type": "A100",
    "max_runtime_minutes": 10,
}


@contextmanager
def counted_names() -> Iterator[None]:
    """Count names instead of drawing them, so that the requests that tell them repeat."""
    numbers = itertools.count()
    counted = SimpleNamespace(token_hex=lambda size: f"{next(numbers):0{2 * size}x}")
    with pytest.MonkeyPatch.context() as patch:
        for module in (reservations, plans, media_directory):
            patch.setattr(module, "secrets", counted)
        yield


@asynccontextmanager
async def toolkit_at(api: conftest.Api, folder: Path) -> AsyncIterator[RuncrateToolkit]:
    """Give a toolkit that may start things, and end what was started."""
    api.script(on_job=lambda _: JobOutcome(artifacts={"r.txt": "ok\n"}))
    client = rc.Runcrate(api.api_key, base_url=api.base_url)
    toolkit = RuncrateToolkit(client, limits=LIMITS, files_dir=folder, poll_interval=POLL_S)
    with counted_names():
        with toolkit.session() as session:
            yield toolkit
        assert session.report is not None
        assert session.report.failed == ()
    await toolkit.aclose()
    client.close()


def named(toolkit: RuncrateToolkit, name: str) -> BaseTool:
    """Return a tool by its name, without what all names begin with."""
    [tool] = [tool for tool in toolkit.get_tools() if tool.name == f"runcrate_{name}"]
    return tool


def use(toolkit: RuncrateToolkit, tool: str, /, **arguments: Any) -> Any:
    """Call a tool and return what it gave."""
    return json.loads(named(toolkit, tool).invoke(arguments))


def launched(toolkit: RuncrateToolkit) -> Any:
    """Launch a machine."""
    plan = use(toolkit, "plan_instance", gpu_type="A100", max_runtime_minutes=30)
    return use(toolkit, "launch_instance", plan_token=plan["plan_token"])


def finished_job(toolkit: RuncrateToolkit) -> str:
    """Run a job to its end and return its identifier."""
    job = use(toolkit, "run_job", **JOB)
    identifier: str = use(toolkit, "wait_for_job", job_id=job["id"])["id"]
    return identifier
