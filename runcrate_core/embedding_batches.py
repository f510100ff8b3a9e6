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
    with _noting() as done:
        for vectors in map_ordered_sync(embed, batches, max_concurrency=max_concurrency):
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
    with _noting() as done:
        async for vectors in map_ordered(embed, batches, max_concurrency=max_concurrency):
            done.append(len(vectors))
            yield vectors


@contextmanager
def _noting() -> Iterator[list[int]]:
    """Note on a failure how many texts were embedded before it, and what became of the rest."""
    done: list[int] = []
    try:
        yield done
    except Exception as error:
        error.add_note(
            f"{sum(done)} texts were embedded before this batch of texts failed; their vectors "
            "are not returned. Batches behind it were cancelled or not sent. Embedding has no "
            "effect on the service, so all texts may be embedded again."
        )
        raise
