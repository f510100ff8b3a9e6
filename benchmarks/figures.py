"""Figures of rows of results: their floors, and their growth."""

from __future__ import annotations

import math
import re
from typing import Any

OURS = {"core": "runcrate_core", "langchain": "langchain_runcrate (ours)",
        "llamaindex": "llamaindex_runcrate (ours)"}  # fmt: skip
COMBINED_FLOORS = {
    "langchain": "langchain-core on raw httpx",
    "llamaindex": "llama-index-core on raw httpx",
}
FLOORS = {"langchain": "langchain-core floor", "llamaindex": "llama-index-core floor"}
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


def value_of(row: dict[str, Any]) -> tuple[float, str] | None:
    """Return the first figure of a row with its unit."""
    return next(((row[name], unit) for name, unit in UNITS.items() if name in row), None)


def floor_of(rows: list[dict[str, Any]], family: str) -> float | None:
    """Return what the framework and the raw read cost together, where it was measured.

    For complete calls one model was measured that does both; for streams the two are added.
    """
    figures = {row["candidate"]: value_of(row) for row in rows}
    both = figures.get(COMBINED_FLOORS.get(family, ""))
    if both is not None:
        return both[0]
    raw, own = figures.get("raw httpx"), figures.get(FLOORS.get(family, ""))
    if raw is None or (family in FLOORS and own is None):
        return None
    return raw[0] + (own[0] if own else 0.0)


def growth_exponents(
    results: list[dict[str, Any]],
) -> dict[tuple[str, str], tuple[dict[int, float], float]]:
    """Return, for each thing that grows and each candidate, the cost of one piece by their number.

    With it comes the exponent between the two largest numbers: 1 is linear, 2 quadratic.
    """
    series: dict[tuple[str, str], dict[int, float]] = {}
    for row in results:
        found = re.fullmatch(r"growth: (\d+) (.+)", row["title"])
        if found and "microseconds" in row:
            key = found[2], row["candidate"]
            series.setdefault(key, {})[int(found[1])] = row["microseconds"]
    grown = {}
    for key, figures in series.items():
        (few, small), (many, large) = list(figures.items())[-2:]
        grown[key] = figures, 1 + math.log(large / small) / math.log(many / few)
    return grown
