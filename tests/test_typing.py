"""Type checkers see complete signatures and results, as in a user's project."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).parent.parent
# An `ignore` in them marks a mistake that must be found; an unused one is itself an error.
FILES = [str(path) for path in sorted((ROOT / "tests/typing").glob("*.py"))]

CORRECT = """\
from langchain_runcrate import *
from llamaindex_runcrate import RuncrateEmbedding, RuncrateLLM
from runcrate_core import Runcrate
ChatRuncrate(model="m", api_key="k", base_url="u", timeout=3, max_tokens=5, stop=["x"])
RuncrateEmbeddings(model="m", api_key="k", base_url="u", timeout=3)
RuncrateLLM(model="m", api_key="k", api_base="u", timeout=3)
RuncrateEmbedding(model_name="m", api_key="k", timeout=3)
"""
# Each is one error.
MISTAKES = """\
ChatRuncrate()
ChatRuncrate(model="m", max_token=3)
ChatRuncrate(model="m", base_ur="x")
RuncrateEmbeddings(model="m", chunksize=8)
RuncrateImageTool(output_dirs="images")
RuncrateTranscriptionLoader("a.mp3", on_eror="skip")
RuncrateLLM(model="m", max_token=5)
RuncrateEmbedding(model_name="m", dimension=3)
Runcrate().jobs.list(state="running")
Runcrate().instances.terminate("i-1", force=True)
"""
LINES = range(1 + CORRECT.count("\n"), 11 + CORRECT.count("\n"))


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """A file with ten mistakes."""
    path = tmp_path / "user.py"
    path.write_text(CORRECT + MISTAKES)
    return path


def lines_of_errors(report: str) -> list[int]:
    return [int(line) for line in re.findall(r"user\.py:(\d+):(?:\d+ -)? error: ", report)]


def test_mypy(user: Path) -> None:
    cache = ("--cache-dir", str(ROOT / ".mypy_cache/users"))
    # Without the settings and plugins of this repository.
    report, problems, _ = api.run(["--strict", "--config-file=", *cache, *FILES, str(user)])
    assert (problems, lines_of_errors(report)) == ("", [*LINES]), report
    assert report.count("error:") == len(LINES), report


def test_mypy_with_the_plugin_of_pydantic(user: Path) -> None:
    """Many projects have it on; it makes constructors of its own from the fields.

    This repository does, so what `make check` has read is not read again.
    """
    settings = f"--config-file={ROOT / 'pyproject.toml'}"
    report, problems, _ = api.run([settings, f"--cache-dir={ROOT / '.mypy_cache'}", str(user)])
    assert (problems, lines_of_errors(report)) == ("", [*LINES]), report


def test_pyright(user: Path) -> None:
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, *FILES, str(user)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert lines_of_errors(checked.stdout) == [*LINES], checked.stdout
    assert checked.stdout.count(" error: ") == len(LINES), checked.stdout
