"""Collecting what a test leaves, without a look at everything that was loaded before it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collected() -> Iterator[None]:
    """Collect the garbage of a block here, where an object that was left open is no warning.

    With the frameworks loaded, a collection takes most of a second; what was there before the
    block is exempt from it.
    """
    gc.freeze()
    try:
        yield
    finally:
        _close_current_loop()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        gc.unfreeze()


def _close_current_loop() -> None:
    """Close the event loop that a framework made and left as that of this thread."""
    with warnings.catch_warnings(), contextlib.suppress(RuntimeError):
        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.get_event_loop().close()
    asyncio.set_event_loop(None)
