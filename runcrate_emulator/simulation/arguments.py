"""Arguments for a tool call: what each parameter gets, and which get nothing."""

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from runcrate_emulator.simulation import spans
from runcrate_emulator.simulation.arithmetic import expressions
from runcrate_emulator.simulation.evidence import Evidence
from runcrate_emulator.simulation.filler import fill
from runcrate_emulator.simulation.offers import Offer, call_syntax
from runcrate_emulator.simulation.record_values import from_records
from runcrate_emulator.simulation.records import Record
from runcrate_emulator.simulation.schema import Schemas, types_of
from runcrate_emulator.simulation.slots import Slot
from runcrate_emulator.simulation.smallest import Unsatisfiable
from runcrate_emulator.simulation.text_values import candidates, guesses, has_its_shape
from runcrate_emulator.simulation.words import stem_set

_LOOKED_UP: Final = frozenset({"id", "other", "unit", "name"})
"""Kinds of parameters whose values a request may leave to be looked up."""
_NEVER_SPREAD: Final = frozenset(
    {"message", "title", "code", "answer", "reason", "summary", "query", "question"}
)
_MOST_CALLS: Final = 8
_EACH: Final = re.compile(r"\b(?:all|every|each)\b", re.IGNORECASE)
_STOPS: Final = re.compile(
    r"\s+(?:in|on|at|with|for|to|from|today|tomorrow|tonight|now|using|please|is|are|by|via|as|"
    r"right|this|next)\b|[?!;:\n]|\.(?:\s|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Gap:
    """A required parameter that nothing is known for."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class Arguments:
    """Where a clause's arguments come from.

    Attributes:
        focus: The clause.
        base: The request and everything else that is known.
        listed: All records of the latest step's results.
        times: How many of a thing the step wants.
        of_each: Whether each of those records wants a call.
    """

    focus: str
    base: Evidence
    listed: tuple[Record, ...] = ()
    times: int = 1
    of_each: bool = False

    @property
    def request(self) -> str:
        """The whole request."""
        return self.base.request

    def _evidence(self, focus: str = "") -> Evidence:
        return replace(self.base, focus=focus or self.focus)

    def gaps(self, offer: Offer) -> list[Gap]:
        """The required parameters that neither the request nor a result says anything about."""
        if call_syntax(self.focus, offer) is not None:
            return []
        return [Gap(slot) for slot in offer.slots if slot.required and not self._known(slot, offer)]

    def lacking(self, offer: Offer) -> int:
        """How many required parameters nothing is said about, numbers included."""
        numbers = len(spans.numbers(self.focus)) or len(spans.numbers(self.request))
        numeric = [slot for slot in offer.numeric_slots if "default" not in slot.schema]
        known = sum(len(record) > 0 for record in self.base.records[:1])
        return len(self.gaps(offer)) + max(0, len(numeric) - numbers - known)

    def lacks_handle(self, offer: Offer) -> bool:
        """Whether a parameter that must name an existing thing has nothing to name."""
        return any(gap.slot.kind == "id" for gap in self.gaps(offer))

    def _known(self, slot: Slot, offer: Offer) -> bool:
        names = types_of(slot.schema)
        if {"const", "enum", "default", "anyOf"} & set(slot.schema) or "null" in names:
            return True
        if slot.kind not in _LOOKED_UP or (names and "string" not in names and slot.kind != "id"):
            return True
        if slot.kind == "name":
            return True
        evidence = self._evidence()
        schemas = Schemas(offer.tool.parameters)
        if any(
            from_records(slot, evidence, schemas, exact=exact) is not None
            for exact in (True, False)
        ):
            return True
        own = slot.stems | offer.name_stems
        for text in (self.focus, self.request):
            if any(candidates(slot, text)):
                return True
            if slot.kind == "id" and "integer" in names and spans.numbers(text):
                return True
            if slot.kind != "id" and any(
                not stem_set(found.text) <= own
                for found in guesses(slot, text)
                if found.text != text.strip()
            ):
                return True
        return slot.kind == "other" and not offer.acts

    def sets(self, offer: Offer) -> list[dict[str, Any]]:
        """One set of arguments for each call that the clause asks for; at least one."""
        if (written := call_syntax(self.focus, offer)) is not None:
            return [self._completed(offer, written)]
        if (self.of_each or _EACH.search(self.focus)) and (each := self._for_each_record(offer)):
            return each
        found = expressions(self.focus)
        if len(found) > 1 and len(offer.numeric_slots) > 1:
            return [self._filled(offer, expression.text) for expression in found[:_MOST_CALLS]]
        arguments = self._filled(offer)
        for slot in offer.slots:
            values = self._coordinated(slot, arguments.get(slot.name))
            others = [value for name, value in arguments.items() if name != slot.name]
            if len(values) > 1 and not any(value in others for value in values[1:]):
                return [{**arguments, slot.name: value} for value in values[:_MOST_CALLS]]
        return [arguments] * self.times

    def _for_each_record(self, offer: Offer) -> list[dict[str, Any]]:
        """A set for each thing that the latest result lists, where the tool takes one by its id."""
        if not offer.acts or not any(slot.kind == "id" and slot.required for slot in offer.slots):
            return []
        sets: list[dict[str, Any]] = []
        for record in self.listed[:_MOST_CALLS]:
            one = Arguments(self.focus, replace(self.base, records=(record,)))
            if not one.lacks_handle(offer) and (made := one._filled(offer)) not in sets:
                sets.append(made)
        return sets

    def _filled(self, offer: Offer, focus: str = "") -> dict[str, Any]:
        try:
            made = fill(
                offer.tool.parameters or {"type": "object"}, self._evidence(focus), offer.owner
            )
        except Unsatisfiable:
            return {}
        return made if isinstance(made, dict) else {}

    def _completed(self, offer: Offer, written: dict[str, Any]) -> dict[str, Any]:
        schemas = Schemas(offer.tool.parameters)
        if schemas.accepts(offer.tool.parameters, written):
            return written
        return {**self._filled(offer), **written}

    def _coordinated(self, slot: Slot, value: Any) -> list[Any]:
        """The values beside one found in the clause: `Paris` and `Rome` in `Paris and Rome`."""
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            return [value]
        if slot.kind in _NEVER_SPREAD or ("enum" in slot.schema and slot.required is False):
            return [value]
        written = re.escape(str(value))
        match = re.search(
            rf"(?<!\w)[\"'\u201c`]?{written}[\"'\u201d`]?(?=\s*(?:,|and\b|or\b|&))", self.focus
        )
        if not match:
            return [value]
        rest = self.focus[match.start() :]
        tail = rest[match.end() - match.start() :]
        end = stop.start() if (stop := _STOPS.search(tail)) else len(tail)
        parts = spans.listed(str(value).replace(",", "\x00") + tail[:end])
        parts = [part.replace("\x00", ",") for part in parts]
        schemas = Schemas(slot.schema)
        values = [self._alike(value, part) for part in parts]
        if any(one is None for one in values):
            return [value]
        if not all(has_its_shape(slot.kind, str(one)) for one in values):
            return [value]
        return [one for one in values if schemas.accepts(slot.schema, one)] or [value]

    def _alike(self, value: Any, part: str) -> Any:
        """A coordinated part read as the same type of value; `None` if it is something else."""
        if isinstance(value, (int, float)):
            found = spans.numbers(part)
            return found[0].value if len(found) == 1 else None
        if value[:1].isupper():
            bare = re.sub(r"^(?:the|in|for|at)\s+", "", part)
            return bare if bare[:1].isupper() else None
        return part if len(part.split()) <= len(value.split()) + 1 else None
