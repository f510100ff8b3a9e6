"""The thoughts that a reasoning model shows: how the answer came about, in a few sentences."""

from collections.abc import Sequence
from typing import Final

_LONGEST_QUOTE: Final = 120


def thoughts(request: str, notes: Sequence[str]) -> str:
    """Reasoning for an answer.

    Args:
        request: What the user wants.
        notes: What was found on the way, each a sentence.
    """
    quoted = " ".join(request.split())
    if len(quoted) > _LONGEST_QUOTE:
        quoted = quoted[:_LONGEST_QUOTE].rstrip() + " …"
    return " ".join([f'The user asks: "{quoted}".', *notes])
