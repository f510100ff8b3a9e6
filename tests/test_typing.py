"""Type checkers see complete signatures and results, as in a user's project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mypy import api

ROOT = Path(__file__).parent.parent
# An `ignore` in them marks a mistake that must be found; an unused one is itself an error.
FILES = [str(path) for path in sorted((ROOT / "tests/typing").glob("*.py"))]


def test_mypy() -> None:
    cache = ("--cache-dir", str(ROOT / ".mypy_cache/users"))
    # Without the settings and plugins of this repository.
    report, problems, status = api.run(["--strict", "--config-file=", *cache, *FILES])
    assert (problems, status) == ("", 0), report


def test_pyright() -> None:
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, *FILES]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert checked.returncode == 0, checked.stdout
