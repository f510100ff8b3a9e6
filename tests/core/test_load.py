"""Many calls at once are answered, and nothing is left; `benchmarks.load` is the large run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import pytest

from benchmarks import load
from benchmarks.__main__ import Process
from benchmarks.report import FOLDER


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Process(sys.executable, str(FOLDER.parent / "server.py")) as server:
        yield f"http://127.0.0.1:{int(server.read())}/v1"


async def test_cancelled_waits_leave_the_pool_usable(url):
    before = load.open_things()
    counts = await load.cancelled_waits(url, 150, within_s=0.5)
    await asyncio.sleep(0.05)  # closed sockets leave the event loop in its next rounds
    after = load.open_things()
    assert {name: after[name] - before[name] for name in after if after[name] > before[name]} == {}
    assert counts == {"CancelledError": 150, "answered": load.CONNECTIONS}
