"""The tables of `docs/start/moving.md` name what both sides really have."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import runcrate

import runcrate_core
from tests.repository import ROOT

PAGE = (ROOT / "docs/start/moving.md").read_text()
ROWS = [row.strip("| ").split(" | ") for row in PAGE.splitlines() if row.startswith("| `")]
METHOD = re.compile(r"`client\.([a-z_.]+)")
ERROR = re.compile(r"`(\w+Error)`")


@pytest.fixture(scope="module")
def theirs() -> Iterator[runcrate.Runcrate]:
    with contextlib.closing(runcrate.Runcrate("rc_live_test")) as client:
        yield client


@pytest.fixture(scope="module")
def ours() -> Iterator[runcrate_core.Runcrate]:
    with runcrate_core.Runcrate("rc_live_test") as client:
        yield client


def reached(client: Any, path: str) -> bool:
    """Whether a client has an attribute behind dots."""
    for name in path.split("."):
        if not hasattr(client, name):
            return False
        client = getattr(client, name)
    return True


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])
def test_both_sides_exist(theirs, ours, row):
    old, new = row
    kept = new.startswith("the same")
    for path in METHOD.findall(old):
        assert reached(theirs, path.rstrip(".")), path
        assert not kept or reached(ours, path), path
    assert all(reached(ours, path.rstrip(".")) for path in METHOD.findall(new))
    for name in ERROR.findall(old):
        assert hasattr(runcrate, name), name
        assert not kept or hasattr(runcrate_core, name), name
    assert all(hasattr(runcrate_core, name) for name in ERROR.findall(new))


def test_no_method_of_the_sdk_is_missing(theirs, ours):
    """What the SDK has under another name than this client stands in the table."""
    reported = {path.rstrip(".") for old, *_ in ROWS for path in METHOD.findall(old)}
    spaces = [name for name in dir(theirs) if name[0] != "_" and name != "close"]
    methods = [
        f"{space}.{name}"
        for space in spaces
        for name in dir(getattr(theirs, space))
        if name[0] != "_"
    ]
    assert len(methods) > 60
    assert [path for path in methods if not reached(ours, path) and path not in reported] == []
