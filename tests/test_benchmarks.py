"""The documentation shows the figures of the newest measurement."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.page import with_figures
from benchmarks.plot import plot
from benchmarks.report import FOLDER, PAGE, PLOT


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
