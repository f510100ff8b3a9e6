"""Every kind of call that a retrieval pipeline makes, in every situation it is made in."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS
from tests.llamaindex.rag_rows import ROWS, Parts
from tests.llamaindex.scripts import by_prompt
from tests.llamaindex.service import completion

pytestmark = IGNORED_WARNINGS


@pytest.fixture
def parts(request, runcrate_emulator, emulated_llm, emulated_embedding) -> Parts:
    if (row := request.node.callspec.params.get("row")) is not None:
        runcrate_emulator.on_chat = by_prompt(row.replies)
    return Parts(emulated_llm, emulated_embedding)


def rows(**needed: bool) -> list[Any]:
    """Return the rows that have what is needed."""
    return [
        pytest.param(row, id=row.name)
        for row in ROWS
        if all(bool(getattr(row, name)) is value for name, value in needed.items())
    ]


@pytest.mark.parametrize("row", rows(sync=True))
def test_sync_twice(parts, row) -> None:
    for _ in range(2):
        result = row.sync(parts)
        assert row.holds(result), result


@pytest.mark.parametrize("row", rows(async_=True))
def test_asynchronous_in_two_event_loops(parts, row) -> None:
    async def run() -> object:
        return await row.async_(parts)

    for _ in range(2):
        result = asyncio.run(run())
        assert row.holds(result), result


@pytest.mark.parametrize("row", rows(sync=True, in_running_loop=True))
async def test_blocking_inside_a_running_event_loop(parts, row) -> None:
    result = row.sync(parts)
    assert row.holds(result), result
    if row.async_:
        result = await row.async_(parts)
        assert row.holds(result), result


# Rows whose answer is intricate, with one told here, so that what the model says is no matter.

TRIPLETS = [
    {
        "head": "Ada Colm",
        "head_type": "PERSON",
        "relation": "BUILT",
        "tail": "Meridian lighthouse",
        "tail_type": "THING",
    }
]
KNOWLEDGE = {
    "triplets": [
        {
            "subject": {"type": "PERSON", "name": "Ada Colm"},
            "relation": {"type": "BUILT"},
            "object": {"type": "THING", "name": "Meridian lighthouse"},
        }
    ]
}


@pytest.mark.parametrize(
    ("name", "answer"),
    [("property graph dynamic", TRIPLETS), ("property graph schema", KNOWLEDGE)],
)
def test_graphs_from_answers(made_llm, made_embedding, service, name, answer) -> None:
    def decide(body: dict[str, Any]) -> dict[str, Any]:
        if "input" not in body:
            return completion(json.dumps(answer))
        vectors = [{"index": i, "embedding": [1.0, 0.0]} for i in range(len(body["input"]))]
        return {"data": vectors, "model": body["model"]}

    service.decides(decide)
    (row,) = (row for row in ROWS if row.name == name)
    index = row.sync(Parts(made_llm(), made_embedding()))
    relations = index.property_graph_store.graph.relations.values()
    assert {relation.label for relation in relations} == {"BUILT"}


@pytest.mark.parametrize("sync", [True, False])
def test_a_text_program_from_an_answer(made_llm, service, sync) -> None:
    service.will_say(completion('Sure:\n```json\n{"name": "Meridian", "built": 1874}\n```'))
    (row,) = (row for row in ROWS if row.name == "text program")
    parts = Parts(made_llm(), None)
    result = row.sync(parts) if sync else asyncio.run(row.async_(parts))
    assert row.holds(result)
    assert "{" in service.last["messages"][-1]["content"]
