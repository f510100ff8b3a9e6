"""Type checkers see whole signatures and results on both clients."""

from __future__ import annotations

from pathlib import Path

from mypy import api

ROOT = Path(__file__).parents[2]


def test_the_typed_examples_are_right() -> None:
    found, problems, status = api.run(
        [
            "--strict",
            "--config-file",
            str(ROOT / "pyproject.toml"),
            "--cache-dir",
            str(ROOT / ".mypy_cache"),
            str(ROOT / "tests/typing/api.py"),
        ]
    )
    assert (problems, status) == ("", 0), found
