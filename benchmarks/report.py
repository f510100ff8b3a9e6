"""From measurements to a table, a JSON file and a plot."""

from __future__ import annotations

import json
import os
import platform
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.figures import OURS, UNITS, floor_of, growth_exponents, value_of
from benchmarks.page import with_figures
from benchmarks.plot import plot
from benchmarks.whole_calls import with_whole_calls

if TYPE_CHECKING:
    from datetime import datetime

FOLDER = Path(__file__).parent / "results"
DOCUMENTS = Path(__file__).resolve().parent.parent / "docs"
PLOT = DOCUMENTS / "images" / "performance.svg"
PAGE = DOCUMENTS / "help" / "performance.md"


def write_whole_calls(results: list[dict[str, Any]]) -> None:
    """Write `whole_calls.json` and its tables of the documentation."""
    data = json.dumps({"python": platform.python_version(), "results": results}, indent=1)
    (FOLDER / "whole_calls.json").write_text(data + "\n")
    PAGE.write_text(with_whole_calls(PAGE.read_text(), results))


def write_report(results: list[dict[str, Any]], measured_at: datetime) -> None:
    """Write `results.json`, `results.md`, and the plot and the figures of the documentation."""
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
    PAGE.write_text(with_figures(PAGE.read_text(), results))
    print(f"\nWritten: {FOLDER / 'results.md'}, results.json, {PLOT.name} and {PAGE.name}")


def growth_table(results: list[dict[str, Any]]) -> str:
    """Return a Markdown table of how the cost of one piece changes with the number of pieces."""
    lines = ["| what grows | candidate | µs each | exponent |", "|---|---|---|---|"]
    for (what, candidate), (figures, exponent) in growth_exponents(results).items():
        shown = ", ".join(f"{number:,}: {value:.1f}" for number, value in figures.items())
        lines.append(f"| {what} | {candidate} | {shown} | {exponent:.2f} |")
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
