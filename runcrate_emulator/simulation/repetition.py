"""How many things of a kind a step wants: `Start 3 machines` of a tool that starts one."""

import re
from dataclasses import replace
from typing import Final

from runcrate_emulator.simulation.clauses import Clause
from runcrate_emulator.simulation.offers import Offer
from runcrate_emulator.simulation.spans import numbers
from runcrate_emulator.simulation.thesaurus import alike
from runcrate_emulator.simulation.words import stem

_COUNTED: Final = re.compile(
    r"\b(?P<count>(?:\d{1,2}|two|three|four|five|six|seven|eight|nine|ten) )"
    r"(?:[\w.-]+ ){0,3}?(?P<noun>[^\W\d_]+s)\b",
    re.IGNORECASE,
)
_COUNTING: Final = frozenset(
    map(stem, ("count", "number", "num", "n", "quantity", "amount", "copies", "limit"))
)
_MOST: Final = 8
"""Things that one step makes; an agent's loop has an end."""


def counted(clause: Clause, offer: Offer, nouns: frozenset[str]) -> Clause:
    """A step with the number of calls that it wants of a tool.

    Args:
        clause: The step.
        offer: The tool that it calls for.
        nouns: Stems of what the tool makes one of.
    """
    for match in _COUNTED.finditer(clause.text):
        noun = stem(match["noun"])
        if any(alike(noun, one) for one in nouns) and not _counts_itself(offer, noun):
            times = int(numbers(match["count"])[0].value)
            return replace(clause, times=max(1, min(times, _MOST)), count=match["count"])
    return clause


def _counts_itself(offer: Offer, noun: str) -> bool:
    """Whether a parameter says how many there are to be."""
    for slot in offer.slots:
        rest = slot.stems - _COUNTING
        if slot.stems & _COUNTING and (not rest or any(alike(noun, one) for one in rest)):
            return True
    return False
