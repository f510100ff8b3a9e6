"""Helpers of the media tests: going on with a result in the way of either client."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def then(result: Any, go_on: Callable[[Any], Any], go_on_waiting: Callable[[Any], Any]) -> Any:
    """Call `go_on` with a result, or, when it is awaited, await `go_on_waiting` with it."""
    if not inspect.isawaitable(result):
        return go_on(result)

    async def wait() -> Any:
        return await go_on_waiting(await result)

    return wait()


def saved(result: Any, path: Any) -> Any:
    """Save the first image of a result."""
    return then(result, lambda made: made.image.save(path), lambda made: made.image.asave(path))


def contents(result: Any) -> Any:
    """Return the bytes of the first image of a result."""
    return then(result, lambda made: made.image.to_bytes(), lambda made: made.image.ato_bytes())
