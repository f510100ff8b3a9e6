"""Prompts that bring an existing answer and more material to improve it with."""

import re
from typing import Final

from runcrate_emulator.simulation.extraction import Found, find_answer
from runcrate_emulator.simulation.passages import Passage
from runcrate_emulator.simulation.prompt import Prompt
from runcrate_emulator.simulation.relevance import rank

_BETTER_BY: Final = 0.15
"""How much better a new answer must fit before it replaces the existing one."""
_UNKNOWN: Final = re.compile(
    r"\b(?:do(?:es)? not|don'?t|doesn'?t|cannot|can'?t) (?:know|say|answer|find|contain|mention)|"
    r"\bno (?:information|answer)|\bunknown\b",
    re.IGNORECASE,
)


def refined(prompt: Prompt) -> Found | None:
    """The better of the existing answer and a new one; `None` if the prompt brings no answer."""
    existing = prompt.part("existing").strip()
    if not existing:
        return None
    new = find_answer(prompt)
    if _UNKNOWN.search(existing):
        return new if new.grounded else Found(existing, grounded=False)
    old = rank(prompt.question, [Passage(existing)]).best[0].score
    if new.grounded and new.score > old + _BETTER_BY:
        return new
    return Found(existing, grounded=True, score=old)
