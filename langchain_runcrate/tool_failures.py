"""Failures of tools: actionable errors reach the model, all others are raised."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from langchain_core.tools import ToolException

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def tool_errors(explain: Callable[[Exception], str | None]) -> Iterator[None]:
    """Turn an error that a model can act on into one that it reads.

    Args:
        explain: Returns the error text for the model; `None` leaves it to the program.

    Raises:
        ToolException: In place of an error that is explained, which is its cause.
    """
    try:
        yield
    except Exception as error:
        text = explain(error)
        if text is None:
            raise
        raise ToolException(text) from error
