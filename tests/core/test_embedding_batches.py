"""Batches to embed: side by side up to a limit, in order, and nothing more after a failure."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

import runcrate_core.toolkit as rt
from tests.core.both_clients import cancelled
from tests.core.cloud import listed

TEXTS = [f"text {number}" for number in range(23)]
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


class Vectors(list[str]):
    """A list that can be referenced weakly."""


class Work:
    """Embeds a batch as itself, and counts what is under way."""

    def __init__(self, failing: int | None = None, slow: float = 0.002) -> None:
        self.failing = failing
        self.slow = slow
        self.running = self.most_running = self.called = 0
        self.seen: set[str] = set()
        self.lock = threading.Lock()

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self.lock:
            self.called += 1
            self.running += 1
            number, self.most_running = self.called, max(self.most_running, self.running)
            self.seen.add(VARIABLE.get())
        yield
        with self.lock:
            self.running -= 1
        if number == self.failing:
            raise ConnectionError("no connection")

    def sync(self, batch: list[str]) -> Vectors:
        with self.counted():
            time.sleep(self.slow)
        return Vectors(batch)

    async def async_(self, batch: list[str]) -> Vectors:
        with self.counted():
            await asyncio.sleep(self.slow)
        return Vectors(batch)


def embed(work: Work, batches: Iterable[list[str]], limit: int) -> list[Vectors]:
    return list(rt.embed_batches(work.sync, batches, max_concurrency=limit))


def aembed(work: Work, batches: Iterable[list[str]], limit: int) -> list[Vectors]:
    return asyncio.run(listed(rt.aembed_batches(work.async_, batches, max_concurrency=limit)))


WAYS = pytest.mark.parametrize("way", [embed, aembed])


@WAYS
@pytest.mark.parametrize("limit", [1, 3, 50])
@pytest.mark.parametrize("size", [1, 5, 23, 64])
def test_vectors_come_in_order_and_in_bounds(way, limit, size):
    work = Work()
    done = way(work, rt.batches_of(TEXTS, size), limit)
    assert [text for vectors in done for text in vectors] == TEXTS
    assert [len(vectors) for vectors in done[:-1]] == [size] * (len(done) - 1)
    assert work.most_running <= limit
    if limit == 3 and size == 1:
        assert work.most_running > 1


@WAYS
def test_no_batches_are_no_work_and_a_limit_below_one_is_refused(way):
    assert way(Work(), [], 4) == []
    with pytest.raises(ValueError, match="max_concurrency"):
        way(Work(), [["x"]], 0)


@WAYS
def test_after_a_failure_nothing_more_is_sent(way):
    work = Work(failing=3)
    with pytest.raises(ConnectionError, match="no connection") as caught:
        way(work, rt.batches_of(TEXTS, 2), 2)
    time.sleep(0.02)
    assert work.called <= 5
    [note] = caught.value.__notes__
    assert "holds the texts 4 to 5 of the list" in note
    assert "4 texts were embedded before it" in note
    assert "may be embedded again" in note


@WAYS
def test_only_the_batches_under_way_are_in_memory(way):
    taken: list[weakref.ref[Vectors]] = []
    alive: list[int] = []

    def batches():
        for _ in range(40):
            alive.append(sum(reference() is not None for reference in taken))
            batch = Vectors(["text"])
            taken.append(weakref.ref(batch))
            yield batch

    assert len(way(Work(slow=0), batches(), 4)) == 40
    assert max(alive) <= 6


@WAYS
def test_work_sees_the_context_variables_of_the_caller(way):
    work = Work()
    context = contextvars.copy_context()
    context.run(VARIABLE.set, "of the caller")
    context.run(way, work, rt.batches_of(TEXTS, 5), 3)
    assert work.seen == {"of the caller"}


async def test_a_cancelled_call_leaves_no_task():
    work = Work(slow=60)
    done = rt.aembed_batches(work.async_, [["a"], ["b"], ["c"]], max_concurrency=2)
    task = asyncio.create_task(listed(done))
    await asyncio.sleep(0.01)
    assert work.running == 2
    await cancelled(task)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_failure_has_its_turn_and_cancels_what_is_behind_it():
    ended: list[int] = []

    async def work(number):
        if number == 1:
            raise ValueError("one")
        try:
            await asyncio.sleep(0 if number == 0 else 30)
        finally:
            ended.append(number)
        return number

    results = rt.map_ordered(work, range(9), max_concurrency=3)
    assert await anext(results) == 0
    with pytest.raises(ValueError, match="one"):
        await anext(results)
    assert ended == [0, 2]  # the next had not started


def test_texts_are_sent_as_valid_unicode_and_nothing_else_is(caplog):
    assert rt.embeddable_texts(["a", "b\ud83d"]) == ["a", "b\ufffd"]
    assert "Text 1 of those to embed is not valid Unicode" in caplog.text
    with pytest.raises(TypeError, match="Text 1 of those to embed is of type `NoneType`"):
        rt.embeddable_texts(["a", None])
