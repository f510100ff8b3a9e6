"""The documentation shows the figures of the newest measurement."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from typing import Any

import pytest

from benchmarks.__main__ import Process
from benchmarks.figures import OURS
from benchmarks.page import with_figures
from benchmarks.plot import plot
from benchmarks.report import FOLDER, PAGE, PLOT
from benchmarks.whole_calls import COUNTED, PEERS, with_whole_calls

MOST_GROWTH = 1.05


@pytest.fixture(scope="module")
def results() -> list[dict[str, Any]]:
    measured: list[dict[str, Any]] = json.loads((FOLDER / "results.json").read_text())["results"]
    return measured


def test_the_page_has_the_figures_of_the_results(results: list[dict[str, Any]]) -> None:
    page = PAGE.read_text()
    assert with_figures(page, results) == page
    assert "| LangChain, text, sync |" in page


def test_the_plot_is_of_the_results(results: list[dict[str, Any]]) -> None:
    assert PLOT.read_text() == plot(results)


def whole_calls() -> dict[str, Any]:
    measured: dict[str, Any] = json.loads((FOLDER / "whole_calls.json").read_text())
    return measured


def test_the_page_has_the_figures_of_whole_calls() -> None:
    page = PAGE.read_text()
    assert with_whole_calls(page, whole_calls()["results"]) == page
    assert "| LangChain call, beside a model on raw httpx |" in page


@pytest.mark.skipif(
    whole_calls()["python"].split(".")[:2] != [str(part) for part in sys.version_info[:2]],
    reason="another version of Python makes other function calls",
)
def test_no_call_makes_more_function_calls_than_the_page_says() -> None:
    """Fails when a count grows by more than 5 %: run `python -m benchmarks --calls` then."""
    rows = whole_calls()["results"]
    said = {(row["title"], row["candidate"]): row.get("calls") for row in rows}
    folder = FOLDER.parent
    grown = {}
    with ExitStack() as stack:
        server = stack.enter_context(Process(sys.executable, str(folder / "server.py")))
        url = f"http://127.0.0.1:{int(server.read())}/v1"
        worker = stack.enter_context(Process(sys.executable, str(folder / "worker.py")))
        for title, names, task in COUNTED:
            for name in names:
                if name in PEERS:
                    continue
                response = worker.ask({"candidate": name, "url": url, "counted": True, **task})
                limit = said[f"calls: {title}", name] * MOST_GROWTH
                if response["calls"] > limit:
                    grown[title, name] = (response["calls"], limit)
    assert not grown


def test_the_time_of_an_import_is_measured() -> None:
    task = {"kind": "import", "candidate": OURS["core"], "url": "", "before": "import httpx"}
    with Process(sys.executable, str(FOLDER.parent / "worker.py")) as worker:
        measured = worker.ask({**task, "line": "from runcrate_core import Runcrate"})
    assert measured["milliseconds"] > 0
