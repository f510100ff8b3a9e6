"""Runs in an environment of candidates: takes a measurement as a JSON line, answers with one.

It measures processor time of its own process, which another process on the machine disturbs far
less than the clock on the wall, and on request counts calls, which nothing disturbs.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import resource
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

# A script's own folder is on the path, the repository is not: it holds packages of the same name
# as a peer's.
from candidates import BY_NAME, HISTORIES, KEY, Candidate, question


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Make one measurement."""
    kind = task["kind"]
    return {
        "stream": stream,
        "call": call,
        "many": many,
        "first": first,
        "import": import_time,
        "construct": construct,
        "parallel": parallel,
        "embed": embed,
        "events": events,
        "history": history,
        "turn": turn,
    }[kind](BY_NAME[task["candidate"]], task)


_made: dict[str, Any] = {}
_loop = asyncio.new_event_loop()


def made(candidate: Candidate, task: dict[str, Any]) -> Any:
    """Return the candidate's object, made once for each model and its options."""
    options = task.get("options", {})
    key = f"{candidate.name} {task['model']} {options}"
    if key not in _made:
        _made[key] = candidate.make(task["url"], task["model"], **options)
    return _made[key]


def stream(candidate: Candidate, task: dict[str, Any]) -> dict[str, Any]:
    """Return the processor time of a chunk, in microseconds, and what is counted."""
    subject, asynchronous = made(candidate, task), task["asynchronous"]

    def once() -> int:
        if asynchronous:
            return _loop.run_until_complete(candidate.astream(subject))  # type: ignore[misc]
        return candidate.stream(subject)  # type: ignore[misc]

    chunks = int(task["model"].split("-")[1])
    if task.get("counted"):
        return {"calls": calls_of(once) / chunks}
    gc.collect()
    started, read = time.process_time(), 0
    for _ in range(task["times"]):
        read += once()
    spent = time.process_time() - started
    if read < chunks * task["times"]:
        raise RuntimeError(f"{candidate.name} read {read} chunks")
    return {"microseconds": spent / task["times"] / chunks * 1e6}


def calls_of(function: Any) -> int:
    """Return how many calls (of Python and of C functions) a function makes."""
    number = 0

    def profile(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal number
        number += event in {"call", "c_call"}

    function()
    gc.collect()
    gc.disable()  # finalizers of earlier objects are no part of it
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        gc.enable()
    return number


def call(candidate: Candidate, task: dict[str, Any]) -> dict[str, Any]:
    """Return the CPU time of a complete call, in microseconds."""
    subject = made(candidate, task)

    def once() -> Any:
        if task["asynchronous"]:
            return _loop.run_until_complete(candidate.ainvoke(subject))  # type: ignore[misc]
        return candidate.invoke(subject)  # type: ignore[misc]

    if task.get("counted"):
        return {"calls": calls_of(once)}
    started = time.process_time()
    for _ in range(task["times"]):
        once()
    return {"microseconds": (time.process_time() - started) / task["times"] * 1e6}


def many(candidate: Candidate, task: dict[str, Any]) -> dict[str, Any]:
    """Return the seconds of many calls at once, on the clock and on the processor."""
    subject, number = made(candidate, task), task["times"]
    config = {"max_concurrency": 100}
    questions = ["Say something."] * number
    started, started_cpu = time.perf_counter(), time.process_time()
    if task["asynchronous"]:
        _loop.run_until_complete(subject.abatch(questions, config=config))
    else:
        subject.batch(questions, config=config)
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - started_cpu,
    }


def first(candidate: Candidate, task: dict[str, Any]) -> dict[str, Any]:
    """Return the milliseconds until the first chunk of a slow server."""
    subject = candidate.make(task["url"], task["model"])
    started = time.perf_counter()
    if candidate.family == "langchain":
        stream = subject.stream("Say something.")
    else:
        stream = subject.stream_chat(question())
    next(chunk for chunk in stream if getattr(chunk, "text", None) or getattr(chunk, "delta", None))
    spent = time.perf_counter() - started
    stream.close()
    return {"milliseconds": spent * 1e3}


def import_time(candidate: Candidate, task: dict[str, Any]) -> dict[str, Any]:
    """Return the milliseconds that importing adds to what it stands on, in new processes."""
    code = (
        "import time\n{before}\nstarted = time.perf_counter()\n{line}\n"
        "print((time.perf_counter() - started) * 1e3)"
    ).format(before=task["before"], line=task["line"])
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    return {"milliseconds": float(result.stdout)}


def construct(candidate: Candidate, task: dict[str, Any]) -> dict[str, Any]:
    """Return time and memory of making so many objects, and the sockets that using ten opens."""
    number = task["times"]
    candidate.make(task["url"], task["model"])
    gc.collect()
    resident, open_before = resident_kilobytes(), sockets()
    started = time.process_time()
    kept = [candidate.make(task["url"], task["model"]) for _ in range(number)]
    spent = time.process_time() - started
    resident = resident_kilobytes() - resident
    for one in kept[:10]:
        candidate.invoke(one)  # type: ignore[misc]
    opened = sockets() - open_before
    tracemalloc.start()
    more = [candidate.make(task["url"], task["model"]) for _ in range(min(number, 100))]
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return {
        "milliseconds": spent / number * 1e3,
        "kilobytes": memory / len(more) / 1024,
        "resident": resident / number,
        "sockets": opened,
    }


def resident_kilobytes() -> float:
    """Return how much memory this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024


def sockets() -> int:
    """Return how many sockets this process holds."""
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists the folder is gone by now
            found += descriptor.readlink().name.startswith("socket:")
    return found


def parallel(candidate: Candidate, task: dict[str, Any]) -> dict[str, Any]:
    """Return the processor time of a chunk with many streams at once."""
    subject, number = made(candidate, task), task["times"]

    async def all_at_once() -> None:
        await asyncio.gather(*(candidate.astream(subject) for _ in range(number)))  # type: ignore[misc]

    chunks = int(task["model"].split("-")[1]) * number
    started = time.process_time()
    _loop.run_until_complete(all_at_once())
    spent = time.process_time() - started
    return {"microseconds": spent / chunks * 1e6}


def events(candidate: Candidate, task: dict[str, Any]) -> dict[str, Any]:
    """Return the processor time of a chunk that is read as events of version 3."""
    subject = made(candidate, task)
    started = time.process_time()
    for _ in range(task["times"]):
        candidate.events(subject)  # type: ignore[misc]
    chunks = int(task["model"].split("-")[1]) * task["times"]
    return {"microseconds": (time.process_time() - started) / chunks * 1e6}


def history(candidate: Candidate, task: dict[str, Any]) -> dict[str, Any]:
    """Return the processor time of a message of a long conversation that is sent once more."""
    subject, length = made(candidate, task), task["times"]
    history = HISTORIES[candidate.family](length)
    times = max(1, 200 // length)
    started = time.process_time()
    for _ in range(times):
        candidate.converse(subject, history)  # type: ignore[misc]
    return {"microseconds": (time.process_time() - started) / times / length * 1e6}


def turn(candidate: Candidate, task: dict[str, Any]) -> dict[str, Any]:
    """Return the processor time of an agent's turn: 20 tools and 200 messages."""
    subject = made(candidate, task)
    if task.get("counted"):
        return {"calls": calls_of(lambda: candidate.turn(subject))}  # type: ignore[misc]
    started = time.process_time()
    for _ in range(task["times"]):
        candidate.turn(subject)  # type: ignore[misc]
    return {"microseconds": (time.process_time() - started) / task["times"] * 1e6}


def embed(candidate: Candidate, task: dict[str, Any]) -> dict[str, Any]:
    """Return the processor time of a text, in microseconds."""
    if candidate.family == "langchain":
        from langchain_runcrate import RuncrateEmbeddings

        model = RuncrateEmbeddings(model="embed-1", api_key=KEY, base_url=task["url"])
        texts = [f"text {number}" for number in range(task["times"])]
        if task.get("counted"):
            return {"calls": calls_of(lambda: model.embed_documents(texts)) / len(texts)}
        started = time.process_time()
        model.embed_documents(texts)
    else:
        from llamaindex_runcrate import RuncrateEmbedding

        llama = RuncrateEmbedding(model_name="embed-1", api_key=KEY, base_url=task["url"])
        texts = [f"text {number}" for number in range(task["times"])]
        if task.get("counted"):
            return {"calls": calls_of(lambda: llama.get_text_embedding_batch(texts)) / len(texts)}
        started = time.process_time()
        llama.get_text_embedding_batch(texts)
    return {"microseconds": (time.process_time() - started) / task["times"] * 1e6}


def main() -> None:
    """Answer measurements until standard input ends."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    asyncio.set_event_loop(_loop)
    for line in sys.stdin:
        try:
            answer = measure(json.loads(line))
        except Exception as error:  # noqa: BLE001 - a peer that fails is a result too
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
