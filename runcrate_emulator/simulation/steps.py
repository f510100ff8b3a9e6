"""The state of a request: the calls to make now, what is done, and what could not be done."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from runcrate_emulator.simulation.actions import VERBS, verb_action
from runcrate_emulator.simulation.clauses import Clause
from runcrate_emulator.simulation.outcomes import Outcome
from runcrate_emulator.simulation.tool_choice import Choice
from runcrate_emulator.simulation.words import identifier_words, stem, stem_set

_SWEEPING: Final = re.compile(r"\b(?:everything|anything|all (?:of (?:it|them)|things|my stuff))\b")


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call to make now."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the request and what its calls brought."""

    clause: Clause
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Undone:
    """A step that no call was made for.

    Attributes:
        clause: The step.
        reason: Why, in a sentence.
        asks: Whether the user must say more before anything is done for it.
    """

    clause: Clause
    reason: str
    asks: bool = False


@dataclass(slots=True)
class Plan:
    """The state of a request.

    Attributes:
        calls: Calls to make now; none when everything that tools can do is done.
        steps: Steps that are done.
        reports: Steps that ask for words, to be answered at the end.
        undone: Steps that cannot be done.
    """

    calls: list[PlannedCall] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    reports: list[Clause] = field(default_factory=list)
    undone: list[Undone] = field(default_factory=list)


def too_sweeping(clause: Clause, choice: Choice) -> Undone | None:
    """Why nothing is deleted for a step such as `delete everything`, which names no thing.

    Nothing that a user may want to keep is deleted on a guess.
    """
    if clause.action != "delete" or not _SWEEPING.search(clause.text.lower()):
        return None
    deleting = [offer for offer in choice.offers if offer.action == "delete"]
    nouns = [noun for offer in deleting for noun in _nouns(offer.tool.name, choice)]
    if not nouns or {stem(noun) for noun in nouns} & stem_set(clause.text):
        return None
    listed = " or ".join(f"every {noun}" for noun in dict.fromkeys(nouns))
    return Undone(
        clause,
        f"This names nothing that a tool can end, and what is deleted is lost: nothing was "
        f"deleted. Say which ones are meant, or {listed}.",
        asks=True,
    )


def _nouns(name: str, choice: Choice) -> list[str]:
    known = choice.nouns([name])
    said = (word.lower() for word in identifier_words(name))
    return [w for w in said if stem(w) in known and verb_action(w) is None and stem(w) not in VERBS]
