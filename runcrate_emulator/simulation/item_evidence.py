"""What each object of an array is made from: an option, a passage, or a part of a sentence."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from runcrate_emulator.simulation import number_values
from runcrate_emulator.simulation.evidence import Evidence
from runcrate_emulator.simulation.number_choice import INDEXES, is_numeric
from runcrate_emulator.simulation.passages import passages
from runcrate_emulator.simulation.relevance import GOOD_ENOUGH
from runcrate_emulator.simulation.schema import Schemas
from runcrate_emulator.simulation.slots import Slot
from runcrate_emulator.simulation.spans import quotations
from runcrate_emulator.simulation.text_values import candidates

_MOST: Final = 24
_MOST_READ: Final = 400
"""Passages in which objects are looked for."""
_LONGEST: Final = 2000
"""Characters of a passage in which objects are looked for."""
_COORDINATION: Final = re.compile(r",\s*(?:and\s+)?|\s+and\s+|;\s*")


def evidence_of_items(slot: Slot, evidence: Evidence, schemas: Schemas) -> Iterator[Evidence]:
    """Evidence for one object after the other.

    Args:
        slot: An object of the array.
        evidence: Evidence for the whole array.
        schemas: Document of the slot's schema.
    """
    if evidence.options and _takes_options(slot.schema):
        options = [one for one in evidence.options if one.fit >= GOOD_ENOUGH]
        for option in options or evidence.options[:1]:
            yield replace(evidence, options=(option,))
        return
    sources = (evidence.material, evidence.focus)
    every = [one.text[:_LONGEST] for source in sources for one in passages(source)[:_MOST_READ]]
    parts = [part for text in every for part in _parts(text, slot, schemas)]
    for text in parts[:_MOST]:
        if _states(text, slot, schemas, share=0.5):
            yield Evidence(text, question=evidence.question, style=evidence.style)


def _takes_options(schema: Mapping[str, Any]) -> bool:
    return any(Slot(name).stems & INDEXES for name in schema.get("properties", {}))


def _parts(text: str, slot: Slot, schemas: Schemas) -> list[str]:
    """The parts of a sentence that each state a whole object, or the sentence."""
    parts = [part for part in _COORDINATION.split(text) if part.strip()]
    stating = [part for part in parts if _states(part, slot, schemas, share=1.0)]
    return stating if len(stating) > 1 else [text]


def _states(text: str, slot: Slot, schemas: Schemas, *, share: float) -> bool:
    """Whether a text states values for this share of an object's required properties."""
    properties = slot.schema.get("properties", {})
    wanted = list(slot.schema.get("required", ())) or list(properties)
    slots = [
        Slot(name, schemas.resolved(properties.get(name, True)), owner=slot.owner)
        for name in wanted
    ]
    numeric = [one for one in slots if is_numeric(one)]
    counted = number_values.assigned(numeric, text, schemas, guess=len(numeric) == 1)
    quoted = bool(quotations(text))
    texts = [
        one
        for one in slots
        if one not in numeric and (any(candidates(one, text)) or (quoted and one.kind == "other"))
    ]
    return bool(wanted) and len(counted) + len(texts) >= max(1, share * len(wanted))
