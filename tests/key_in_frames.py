"""The local variables of a failing call's frames, as tools for error reports print them."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

KEY = "rc_live_test_of_frames"


def frames(error: BaseException, *own: str) -> Iterator[tuple[str, str, Any]]:
    """Yield every local of every frame of an error and of its causes.

    Args:
        error: The error.
        own: Files of the test, which hold the key themselves.
    """
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        waiting += [current.__cause__, current.__context__]
        trace: TracebackType | None = current.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if code.co_filename not in own:
                for name, value in list(trace.tb_frame.f_locals.items()):
                    yield f"{Path(code.co_filename).name}:{code.co_name}", name, value
            trace = trace.tb_next


def leaks(error: BaseException, *own: str) -> list[str]:
    """Return the locals that show the key, of at least one frame; the traceback shows none."""
    values = list(frames(error, *own))
    assert values
    assert KEY not in "".join(traceback.format_exception(error))
    return [f"{place} {name}" for place, name, value in values if _shows_key(value)]


def _shows_key(value: Any) -> bool:
    try:
        return KEY in repr(value)
    except Exception:  # noqa: BLE001 - half-made objects have no representation
        return False
