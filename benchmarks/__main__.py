"""Measure everything side by side: `make bench`, or `python -m benchmarks --quick`."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from benchmarks.candidates import CANDIDATES, Candidate
from benchmarks.files import measure_files
from benchmarks.parts import measure_parts
from benchmarks.report import write_report, write_whole_calls
from benchmarks.whole_calls import measure_whole_calls

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".venv-peers"
PEER_PACKAGES = (
    "langchain-runcrate==0.1.0",
    "langchain-openai",
    "langchain-openrouter",
    "llama-index-llms-runcrate==0.1.0",
    "runcrate-sdk==0.5.0",
    "openai",
)
IMPORTS = {
    "langchain_runcrate (ours)": (
        "import httpx, langchain_core.language_models.chat_models",
        "from langchain_runcrate import ChatRuncrate",
    ),
    "langchain-runcrate 0.1.0": (
        "import httpx, langchain_core.language_models.chat_models",
        "from langchain_runcrate import ChatRuncrate",
    ),
    "langchain-openai": (
        "import httpx, langchain_core.language_models.chat_models",
        "from langchain_openai import ChatOpenAI",
    ),
    "langchain-openrouter": (
        "import httpx, langchain_core.language_models.chat_models",
        "from langchain_openrouter import ChatOpenRouter",
    ),
    "llamaindex_runcrate (ours)": (
        "import llama_index.core.llms",
        "from llamaindex_runcrate import RuncrateLLM",
    ),
    "llama-index-llms-runcrate 0.1.0": (
        "import llama_index.core.llms",
        "from llama_index.llms.runcrate import Runcrate",
    ),
    "runcrate_core": ("import httpx, pydantic", "from runcrate_core import Runcrate"),
    "openai": ("import httpx, pydantic", "from openai import OpenAI"),
    "runcrate-sdk": ("import httpx, pydantic", "from runcrate import Runcrate"),
}


_BATCHED = ("langchain_runcrate (ours)", "langchain-runcrate 0.1.0", "langchain-openai")
# A thousand of these take more than half a minute to make.
_SLOWLY_MADE = ("openai", "runcrate-sdk", "langchain-openrouter")
_WARMED_UP = frozenset({"stream", "call", "events", "history", "parallel", "turn"})


class Process:
    """A child that answers a line with a line."""

    def __init__(self, *command: str) -> None:
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.communicate(timeout=30)

    def read(self) -> str:
        """Return its next line."""
        assert self._child.stdout is not None  # noqa: S101 - it was asked for
        return self._child.stdout.readline()

    def ask(self, task: dict[str, Any]) -> dict[str, Any]:
        """Return its answer."""
        assert self._child.stdin is not None  # noqa: S101 - it was asked for
        self._child.stdin.write(json.dumps(task) + "\n")
        self._child.stdin.flush()
        answer: dict[str, Any] = json.loads(self.read())
        return answer


class Bench:
    """Runs tasks on the workers, the candidates in turn, and keeps what they answer."""

    def __init__(self, workers: dict[str, Process], url: str, rounds: int) -> None:
        self.workers = workers
        self.url = url
        self.rounds = rounds
        self.results: list[dict[str, Any]] = []

    def run(
        self, title: str, candidates: list[Candidate], rounds: int | None = None, **task: Any
    ) -> None:
        """Measure candidates in turn, round after round, and keep the medians.

        A round before them is not counted: connections are opened in it, and code is loaded.
        """
        answers: dict[str, list[dict[str, Any]]] = {item.name: [] for item in candidates}
        warm_up = task["kind"] in _WARMED_UP
        for number in range((rounds or self.rounds) + warm_up):
            for item in candidates:
                wish = {"candidate": item.name, "url": self.url, **task}
                if task["kind"] == "import":
                    wish["before"], wish["line"] = IMPORTS[item.name]
                answer = self.workers[item.environment].ask(wish)
                if number or not warm_up:
                    answers[item.name].append(answer)
        for item in candidates:
            self.keep(title, item, answers[item.name])

    def keep(self, title: str, item: Candidate, answers: list[dict[str, Any]]) -> None:
        """Keep the medians of what a candidate answered."""
        errors = [answer["error"] for answer in answers if "error" in answer]
        values = {
            name: statistics.median(answer[name] for answer in answers)
            for name in ([] if errors else answers[0])
        }
        row = {"title": title, "candidate": item.name, "family": item.family, **values}
        if errors:
            row["error"] = errors[0]
        self.results.append(row)
        shown = {name: round(value, 2) for name, value in values.items()} or errors[:1]
        print(f"{title:45} {item.name:34} {shown}", flush=True)


def measure(bench: Bench) -> None:
    """Measure everything."""
    measure_streams(bench)
    measure_calls(bench)
    measure_beginnings(bench)
    measure_growth(bench)


def measure_streams(bench: Bench) -> None:
    """Measure what a streamed chunk costs."""
    streaming = [item for item in CANDIDATES if item.stream is not None]
    for kind in ("text", "reasoning", "tool"):
        for asynchronous in (False, True):
            way = "async" if asynchronous else "sync"
            task = {"kind": "stream", "model": f"{kind}-500", "asynchronous": asynchronous}
            bench.run(f"stream {kind} {way}", streaming, times=3, **task)
            bench.run(f"calls a chunk, {kind} {way}", streaming, rounds=1, counted=True, **task)
    lang = [item for item in streaming if item.events is not None]
    lang = [item for item in lang if "openrouter" not in item.name]  # it has neither
    for kind in ("text", "reasoning", "tool"):
        bench.run(f"stream {kind} v1", lang, kind="stream", model=f"{kind}-500", asynchronous=False,
                  times=3, options={"output_version": "v1"})  # fmt: skip
        bench.run(f"events v3 {kind}", lang, kind="events", model=f"{kind}-500", times=1)


def measure_calls(bench: Bench) -> None:
    """Measure what a complete call costs, alone and among many, and the time to the first chunk."""
    for asynchronous in (False, True):
        way = "async" if asynchronous else "sync"
        bench.run(f"call {way}", list(CANDIDATES), kind="call", model="text-20",
                  asynchronous=asynchronous, times=50)  # fmt: skip
    lang = [item for item in CANDIDATES if item.name in _BATCHED]
    for asynchronous in (False, True):
        way = "abatch" if asynchronous else "batch"
        bench.run(f"1,000 calls, {way} of 100", lang, rounds=2, kind="many",
                  model="text-20", asynchronous=asynchronous, times=1000)  # fmt: skip
    chats = [item for item in CANDIDATES if item.family != "core" and "-core " not in item.name]
    bench.run("first chunk, 20 ms apart", chats, rounds=3, kind="first", model="text-10-20")


def measure_beginnings(bench: Bench) -> None:
    """Measure importing and constructing."""
    importable = [item for item in CANDIDATES if item.name in IMPORTS]
    bench.run("import", importable, kind="import")
    made = [item for item in CANDIDATES if item.name in IMPORTS and item.invoke is not None]
    for number in (1, 10, 1000):
        kept = [item for item in made if number < 1000 or item.name not in _SLOWLY_MADE]
        bench.run(f"construct {number}", kept, rounds=1, kind="construct", model="text-1",
                  times=number)  # fmt: skip


def measure_growth(bench: Bench) -> None:
    """Measure how the cost of one piece changes with their number."""
    by_name = {item.name: item for item in CANDIDATES}
    ours = [by_name["langchain_runcrate (ours)"], by_name["llamaindex_runcrate (ours)"]]
    frameworks = [by_name["langchain-core floor"], by_name["llama-index-core floor"]]
    for kind in ("text", "tool"):
        for chunks in (10, 100, 1_000, 10_000):
            beside = frameworks if kind == "text" else []
            bench.run(f"growth: {chunks} {kind} chunks", ours + beside, rounds=3, kind="stream",
                      asynchronous=False, model=f"{kind}-{chunks}",
                      times=max(1, 1000 // chunks))  # fmt: skip
    for streams in (1, 10, 100, 500):
        bench.run(f"growth: {streams} streams at once", ours + frameworks, rounds=3,
                  kind="parallel", model="text-100", times=streams)  # fmt: skip
    conversing = [item for item in CANDIDATES if item.converse and "floor" not in item.name]
    for length in (10, 100, 1_000):
        bench.run(f"growth: {length} messages with images", conversing, rounds=3,
                  kind="history", model="text-20", times=length)  # fmt: skip
    for texts in (100, 1_000, 10_000):
        bench.run(f"growth: {texts} texts embedded", ours, rounds=3, kind="embed",
                  model="embed-1", times=texts)  # fmt: skip


def install_peers() -> None:
    """Make the environment of the peers, once."""
    if (PEERS / ".ready").exists():
        return
    print("Installing the peers (once) ...")
    subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
    pip = [str(PEERS / "bin" / "python"), "-m", "pip", "install", "--quiet", *PEER_PACKAGES]
    subprocess.run(pip, check=True)
    (PEERS / ".ready").touch()


def main() -> None:
    """Install the peers, measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two rounds instead of seven")
    parser.add_argument("--calls", action="store_true", help="only whole calls, in a minute")
    arguments = parser.parse_args()
    install_peers()
    folder = Path(__file__).parent
    with ExitStack() as stack:
        server = stack.enter_context(Process(sys.executable, str(folder / "server.py")))
        url = f"http://127.0.0.1:{int(server.read())}/v1"
        workers = {
            name: stack.enter_context(Process(python, str(folder / "worker.py")))
            for name, python in (("ours", sys.executable), ("peers", f"{PEERS}/bin/python"))
        }
        bench = Bench(workers, url, 2 if arguments.quick else 7)
        measure_whole_calls(bench)
        write_whole_calls(bench.results)
        bench.results = []
        if arguments.calls:
            return
        measure(bench)
    bench.results += measure_parts() + measure_files()
    write_report(bench.results, datetime.now(UTC))


if __name__ == "__main__":
    main()
