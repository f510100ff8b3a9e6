"""Batches of texts to embed: several requests at once up to a limit, vectors in order.

Only as many batches as are under way are in memory, besides the vectors. After a failure no further
batch is sent; the error says how many texts were embedded before it.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sized,
)
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from runcrate_core.io.map_ordered import map_ordered, map_ordered_sync

T = TypeVar("T", bound=Sized)


def batches_of(texts: Iterable[str], batch_size: int) -> Iterator[list[str]]:
    """Yield texts in lists of `batch_size`, of which the last may be shorter."""
    rest = iter(texts)
    while batch := list(islice(rest, batch_size)):
        yield batch


def embed_batches(
    embed: Callable[[list[str]], T], batches: Iterable[list[str]], *, max_concurrency: int
) -> Generator[T, None, None]:
    """Yield the vectors of each batch, in order; requests are sent from as many threads.

    Args:
        embed: Embeds a batch.
        batches: The batches; taken one by one, as they are sent.
        max_concurrency: Maximum number of requests at the same time.

    Raises:
        Exception: That of the first batch that failed, with a note of what was done. Requests
            under way are waited for, so that nothing is sent after this.
    """
    sizes: list[int] = []
    with _noting(sizes) as done:
        sized = _sized(batches, sizes)
        for vectors in map_ordered_sync(embed, sized, max_concurrency=max_concurrency):
            done.append(len(vectors))
            yield vectors


async def aembed_batches(
    embed: Callable[[list[str]], Awaitable[T]],
    batches: Iterable[list[str]],
    *,
    max_concurrency: int,
) -> AsyncGenerator[T, None]:
    """Yield the vectors of each batch, in order; see `embed_batches`.

    Raises:
        Exception: That of the first batch that failed, with a note of what was done. Requests
            under way are cancelled.
    """
    sizes: list[int] = []
    with _noting(sizes) as done:
        sized = _sized(batches, sizes)
        async for vectors in map_ordered(embed, sized, max_concurrency=max_concurrency):
            done.append(len(vectors))
            yield vectors


def _sized(batches: Iterable[list[str]], sizes: list[int]) -> Iterator[list[str]]:
    for batch in batches:
        sizes.append(len(batch))
        yield batch


@contextmanager
def _noting(sizes: list[int]) -> Iterator[list[int]]:
    """Note on a failure which texts it concerns, and what became of the others."""
    done: list[int] = []
    try:
        yield done
    except Exception as error:
        first = sum(done)
        last = first + sum(sizes[len(done) : len(done) + 1]) - 1
        error.add_note(
            f"The batch that failed holds the texts {first} to {last} of the list; a number of a "
            f"text in the error is that in its request. {first} texts were embedded before it; "
            "their vectors are not returned. Batches behind it were cancelled or not sent. "
            "Embedding has no effect on the service, so all texts may be embedded again."
        )
        raise
