"""Steps of LlamaIndex's `ReActAgent`, which reads tool calls from the text of a response.

It runs the part of a call that it can read, and ignores the finish reason.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_INPUT: Final = "Action Input:"
_NOT_RUN: Final = (
    "[This action was not run: its input could not be read. The response ended at the token limit.]"
)


def asks_for_steps(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Return True if a conversation, in the service's form, starts with the agent's prompt."""
    first = messages[0] if messages else {}
    return first.get("role") == "system" and _INPUT in str(first["content"])


def without_cut_step(text: str) -> str:
    """Return a response that was cut, with a note instead of a call whose input is incomplete.

    The agent cannot read a call in the note, and shows it to the model.
    """
    head, found, rest = text.partition(_INPUT)
    if not found:
        return text
    try:
        json.JSONDecoder().raw_decode(rest, max(0, rest.find("{")))
    except ValueError:
        return head + _NOT_RUN
    return text
