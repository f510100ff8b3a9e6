"""Many calls at once are answered, and nothing is left; `benchmarks.load` is the large run."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator

import pytest

from benchmarks import load
from benchmarks.__main__ import Process
from benchmarks.report import FOLDER, PAGE


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Process(sys.executable, str(FOLDER.parent / "server.py")) as server:
        yield f"http://127.0.0.1:{int(server.read())}/v1"


async def leaves_nothing(run: Callable[[], Awaitable[load.Counts]]) -> load.Counts:
    before = load.open_things()
    counts = await run()
    await asyncio.sleep(0.05)  # closed sockets leave the event loop in its next rounds
    after = load.open_things()
    assert {name: after[name] - before[name] for name in after if after[name] > before[name]} == {}
    return counts


async def test_cancelled_waits_leave_the_pool_usable(url):
    counts = await leaves_nothing(lambda: load.cancelled_waits(url, 150, within_s=0.5))
    assert counts == {"CancelledError": 150, "answered": load.CONNECTIONS}


def test_the_page_has_the_figures_of_the_load():
    page = PAGE.read_text()
    results = json.loads((FOLDER / "load.json").read_text())["results"]
    assert load.with_load(page, results) == page
    assert "| 2,000 async chats at once, 0.5 s each | 2,000 | 0 |" in page
