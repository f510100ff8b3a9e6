"""Many calls at once, slow and faulty servers, cancelled waits: `python -m benchmarks.load`.

Each load says how many calls were answered, and which descriptors, threads, tasks and memory the
process has before and after it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import platform
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.__main__ import Process
from benchmarks.report import FOLDER, PAGE
from runcrate_core import AsyncRuncrate, Runcrate

BEGIN, END = "<!-- load of `make bench` -->", "<!-- end of load -->"
KEY: Final = "rc_live_test"
MESSAGES: Final = [{"role": "user", "content": "Hello!"}]
# At 22 % faults, 4 attempts of a call fail once in 430 calls, and 9 once in 800,000.
RETRIES: Final = 8
# Fewer connections than waits that are cancelled, so that most of these wait for a connection.
CONNECTIONS: Final = 100
Counts = dict[str, int]


def open_things() -> Counts:
    """Count what a program must not leave open."""
    gc.collect()
    try:
        tasks = len(asyncio.all_tasks())
    except RuntimeError:  # no event loop runs here
        tasks = 0
    return {
        "descriptors": len(os.listdir("/dev/fd")),  # noqa: PTH208 - only their number
        "threads": threading.active_count(),
        "tasks": tasks,
    }


def outcomes(answers: Iterable[Any]) -> Counts:
    """Count answers, and errors by their class."""
    return Counter(
        type(answer).__name__ if isinstance(answer, BaseException) else "answered"
        for answer in answers
    )


async def chats(url: str, number: int, model: str) -> Counts:
    """Ask for so many chats at once, on one client."""
    async with AsyncRuncrate(KEY, inference_url=url) as client:
        calls = [chat(client, model) for _ in range(number)]
        return outcomes(await asyncio.gather(*calls, return_exceptions=True))


def chat(client: AsyncRuncrate, model: str) -> Awaitable[Any]:
    """Ask for one chat."""
    return client.chat.completions.create(model=model, messages=MESSAGES)


def threads(url: str, number: int, times: int, model: str) -> Counts:
    """Ask for chats from so many threads at once, one after the other in each, on one client."""
    ready = threading.Barrier(number)

    def work(_: int) -> list[Any]:
        ready.wait()
        return [attempt() for _ in range(times)]

    def attempt() -> Any:
        try:
            return client.chat.completions.create(model=model, messages=MESSAGES)
        except Exception as error:  # noqa: BLE001 - it is counted
            return error

    with (
        Runcrate(KEY, inference_url=url, max_retries=RETRIES) as client,
        ThreadPoolExecutor(number) as pool,
    ):
        return outcomes(answer for answers in pool.map(work, range(number)) for answer in answers)


async def cancelled_waits(url: str, number: int, within_s: float, seed: int = 22) -> Counts:
    """Cancel so many waits at random moments, then ask for as many chats as have connections."""
    draw = random.Random(seed)
    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with httpx.AsyncClient(limits=limits) as given:
        client = AsyncRuncrate(KEY, inference_url=url, http_client=given)
        await chat(client, "text-1")  # the size of the rate limit is known from here
        waits = [asyncio.ensure_future(chat(client, "text-1-60000")) for _ in range(number)]
        loop = asyncio.get_running_loop()
        for wait in waits:
            loop.call_later(draw.uniform(0, within_s), wait.cancel)
        ended = outcomes(await asyncio.gather(*waits, return_exceptions=True))
        calls = [chat(client, "text-1") for _ in range(CONNECTIONS)]
        after = outcomes(await asyncio.gather(*calls, return_exceptions=True))
        return Counter(ended) + Counter(after)


def resident_mib() -> float | None:
    """Return the memory of this process in MiB, where the system tells it."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return None
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


Load = Callable[[str], Awaitable[Counts]]


async def chats_2000(url: str) -> Counts:
    return await chats(url, 2000, "text-20-500")


async def chats_of_12_s(url: str) -> Counts:
    return await chats(url, 250, "text-20-12000")


async def faulty_threads(url: str) -> Counts:
    return threads(url, 200, 10, "faulty-20")  # nothing else runs in this loop


async def waits_1000(url: str) -> Counts:
    return await cancelled_waits(url, 1000, within_s=3.0)


LOADS: Final[dict[str, Load]] = {
    "2,000 async chats at once, 0.5 s each": chats_2000,
    "250 async chats at once, 12 s each": chats_of_12_s,
    "200 threads, 10 chats each, 22 % faults": faulty_threads,
    "1,000 cancelled waits on 100 connections, then 100 chats": waits_1000,
}


async def measure(url: str) -> list[dict[str, Any]]:
    """Run each load once, after one round that loads code and lets the memory grow."""
    await chats_2000(url)
    rows = []
    for title, load in LOADS.items():
        before, resident = open_things(), resident_mib()
        started = time.perf_counter()
        counts = await load(url)
        seconds = time.perf_counter() - started
        await asyncio.sleep(0.1)  # closed sockets leave the event loop in its next rounds
        row = {
            "title": title,
            "counts": dict(counts),
            "before": before,
            "after": open_things(),
            "resident_mib": [resident, resident_mib()],
            "seconds": round(seconds, 1),
        }
        print(row, flush=True)
        rows.append(row)
    return rows


def load_table(results: list[dict[str, Any]]) -> str:
    """Return the table of the page, as Markdown."""
    lines = [
        "| Load | Answered | Failed | Descriptors | Threads | Tasks | Memory, MiB | Seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in results:
        counts = dict(row["counts"])
        answered = f"{counts.pop('answered', 0):,}"
        cancelled = counts.pop("CancelledError", 0)
        if cancelled:
            answered += f" ({cancelled:,} cancelled)"
        kept = [f"{row['before'][name]}, {row['after'][name]}" for name in row["before"]]
        memory = ", ".join("" if size is None else f"{size:.0f}" for size in row["resident_mib"])
        cells = [row["title"], answered, f"{sum(counts.values()):,}", *kept, memory, row["seconds"]]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def with_load(page: str, results: list[dict[str, Any]]) -> str:
    """Return the page with these results between its two comments."""
    text = f"{BEGIN}\n\n{load_table(results)}\n\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: text, page, flags=re.DOTALL)


def main() -> None:
    """Measure, and write `load.json` and the table of the documentation."""
    with Process(sys.executable, str(Path(__file__).parent / "server.py")) as server:
        results = asyncio.run(measure(f"http://127.0.0.1:{int(server.read())}/v1"))
    data = json.dumps({"python": platform.python_version(), "results": results}, indent=1)
    (FOLDER / "load.json").write_text(data + "\n")
    PAGE.write_text(with_load(PAGE.read_text(), results))


if __name__ == "__main__":
    main()
