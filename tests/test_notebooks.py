"""The notebooks run on the emulator that they start, and what they show can be shown."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
from typing import Any

import pytest

from tests.garbage import collected
from tests.repository import ROOT

FOLDER = ROOT / "docs/notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SHOWN = ("_repr_mimebundle_", "_repr_png_", "_repr_jpeg_", "_repr_html_")


def evaluate(cell: str, names: dict[str, Any], loop: asyncio.Runner) -> Any:
    """Execute a cell as a notebook does and return the value of its last expression."""
    tree = ast.parse(cell)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    options = {"flags": ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, "dont_inherit": True}

    def run_tool(code: Any) -> Any:
        made = eval(code, names)  # noqa: S307 - our own notebooks
        return loop.run(made) if inspect.iscoroutine(made) else made

    run_tool(compile(tree, "cell", "exec", **options))
    if last is None:
        return None
    return run_tool(compile(ast.Expression(last.value), "cell", "eval", **options))


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("RUNCRATE_API_KEY", "RUNCRATE_API_BASE", "RUNCRATE_API_URL"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # put back afterwards
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    names: dict[str, Any] = {"__name__": "__main__"}
    shown: list[Any] = []
    with collected():
        try:
            with asyncio.Runner() as loop:
                for cell in cells:
                    value = evaluate("".join(cell["source"]), names, loop)
                    if any(hasattr(value, name) for name in SHOWN):
                        shown.append(value)
        finally:
            if "emulator" in names:
                names["emulator"].stop()
            names.clear()
    assert not any(cell["outputs"] for cell in cells)  # what is committed stays small
    if path.stem == "media":
        ways = [next(n for n in SHOWN if hasattr(value, n)) for value in shown]
        assert len(ways) == 3  # the image, and the players of audio and video
        assert all(getattr(value, way)() for value, way in zip(shown, ways, strict=True))
    shown.clear()


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["chat", "gpu_agent", "media", "rag"]
