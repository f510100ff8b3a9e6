"""Type checkers accept the documented arguments and refuse misspelt ones; help() shows them."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from mypy import api

from langchain_runcrate import ChatRuncrate, RuncrateEmbeddings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests/typing/langchain.py"


def test_mypy() -> None:
    report, problems, status = api.run(
        [
            "--strict",
            "--config-file=",  # as for a user, without the plugins of this repository
            "--cache-dir",
            str(ROOT / ".mypy_cache/users"),
            str(FILE),
        ]
    )
    assert (problems, status) == ("", 0), report


def test_pyright() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(FILE)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            ChatRuncrate,
            {
                "model",
                "api_key",
                "base_url",
                "timeout",
                "max_tokens",
                "stop",
                "stream_idle_timeout",
            },
        ),
        (RuncrateEmbeddings, {"model", "api_key", "base_url", "timeout", "chunk_size"}),
    ],
)
def test_signatures_show_the_documented_names(kind: type, names: set[str]) -> None:
    shown = set(inspect.signature(kind).parameters)
    assert names <= shown
    assert not shown & {"model_name", "max_completion_tokens", "stop_sequences", "api_base"}
