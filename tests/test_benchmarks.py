"""The documentation shows the figures of the newest measurement."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from typing import Any

import pytest

from benchmarks.__main__ import Process
from benchmarks.figures import OURS
from benchmarks.load import with_load
from benchmarks.page import with_figures
from benchmarks.plot import plot
from benchmarks.report import FOLDER, PAGE, PLOT
from benchmarks.whole_calls import COUNTED, PEERS, with_whole_calls

MOST_GROWTH = 1.05


def measured(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("name", "updated", "row"),
    [
        ("results", with_figures, "| LangChain, text, sync |"),
        ("whole_calls", with_whole_calls, "| LangChain call, beside a model on raw httpx |"),
        ("load", with_load, "| 2,000 async chats at once, 0.5 s each | 2,000 | 0 |"),
    ],
)
def test_the_page_has_the_figures_of_the_results(name: str, updated: Any, row: str) -> None:
    page = PAGE.read_text()
    assert updated(page, measured(name)["results"]) == page
    assert row in page


def test_the_plot_is_of_the_results() -> None:
    assert PLOT.read_text() == plot(measured("results")["results"])


@pytest.mark.skipif(
    measured("whole_calls")["python"].rpartition(".")[0] != "{}.{}".format(*sys.version_info),
    reason="another version of Python makes other function calls",
)
def test_no_call_makes_more_function_calls_than_the_page_says() -> None:
    """Fails when a count grows by more than 5 %: run `python -m benchmarks --calls` then."""
    rows = measured("whole_calls")["results"]
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
        response = worker.ask({**task, "line": "from runcrate_core import Runcrate"})
    assert response["milliseconds"] > 0
