"""Whole calls, an agent's turn and ingestion: their time beside a reference, and function calls.

The time depends on the computer, its ratio to the reference less so, and the number of function
calls not at all: a test compares it with the page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from benchmarks.candidates import BY_NAME
from benchmarks.figures import COMBINED_FLOORS, OURS

if TYPE_CHECKING:
    from benchmarks.__main__ import Bench

BEGIN, END = "<!-- whole calls of `make bench` -->", "<!-- end of whole calls -->"
CALLS: Final = ("raw httpx", OURS["core"], COMBINED_FLOORS["langchain"], OURS["langchain"],
                COMBINED_FLOORS["llamaindex"], OURS["llamaindex"])  # fmt: skip
MODELS: Final = (OURS["langchain"], OURS["llamaindex"])
PEERS: Final = ("langchain-openai", "llama-index-llms-runcrate 0.1.0")
TEXTS: Final = 10_000

# What is counted: title, candidates, task. The test repeats these.
COUNTED: Final[tuple[tuple[str, tuple[str, ...], dict[str, Any]], ...]] = (
    ("call", CALLS, {"kind": "call", "model": "text-20", "asynchronous": False}),
    ("async call", CALLS, {"kind": "call", "model": "text-20", "asynchronous": True}),
    ("turn", (*MODELS, *PEERS), {"kind": "turn", "model": "text-20"}),
    ("text", MODELS, {"kind": "embed", "model": "embed-1", "times": TEXTS}),
    *(
        (f"{kind} chunk", MODELS, {"kind": "stream", "model": f"{kind}-500", "asynchronous": False})
        for kind in ("text", "reasoning", "tool")
    ),
)
# Of these the time is measured too: how often in a round, and in how many rounds. Many short
# rounds, with the candidates in turn, say more on a computer with other load than few long ones.
TIMED: Final = {"call": (50, 31), "async call": (50, 31), "turn": (3, 7), "text": (TEXTS, 3)}
# The comparisons of the page: name, title, candidate, reference, most times the reference.
TARGETS: Final = (
    ("Core call, beside `httpx`'s `post` and `json`", "call", *CALLS[1::-1], 1.08),
    ("LangChain call, beside a model on raw httpx", "call", *CALLS[3:1:-1], 1.15),
    ("LlamaIndex call, beside a `CustomLLM` on raw httpx", "call", *CALLS[5:3:-1], 1.15),
    ("Core call, async", "async call", *CALLS[1::-1], 1.08),
    ("LangChain call, async", "async call", *CALLS[3:1:-1], 1.15),
    ("LlamaIndex call, async", "async call", *CALLS[5:3:-1], 1.15),
    ("Agent's turn in LangChain: 20 tools, 200 messages, beside `langchain-openai`", "turn",
     MODELS[0], PEERS[0], 0.5),
    ("Agent's turn in LlamaIndex: the same, beside the official package", "turn",
     MODELS[1], PEERS[1], 0.5),
)  # fmt: skip
ALONE: Final = (
    ("A text of 10,000 embedded, LangChain", "text", OURS["langchain"]),
    ("A text of 10,000 embedded, LlamaIndex", "text", OURS["llamaindex"]),
    *((f"A streamed {kind} chunk, {framework}", f"{kind} chunk", OURS[framework.lower()])
      for kind in ("text", "reasoning", "tool") for framework in ("LangChain", "LlamaIndex")),
)  # fmt: skip


def measure_whole_calls(bench: Bench) -> None:
    """Count the function calls and measure the time, all candidates in turn."""
    for title, names, task in COUNTED:
        candidates = [BY_NAME[name] for name in names]
        bench.run(f"calls: {title}", candidates, rounds=1, counted=True, **task)
        if title in TIMED:
            times, rounds = TIMED[title]
            bench.run(f"time: {title}", candidates, rounds, **{**task, "times": times})


def with_whole_calls(page: str, results: list[dict[str, Any]]) -> str:
    """Return the page with these results between its two comments."""
    tables = f"{BEGIN}\n\n{whole_calls_tables(results)}\n\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: tables, page, flags=re.DOTALL)


def whole_calls_tables(results: list[dict[str, Any]]) -> str:
    """Return the tables of the page, as Markdown."""
    found = {(row["title"], row["candidate"]): row for row in results}
    lines = [
        "| | Function calls | Reference | CPU time | Reference | Ratio | Target | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, title, candidate, reference, most in TARGETS:
        calls, base_calls = (
            found[f"calls: {title}", it].get("calls") for it in (candidate, reference)
        )
        time, base_time = (
            found[f"time: {title}", it].get("microseconds") for it in (candidate, reference)
        )
        if base_time is None or base_calls is None:
            lines.append(f"| {name} | {calls:,} | | {time:,.0f} µs | | | {most} | not measured |")
            continue
        ratio = time / base_time
        lines.append(
            f"| {name} | {calls:,} | {base_calls:,} | {time:,.0f} µs | {base_time:,.0f} µs | "
            f"{ratio:.2f} | {most} | {'met' if ratio <= most else 'missed'} |"
        )
    lines += ["", "| | Function calls | CPU time |", "|---|---|---|"]
    for name, title, candidate in ALONE:
        timed = found.get((f"time: {title}", candidate))
        time_shown = f"{timed['microseconds']:.1f} µs" if timed else ""
        lines.append(
            f"| {name} | {found[f'calls: {title}', candidate]['calls']:.1f} | {time_shown} |"
        )
    return "\n".join(lines)
