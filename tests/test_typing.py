"""Type checkers see complete signatures and results, as in a user's project.

An `ignore` in the files of `tests/typing` marks a mistake that must be found: without it the file
has an error, and an unused one is itself an error.
"""

from __future__ import annotations

import linecache
import re
import subprocess
import sys

from mypy import api

from tests.repository import ROOT

FILES = [str(path) for path in sorted((ROOT / "tests/typing").glob("*.py"))]


def test_mypy() -> None:
    cache = ("--cache-dir", str(ROOT / ".mypy_cache/users"))
    # Without the settings and plugins of this repository.
    report, problems, status = api.run(["--strict", "--config-file=", *cache, *FILES])
    assert (problems, status) == ("", 0), report


def test_mypy_with_the_plugin_of_pydantic() -> None:
    """Many projects have it on; it makes constructors of its own, which take values of any type.

    This repository does, so what `make check` has read is not read again.
    """
    settings = [f"--config-file={ROOT / 'pyproject.toml'}", f"--cache-dir={ROOT / '.mypy_cache'}"]
    report, problems, _ = api.run([*settings, *FILES])
    unused = re.findall(r"^(.+?):(\d+): error: Unused", report, re.MULTILINE)
    others = report.count("error:") - report.count("[ignore-without-code]") - len(unused)
    assert (problems, others) == ("", 0), report
    lines = [linecache.getline(str(ROOT / path), int(line)) for path, line in unused]
    assert all("[arg-type]" in line for line in lines), report


def test_pyright() -> None:
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, *FILES]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert checked.returncode == 0, checked.stdout
