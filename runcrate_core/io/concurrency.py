"""Run operations side by side: in threads, or in tasks of an event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from runcrate_core.protocol.large_values import call_in_steps

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")


def run_in_threads(run: Callable[[T], Any], operations: Sequence[T]) -> list[Any]:
    """Return the results of all operations in order, with its exception for one that failed."""
    results: list[Any] = [None] * len(operations)

    def work(index: int) -> None:
        try:
            results[index] = run(operations[index])
        except Exception as error:  # noqa: BLE001 - it is the result
            results[index] = error

    # Daemon threads: an operation that hangs must not keep the program from its end.
    threads = [
        threading.Thread(target=work, args=(index,), daemon=True)
        for index in range(len(operations))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


async def run_in_tasks(run: Callable[[T], Awaitable[Any]], operations: Sequence[T]) -> list[Any]:
    """Return the results of all operations in order, with its exception for one that failed."""
    return await asyncio.gather(*map(run, operations), return_exceptions=True)


async def run_in_steps(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run a function that encodes a large value, off the event loop."""
    return await asyncio.to_thread(call_in_steps, function, *args, **kwargs)
