"""From measurements to a table, a JSON file and a plot."""

from __future__ import annotations

import json
import math
import os
import platform
import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

FOLDER = Path(__file__).parent / "results"
PLOT = Path(__file__).resolve().parent.parent / "docs" / "images" / "performance.svg"
OURS = {"core": "runcrate_core", "langchain": "langchain_runcrate (ours)",
        "llamaindex": "llamaindex_runcrate (ours)"}  # fmt: skip
COMBINED_FLOORS = {
    "langchain": "langchain-core on raw httpx",
    "llamaindex": "llama-index-core on raw httpx",
}
FLOORS = {"langchain": "langchain-core floor", "llamaindex": "llama-index-core floor"}
GREEN, GREY, BLUE, VIOLET = "#15803d", "#94a3b8", "#3b82f6", "#8b5cf6"
PLOTTED = {
    "langchain": {
        "langchain_runcrate (ours)": GREEN,
        "langchain-runcrate 0.1.0": BLUE,
        "langchain-openai": VIOLET,
    },
    "llamaindex": {
        "llamaindex_runcrate (ours)": GREEN,
        "llama-index-llms-runcrate 0.1.0": BLUE,
    },
}
PLOT_WIDTH, LABELS_WIDTH, BAR_STEP = 760, 230, 20
UNITS = {
    "microseconds": "µs",
    "milliseconds": "ms",
    "seconds": "s",
    "cpu_seconds": "s CPU",
    "calls": "calls",
    "kilobytes": "KiB",
    "resident": "KiB resident",
    "sockets": "sockets",
    "megabytes": "MiB",
}


def write_report(results: list[dict[str, Any]], measured_at: datetime) -> None:
    """Write `results.json`, `results.md` and the plot of the documentation."""
    FOLDER.mkdir(exist_ok=True)
    about = {
        "measured_at": measured_at.isoformat(timespec="minutes"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }
    data = json.dumps({"about": about, "results": results}, indent=1)
    (FOLDER / "results.json").write_text(data + "\n")
    (FOLDER / "results.md").write_text(table(results) + "\n" + growth_table(results))
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    PLOT.write_text(plot(results))
    print(f"\nWritten: {FOLDER / 'results.md'}, results.json and {PLOT.name}")


def value_of(row: dict[str, Any]) -> tuple[float, str] | None:
    """Return the first figure of a row with its unit."""
    return next(((row[name], unit) for name, unit in UNITS.items() if name in row), None)


def floor_of(rows: list[dict[str, Any]], family: str) -> float | None:
    """Return what the framework and the raw read cost together, where it was measured.

    For whole calls one model was measured that does both; for streams the two are added.
    """
    figures = {row["candidate"]: value_of(row) for row in rows}
    both = figures.get(COMBINED_FLOORS.get(family, ""))
    if both is not None:
        return both[0]
    raw, own = figures.get("raw httpx"), figures.get(FLOORS.get(family, ""))
    if raw is None or (family in FLOORS and own is None):
        return None
    return raw[0] + (own[0] if own else 0.0)


def growth_table(results: list[dict[str, Any]]) -> str:
    """Return a Markdown table of how the cost of one piece changes with the number of pieces.

    The last column is the exponent between the two largest numbers: 1 is linear.
    """
    series: dict[tuple[str, str], dict[int, float]] = {}
    for row in results:
        found = re.fullmatch(r"growth: (\d+) (.+)", row["title"])
        if found and "microseconds" in row:
            key = found[2], row["candidate"]
            series.setdefault(key, {})[int(found[1])] = row["microseconds"]
    lines = ["| what grows | candidate | µs each | exponent |", "|---|---|---|---|"]
    for (what, candidate), figures in series.items():
        told = ", ".join(f"{number:,}: {value:.1f}" for number, value in figures.items())
        (few, small), (many, large) = list(figures.items())[-2:]
        exponent = 1 + math.log(large / small) / math.log(many / few)
        lines.append(f"| {what} | {candidate} | {told} | {exponent:.2f} |")
    return "\n".join(lines) + "\n"


def table(results: list[dict[str, Any]]) -> str:
    """Return a Markdown table: each figure, its ratio to the floor and to ours."""
    lines = [
        "| what | candidate | figure | times the floor | times ours |",
        "|---|---|---|---|---|",
    ]
    for title in dict.fromkeys(row["title"] for row in results):
        rows = [row for row in results if row["title"] == title]
        for row in rows:
            figure = value_of(row)
            if figure is None:
                lines.append(f"| {title} | {row['candidate']} | {escape(row['error'])} | | |")
                continue
            floor = floor_of(rows, row["family"])
            ours = next(
                (
                    value_of(other)
                    for other in rows
                    if other["candidate"] == OURS.get(row["family"])
                ),
                None,
            )
            more = ", ".join(
                f"{row[name]:.1f} {unit}" for name, unit in UNITS.items() if name in row
            )
            to_floor = f"{figure[0] / floor:.2f}" if floor else ""
            to_ours = f"{figure[0] / ours[0]:.1f}" if ours and ours[0] else ""
            lines.append(f"| {title} | {row['candidate']} | {more} | {to_floor} | {to_ours} |")
    return "\n".join(lines) + "\n"


def plot(results: list[dict[str, Any]]) -> str:
    """Return bars of what a streamed chunk costs, as SVG with a ground of its own."""
    parts, top = [], 44
    figures = {(row["title"], row["candidate"]): row.get("microseconds") for row in results}
    shown = [
        (kind, bars(figures, f"stream {kind} sync", family))
        for family in FLOORS
        for kind in ("text", "reasoning", "tool")
    ]
    longest = max(value for _, group in shown for _, value, _ in group)
    scale = (PLOT_WIDTH - LABELS_WIDTH - 90) / longest
    for kind, group in shown:
        parts.append(
            f'<text x="{LABELS_WIDTH}" y="{top + 12}" fill="#64748b">'
            f"{'arguments of tools' if kind == 'tool' else kind}</text>"
        )
        for name, value, colour in group:
            top += BAR_STEP
            length = max(2.0, value * scale)
            parts.append(
                f'<text x="{LABELS_WIDTH - 8}" y="{top + 12}" text-anchor="end">'
                f"{escape(name)}</text>"
                f'<rect x="{LABELS_WIDTH}" y="{top + 1}" width="{length:.0f}" height="14" rx="3" '
                f'fill="{colour}"/>'
                f'<text x="{LABELS_WIDTH + length + 6:.0f}" y="{top + 12}">{value:.1f} µs</text>'
            )
        top += BAR_STEP + 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {PLOT_WIDTH} {top}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#0f172a">'
        f'<rect width="{PLOT_WIDTH}" height="{top}" rx="8" fill="#f8fafc"/>'
        '<text x="16" y="26" font-size="15" font-weight="bold">Processor time of one streamed '
        "chunk, blocking (less is better)</text>" + "".join(parts) + "</svg>\n"
    )


def bars(
    figures: dict[tuple[str, str], float | None], title: str, family: str
) -> list[tuple[str, float, str]]:
    """Return name, microseconds and colour of each bar of one group."""
    raw, own = figures[title, "raw httpx"], figures[title, FLOORS[family]]
    group = [
        (f"{FLOORS[family].removesuffix(' floor')} + raw httpx", (raw or 0) + (own or 0), GREY)
    ]
    for name, colour in PLOTTED[family].items():
        value = figures.get((title, name))
        if value is not None:
            group.append((name, value, colour))
    return group
