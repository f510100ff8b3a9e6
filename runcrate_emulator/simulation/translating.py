"""Prompts that want a translation: the simulation cannot translate, and says so beside the text."""

import re
from typing import Final

from runcrate_emulator.simulation import spans
from runcrate_emulator.simulation.kind_finders import LANGUAGES
from runcrate_emulator.simulation.prompt import Prompt, joined

_WANTS: Final = re.compile(
    rf"\btranslat\w+\b[^.\n]{{0,200}}?\b(?:to|into|in)\s+(?P<language>{'|'.join(LANGUAGES)})\b",
    re.IGNORECASE,
)


def translated(prompt: Prompt) -> str | None:
    """The text that is to be translated, marked as not translated, else `None`."""
    match = _WANTS.search(prompt.text) or _WANTS.search(prompt.system)
    if match is None:
        return None
    language = match["language"].capitalize()
    return f"[{language}, not translated by this simulation] {_text(prompt, match)}"


def _text(prompt: Prompt, match: re.Match[str]) -> str:
    if match.string == prompt.system:
        return joined(prompt.context) or prompt.text.strip()
    quoted = spans.quotations(prompt.text)
    if quoted:
        return quoted[0].text
    rest = prompt.text[match.end() :].lstrip(" :.\n")
    before = prompt.text[: match.end()].partition(":")[2].strip()
    return joined(prompt.context) or rest or before or prompt.text.strip()
