"""Which text a slot gets: what the evidence offers for it, the best first."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

from runcrate_emulator.simulation import composition, digest, spans
from runcrate_emulator.simulation.clauses import POINTS_BACK
from runcrate_emulator.simulation.evidence import Evidence
from runcrate_emulator.simulation.reciting import recited
from runcrate_emulator.simulation.record_values import from_records
from runcrate_emulator.simulation.schema import Schemas, types_of
from runcrate_emulator.simulation.slots import Slot
from runcrate_emulator.simulation.subject import AVOIDED, makes, subject
from runcrate_emulator.simulation.text_values import Strength, candidates, guesses, mentioned
from runcrate_emulator.simulation.words import identifier_words, stem

_SHORT_MATERIAL: Final = 80
"""Words up to which a quotation in the material may be its title."""
_NAMES_KEYS: Final = re.compile(r"\b(?:keys?|fields?|properties|json)\b", re.IGNORECASE)
"""Words by which the quotations in a request are the names of slots and no values."""
_DEPICTS: Final = re.compile(r"\b(?:shows?|depicts?|is seen)\b", re.IGNORECASE)
"""What is said of a text that describes something to be seen."""
_AVOIDING: Final = frozenset({stem("negative"), stem("avoid"), stem("exclude")})
_SAID_ANEW: Final = frozenset({"place", "date", "email", "url", "path", "currency"})
"""Kinds of which a step seldom names one without meaning it."""
_VAGUE_KINDS: Final = frozenset(
    {"other", "query", "message", "question", "answer", "title", "code"}
)
"""Kinds that any text would fit, so that an optional slot of theirs needs a stated value."""


def texts_for(
    slot: Slot, evidence: Evidence, schemas: Schemas, used: Collection[str]
) -> Iterator[str]:
    """Texts for a slot, the best first; none if it is optional and nothing speaks for any.

    Args:
        slot: What wants a text.
        evidence: Where texts come from.
        schemas: Document of the slot's schema.
        used: Texts that other slots of the object have taken.
    """
    choice = _Choice(slot, evidence, schemas, used)
    if composition.wants_own_name(slot, evidence):
        return choice.own_name()
    return choice.in_turn()


@dataclass(frozen=True, slots=True)
class _Choice:
    slot: Slot
    evidence: Evidence
    schemas: Schemas
    used: Collection[str]

    def in_turn(self) -> Iterator[str]:
        sources: list[Callable[[], Iterator[str]]] = [self._of_what_is_made]
        sources += [self._fitting_its_kind, self._recorded]
        sources.append(self._found)
        if self.slot.required and "null" not in types_of(self.slot.schema):
            sources += [self._recorded_alike, self._made_up]
        for source in sources:
            yield from filter(None, source())

    def own_name(self) -> Iterator[str]:
        """A name for something new: the one that is stated, else one that is made."""
        for text in self.evidence.texts():
            yield from self._stated(text)
            yield from self._apposed(text)
        if self.slot.required:
            yield composition.own_name(self.slot, self.evidence)

    def _apposed(self, text: str) -> Iterator[str]:
        """A name right behind the word for what is made: `Bob` in `create a user Bob`."""
        nouns = [one for one in identifier_words(self.slot.owner.partition(" ")[0])[1:] if one]
        for span in spans.names(text):
            before = text[: span.start].split()[-1:]
            if before and before[0].lower() in map(str.lower, nouns):
                yield span.text

    def _composed(self) -> str:
        return composition.text_for(self.slot, self.evidence) if self.evidence.free else ""

    def _fitting_its_kind(self) -> Iterator[str]:
        slot, evidence = self.slot, self.evidence
        if slot.kind == "title" and len(evidence.material.split()) < _SHORT_MATERIAL:
            yield from self._unused(evidence.focus)
            yield from self._unused(evidence.material)
        if slot.kind == "reason" and not evidence.free:
            yield evidence.request
        if slot.kind in composition.COMPOSED_KINDS and (composed := self._composed()):
            yield composed

    def _of_what_is_made(self) -> Iterator[str]:
        """What something new is to show, to say, or to be made from, as its step says it."""
        slot, evidence = self.slot, self.evidence
        if evidence.free or not makes(slot.owner):
            return
        if slot.stems & _AVOIDING:
            avoided = (match["bare"] for match in AVOIDED.finditer(evidence.focus))
            yield ", ".join(avoided)
        elif slot.kind == "query":
            yield from self._stated(evidence.focus)
            yield subject(evidence.focus, slot.owner)
        elif slot.kind == "file" and POINTS_BACK.search(evidence.focus):
            made = list(spans.found(spans.PATH, evidence.last_result))
            yield from (one.text for one in made[:1])
        elif slot.kind == "message" and slot.required:
            yield recited(evidence)
            if _DEPICTS.search(f"{slot.phrase} {slot.description}"):
                yield from self._stated(evidence.focus)
                yield subject(evidence.focus, slot.owner)

    def _recorded(self) -> Iterator[str]:
        known = from_records(self.slot, self.evidence, self.schemas, exact=True)
        if known is not None and not any(self._said(self.evidence.focus)):
            yield str(known)

    def _found(self) -> Iterator[str]:
        for text in self.evidence.texts():
            yield from self._unused(text)

    def _recorded_alike(self) -> Iterator[str]:
        near = from_records(self.slot, self.evidence, self.schemas, exact=False)
        if near is not None:
            yield str(near)

    def _made_up(self) -> Iterator[str]:
        """What stands in for a required text that nothing speaks of."""
        slot, evidence = self.slot, self.evidence
        if slot.kind in composition.STRICT_KINDS:
            return
        if slot.kind == "message" and evidence.last_result:
            yield evidence.last_result
        if slot.kind == "title" and not evidence.free:
            yield digest.topic(evidence.request)
        if evidence.style == "written" and not _NAMES_KEYS.search(evidence.focus):
            quoted = (span.text for span in spans.quotations(evidence.focus))
            yield from (text for text in quoted if text not in self.used)
        if evidence.style == "forced":
            found = (one.text for one in mentioned(slot, evidence.focus))
            yield from (text for text in found if text not in self.used)
        if composed := self._composed():
            yield composed
        for text in evidence.texts():
            guessed = [one.text for one in guesses(slot, text)]
            yield from (one for one in guessed if one not in self.used)
            yield from guessed

    def _said(self, text: str) -> Iterator[str]:
        """What a step says itself, which counts more than what earlier results say."""
        yield from self._stated(text)
        if self.slot.kind in _SAID_ANEW:
            yield from (o.text for o in candidates(self.slot, text) if o.strength == "fitting")

    def _stated(self, text: str) -> Iterator[str]:
        return (one.text for one in candidates(self.slot, text) if one.strength == "stated")

    def _unused(self, text: str) -> Iterator[str]:
        """Candidates that no other slot has taken; an optional slot wants more than a guess."""
        slot = self.slot
        wanted: set[Strength] = {"stated", "fitting"}
        if not slot.required and slot.kind in _VAGUE_KINDS and not slot.alone:
            wanted = {"stated"}
        for found in candidates(slot, text):
            if found.strength in wanted and found.text not in self.used:
                yield found.text
