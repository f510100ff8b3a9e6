"""Collecting what a test leaves, without a look at everything that was loaded before it."""

from __future__ import annotations

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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        gc.unfreeze()
