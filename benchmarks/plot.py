"""The plot of the documentation: CPU time per streamed chunk."""

from __future__ import annotations

from html import escape
from typing import Any

from benchmarks.figures import FLOORS

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
# As wide as a phone, so that the labels are legible there.
PLOT_WIDTH, LABELS_WIDTH, BAR_STEP = 440, 200, 20
STYLE = """<style>
.paper { fill: #f8fafc } text { fill: #0f172a } .group { fill: #64748b }
@media (prefers-color-scheme: dark) {
.paper { fill: #171b24 } text { fill: #e6eaf0 } .group { fill: #98a3b3 } }
</style>"""


def plot(results: list[dict[str, Any]]) -> str:
    """Return bars of the CPU time per streamed chunk, as SVG with a background of its own."""
    parts, top = [], 44
    figures = {(row["title"], row["candidate"]): row.get("microseconds") for row in results}
    shown = [
        (kind, bars(figures, f"stream {kind} sync", family))
        for family in FLOORS
        for kind in ("text", "reasoning", "tool")
    ]
    longest = max(value for _, group in shown for _, value, _ in group)
    scale = (PLOT_WIDTH - LABELS_WIDTH - 66) / longest
    for kind, group in shown:
        parts.append(
            f'<text class="group" x="{LABELS_WIDTH}" y="{top + 12}">'
            f"{'tool arguments' if kind == 'tool' else kind}</text>"
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
        f'width="{PLOT_WIDTH}" font-family="system-ui, sans-serif" font-size="12">{STYLE}'
        f'<rect class="paper" width="{PLOT_WIDTH}" height="{top}" rx="8"/>'
        '<text x="16" y="26" font-size="14" font-weight="bold">CPU time per streamed chunk, sync '
        "(less is better)</text>" + "".join(parts) + "</svg>\n"
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
