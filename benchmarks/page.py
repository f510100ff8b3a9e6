"""The figures of the documentation page, between two comments."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.figures import COMBINED_FLOORS, FLOORS, OURS, growth_exponents

BEGIN, END = "<!-- figures of `make bench` -->", "<!-- end of figures -->"
OFFICIAL = {
    "langchain": "langchain-runcrate 0.1.0",
    "llamaindex": "llama-index-llms-runcrate 0.1.0",
}
FRAMEWORKS = {"langchain": "LangChain", "llamaindex": "LlamaIndex"}
KINDS = {"text": "text", "reasoning": "reasoning", "tool": "tool arguments"}
WAYS = {"sync": "sync", "async": "async"}
# Targets of this project.
LINEAR = 1.15  # exponents below it count as linear (2 is quadratic): measurements vary a little
TARGET_RATIO = {"langchain": 6.0, "llamaindex": 5.0}
MAX_FILE_MIB = 16
MAX_SHARE_OF_FLOOR, MAX_SHARE_OF_CALL, MAX_IMPORT_MS, MAX_CONSTRUCT_MS = 1.5, 1.3, 60.0, 0.5

GROWING = {
    "streams at once": "concurrent streams",
    "messages with images": "messages with images",
    "texts embedded": "embedded texts",
}
SHORT = {"microseconds": "µs", "milliseconds": "ms", "seconds": "s"}

Figures = dict[tuple[str, str], dict[str, Any]]


def with_figures(page: str, results: list[dict[str, Any]]) -> str:
    """Return the page with the figures of these results between its two comments."""
    tables = f"{BEGIN}\n\n{figures(results)}\n\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: tables, page, flags=re.DOTALL)


def figures(results: list[dict[str, Any]]) -> str:
    """Return the tables of the page, as Markdown."""
    found: Figures = {(row["title"], row["candidate"]): row for row in results}
    return "\n\n".join(
        "\n".join(lines)
        for lines in (chunks_table(found), others_table(found), targets_table(found, results))
    )


def chunks_table(found: Figures) -> list[str]:
    """Return the CPU time per streamed chunk."""
    lines = [
        "| One streamed chunk | Floor | This project | Official | `langchain-openai` |",
        "|---|---|---|---|---|",
    ]
    for family, framework in FRAMEWORKS.items():
        for kind, of in KINDS.items():
            for way, called in WAYS.items():
                title = f"stream {kind} {way}"
                floor, ours, official = _chunk(found, title, family)
                other = found.get((title, "langchain-openai"), {}).get("microseconds")
                openai = f"{other:.1f} µs" if other and family == "langchain" else ""
                lines.append(
                    f"| {framework}, {of}, {called} | {floor:.1f} µs | {ours:.1f} µs | "
                    f"{official:.1f} µs ({official / ours:.1f} times) | {openai} |"
                )
    return lines


def others_table(found: Figures) -> list[str]:
    """Return the cost of calls, imports and objects."""
    lines = [
        "| Other | This project | Official package | `langchain-openai` |",
        "|---|---|---|---|",
    ]
    for title, name, unit, digits in (
        ("call sync", "One complete call, sync", "microseconds", 0),
        ("call async", "One complete call, async", "microseconds", 0),
        ("events v3 text", "A chunk as version 3 events", "microseconds", 1),
        ("stream text v1", "A chunk as content blocks (`v1`)", "microseconds", 1),
        ("growth: 1000 messages with images", "A message of 1,000, with images",
         "microseconds", 0),
        ("1,000 calls, batch of 100", "1,000 calls, `batch` of 100", "seconds", 1),
        ("1,000 calls, abatch of 100", "1,000 calls, `abatch` of 100", "seconds", 1),
        ("first chunk, 20 ms apart", "First chunk of a server with a latency of 20 ms",
         "milliseconds", 0),
        ("import", "Import, without framework and httpx", "milliseconds", 0),
        ("construct 10", "Creating a model", "milliseconds", 2),
    ):  # fmt: skip
        for family, framework in FRAMEWORKS.items():
            names = [OURS[family], OFFICIAL[family], "langchain-openai"]
            if family != "langchain":
                names.pop()
            values = [found.get((title, item), {}).get(unit) for item in names]
            if values[0] is None:
                continue
            shown = [
                "" if value is None else f"{value:,.{digits}f} {SHORT[unit]}" for value in values
            ]
            lines.append(
                f"| {name}, {framework} | {' | '.join([*shown, *[''] * (3 - len(shown))])} |"
            )
    return lines


def targets_table(found: Figures, results: list[dict[str, Any]]) -> list[str]:
    """Return the targets and the measurements."""
    lines = ["| Target | Measured | |", "|---|---|---|"]

    def add(target: str, measured: str, *, met: bool) -> None:
        lines.append(f"| {target} | {measured} | {'met' if met else 'missed'} |")

    for family, framework in FRAMEWORKS.items():
        rows = [_chunk(found, f"stream {kind} {way}", family) for kind in KINDS for way in WAYS]
        ratios = [official / ours for _, ours, official in rows]
        floors = [ours / floor for floor, ours, _ in rows]
        add(
            f"{framework}: a chunk costs {TARGET_RATIO[family]:.0f} times less than "
            "the official package's",
            f"{min(ratios):.1f} to {max(ratios):.1f} times",
            met=min(ratios) >= TARGET_RATIO[family],
        )
        add(
            f"{framework}: a chunk costs at most {MAX_SHARE_OF_FLOOR} times the floor",
            f"{min(floors):.2f} to {max(floors):.2f} times",
            met=max(floors) <= MAX_SHARE_OF_FLOOR,
        )
        calls = [
            found[f"call {way}", OURS[family]]["microseconds"]
            / found[f"call {way}", COMBINED_FLOORS[family]]["microseconds"]
            for way in WAYS
        ]
        add(
            f"{framework}: a complete call costs at most {MAX_SHARE_OF_CALL} times "
            "a model on raw httpx",
            " and ".join(f"{call:.2f}" for call in calls) + " times",
            met=max(calls) <= MAX_SHARE_OF_CALL,
        )
        spent = found["import", OURS[family]]["milliseconds"]
        add(
            f"{framework}: importing adds less than {MAX_IMPORT_MS:.0f} ms",
            f"{spent:.0f} ms",
            met=spent < MAX_IMPORT_MS,
        )
        made = found["construct 10", OURS[family]]["milliseconds"]
        add(
            f"{framework}: creating a model takes less than {MAX_CONSTRUCT_MS} ms",
            f"{made:.2f} ms",
            met=made < MAX_CONSTRUCT_MS,
        )
    for label in ("upload", "download"):
        more = found[f"file: {label} 256 MiB", OURS["core"]]["megabytes"]
        add(
            f"Client: {label} of 256 MiB in at most {MAX_FILE_MIB} MiB of memory",
            f"{more:.0f} MiB",
            met=more <= MAX_FILE_MIB,
        )
    grown = growth_exponents(results)
    for family, ours in OURS.items():
        for (label, candidate), (by_number, exponent) in grown.items():
            if candidate != ours:
                continue
            # The fake model creates text chunks only.
            alone = grown.get((label.replace("tool", "text"), FLOORS.get(family, "")))
            beside = f" (the framework alone: {alone[1]:.2f})" if alone else ""
            load = GROWING.get(label, label)
            add(
                f"{FRAMEWORKS[family]}: {load} cost linear time, up to {max(by_number):,}",
                f"exponent {exponent:.2f}{beside}",
                met=exponent < LINEAR or (alone is not None and exponent <= alone[1]),
            )
    return lines


def _chunk(found: Figures, title: str, family: str) -> tuple[float, float, float]:
    """Return microseconds of the floor, of ours and of the official package."""
    floor = sum(found[title, name]["microseconds"] for name in ("raw httpx", FLOORS[family]))
    ours, official = (
        found[title, name]["microseconds"] for name in (OURS[family], OFFICIAL[family])
    )
    return floor, ours, official
