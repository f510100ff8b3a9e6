"""Type checkers accept the documented arguments and refuse misspelt ones; hints can be read."""

from __future__ import annotations

import inspect
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from mypy import api

import llamaindex_runcrate

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests/typing/llamaindex.py"


def test_mypy() -> None:
    report, problems, status = api.run(
        [
            "--strict",
            "--config-file",
            str(ROOT / "pyproject.toml"),
            "--cache-dir",
            str(ROOT / ".mypy_cache"),
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


PUBLIC = [
    public
    for public in (getattr(llamaindex_runcrate, name) for name in llamaindex_runcrate.__all__)
    if callable(public)
]


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_the_hints_of_public_methods_can_be_read_at_run_time(public: object) -> None:
    functions = [public]
    if inspect.isclass(public):
        functions = [
            getattr(member, "fget", None) or getattr(member, "__func__", member)
            for kind in public.__mro__
            if kind.__module__.startswith("llamaindex_runcrate")
            for name, member in vars(kind).items()
            if not name.startswith("_") or name == "__init__"
        ]
    unreadable = []
    for function in functions:
        if not inspect.isfunction(function) or not function.__module__.startswith("llamaindex"):
            continue
        try:
            typing.get_type_hints(function)
        except NameError as error:
            unreadable.append(f"{function.__qualname__}: {error}")
    assert unreadable == []
