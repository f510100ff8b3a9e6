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


def test_mypy_with_the_plugin_of_pydantic(tmp_path: Path) -> None:
    """Many projects have it on; it makes constructors of its own from the fields."""
    settings = tmp_path / "mypy.ini"
    settings.write_text("[mypy]\nplugins = pydantic.mypy\nstrict = True\n")
    user = tmp_path / "user.py"
    user.write_text(
        "from langchain_runcrate import ChatRuncrate, RuncrateEmbeddings\n"
        "from llamaindex_runcrate import RuncrateEmbedding, RuncrateLLM\n"
        'ChatRuncrate(model="m", api_key="k", base_url="u", timeout=3, max_tokens=5, stop=["x"])\n'
        'RuncrateEmbeddings(model="m", api_key="k", base_url="u", timeout=3)\n'
        'RuncrateLLM(model="m", api_key="k", api_base="u", timeout=3)\n'
        'RuncrateEmbedding(model_name="m", api_key="k", timeout=3)\n'
        "ChatRuncrate()\n"
    )
    cache = ("--cache-dir", str(ROOT / ".mypy_cache/plugin"))
    report, problems, _ = api.run([f"--config-file={settings}", *cache, str(user)])
    assert (problems, report.count("error:")) == ("", 1), report
    assert 'user.py:7: error: Missing named argument "model"' in report
