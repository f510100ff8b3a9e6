"""Every kind of call that a retrieval pipeline makes, in every situation it is made in."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.llamaindex.leftovers import LEFTOVERS
from tests.llamaindex.rag_rows import ROWS, Parts

pytestmark = LEFTOVERS


@pytest.fixture
def parts(emulated_llm, emulated_embedding) -> Parts:
    return Parts(emulated_llm, emulated_embedding)


def rows(**needed: bool) -> list[Any]:
    """Return the rows that have what is needed; those that are too hard may fail."""
    return [
        pytest.param(
            row,
            id=row.name,
            marks=pytest.mark.xfail(reason=row.too_hard, strict=False) if row.too_hard else (),
        )
        for row in ROWS
        if all(bool(getattr(row, name)) is value for name, value in needed.items())
    ]


@pytest.mark.parametrize("row", rows(blocking=True))
def test_blocking_twice(parts, row) -> None:
    for _ in range(2):
        result = row.blocking(parts)
        assert row.holds(result), result


@pytest.mark.parametrize("row", rows(asynchronous=True))
def test_asynchronous_in_two_event_loops(parts, row) -> None:
    async def run() -> object:
        return await row.asynchronous(parts)

    for _ in range(2):
        result = asyncio.run(run())
        assert row.holds(result), result


@pytest.mark.parametrize("row", rows(blocking=True, in_running_loop=True))
async def test_blocking_inside_a_running_event_loop(parts, row) -> None:
    result = row.blocking(parts)
    assert row.holds(result), result
    if row.asynchronous:
        result = await row.asynchronous(parts)
        assert row.holds(result), result
