"""Prompts that want the addresses, names, dates or numbers that a text mentions."""

import re
from typing import Final

from runcrate_emulator.simulation import spans
from runcrate_emulator.simulation.prompt import Prompt, joined
from runcrate_emulator.simulation.slots import Slot
from runcrate_emulator.simulation.text_values import candidates

_WANTS: Final = re.compile(
    r"\b(?:extract|find|pull out|identify|pick out|get|list|"
    r"return)\b (?:me )?(?:all |every )?(?:the |any )?"
    r"(?P<what>[a-z][a-z ]{1,30}?)(?: mentioned| named| found)?(?:,? (?:from|in|out of)\b|(?=:))"
    r"(?: (?:the|this|following|text|sentence|paragraph|message|below|passage|document))*\s*:?\s*"
    r"(?P<text>.*)$",
    re.IGNORECASE | re.DOTALL,
)
_PICKED: Final = frozenset(
    {"email", "url", "phone", "date", "time", "person", "place", "organisation", "currency", "id"}
)
_NUMBERS: Final = re.compile(r"\b(?:numbers?|figures|amounts?|prices?)$")


def picked(prompt: Prompt) -> str | None:
    """What a prompt wants picked from its text, else `None`."""
    match = _WANTS.search(prompt.told_without_context)
    if not match:
        return None
    text = joined(prompt.context) or match["text"]
    wanted = match["what"].strip().lower()
    if not text.strip():
        return None
    slot = Slot(wanted.replace(" ", "_"))
    if slot.kind in _PICKED:
        found = [one.text for one in candidates(slot, text)]
    elif _NUMBERS.search(wanted):
        found = [text[one.start : one.end].strip() for one in spans.numbers(text)]
    else:
        return None
    return ", ".join(dict.fromkeys(found)) or None
