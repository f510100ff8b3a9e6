"""Prompts that want a text put into one of the classes they name."""

import re
from typing import Final

from runcrate_emulator.simulation import spans
from runcrate_emulator.simulation.choice_values import chosen
from runcrate_emulator.simulation.evidence import Evidence
from runcrate_emulator.simulation.prompt import Prompt, joined
from runcrate_emulator.simulation.slots import Slot

_WANTS: Final = re.compile(
    r"\b(?:classify|categori[sz]e|label|sentiment|which (?:category|class|label|topic)|route|"
    r"whether (?:the|this) \w+ is)\b"
    r"[^\n]{0,120}?\b(?:as|into|is|are|either|one of|about|categories|"
    r"classes|labels|options|between|or)\b"
    r"[^\w\n]*(?P<list>[^.?\n]+)",
    re.IGNORECASE,
)
_RESPONDS: Final = re.compile(
    r"\b(?:respond|reply|answer|output|return|say)\b(?: (?:only|just|exactly))*(?: with)?"
    r"(?: (?:only|just|exactly|one of|either|the (?:words?|labels?)|a single word))*:?\s+"
    r"(?P<list>[^.?\n:]+?(?:\bor\b|,|/)[^.?\n]+)",
    re.IGNORECASE,
)
_CLASSIFIES: Final = re.compile(
    r"\b(?:classif\w+|categor\w+|sentiment|intent|label\w*|topic|rout(?:e|er|ing)|triage|priority|"
    r"moderat\w+|detect\w*)\b",
    re.IGNORECASE,
)
_TAIL: Final = re.compile(r"\s+(?:only|and nothing else|with no .*)$", re.IGNORECASE)
_LEAD: Final = re.compile(
    r"^(?:(?:being|either|one of|the|following|these|as|is|are|"
    r"categories|classes|labels|into|:)\s*)+",
    re.IGNORECASE,
)
_LONGEST_WORDS: Final = 3
_MOST_CLASSES: Final = 50
_LONGEST_TOLD: Final = 4000
"""Characters of instructions in which classes are looked for."""


def classified(prompt: Prompt) -> str | None:
    """The class that a prompt's text belongs to, else `None`."""
    told = prompt.told_without_context[:_LONGEST_TOLD]
    for pattern in (_WANTS, _RESPONDS):
        match = pattern.search(told)
        if match is None or (pattern is _RESPONDS and not _CLASSIFIES.search(told)):
            continue
        options = _options(match["list"])
        if len(options) > 1:
            text = joined(prompt.context) or prompt.part("statement", "question") or prompt.text
            material = text.replace(match[0], "")
            return str(chosen(Slot("label"), options, Evidence(material, material, material)))
    return None


def _options(text: str) -> list[str]:
    """The classes that are listed in a text."""
    quoted = [span.text for span in spans.quotations(text)]
    listed = _TAIL.sub("", _LEAD.sub("", text)).replace("/", ", ")
    parts = [part.strip("*.:- ") for part in (quoted if len(quoted) > 1 else spans.listed(listed))]
    return [part for part in parts if len(part.split()) <= _LONGEST_WORDS][:_MOST_CLASSES]
