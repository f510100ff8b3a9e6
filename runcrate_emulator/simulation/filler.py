"""A value for a JSON schema, taken from evidence wherever it has any and valid in every case."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from runcrate_emulator.simulation import composition, digest, number_values, spans
from runcrate_emulator.simulation.choice_values import (
    chosen,
    described_options,
    told_options,
    truth,
)
from runcrate_emulator.simulation.evidence import Evidence
from runcrate_emulator.simulation.passages import passages
from runcrate_emulator.simulation.record_values import from_records
from runcrate_emulator.simulation.relevance import GOOD_ENOUGH
from runcrate_emulator.simulation.schema import Json, Schemas, same, types_of
from runcrate_emulator.simulation.slots import Slot
from runcrate_emulator.simulation.smallest import Unsatisfiable, smallest
from runcrate_emulator.simulation.text_values import Strength, candidates, guesses, mentioned
from runcrate_emulator.simulation.words import stem_set

MISSING: Final = object()
"""Stands for `leave this property out`."""
_DEEPEST: Final = 8
_MOST_ITEMS: Final = 12
_SHORT_MATERIAL: Final = 80
"""Words up to which a quotation in the material may be its title."""


def fill(schema: Json, evidence: Evidence, owner: str = "") -> Json:
    """A valid value for a schema.

    Args:
        schema: The JSON schema; a tool's parameters or a response format.
        evidence: Where values may come from.
        owner: What the value is for, as a tool's name and description.

    Raises:
        Unsatisfiable: The schema allows no value that this module could find.
    """
    return _Filler(Schemas(schema), evidence).fill(schema, owner)


class _Filler:
    def __init__(self, schemas: Schemas, evidence: Evidence) -> None:
        self._schemas = schemas
        self._evidence = evidence
        self._used: set[str] = set()

    def fill(self, schema: Json, owner: str) -> Json:
        found = self._schemas.resolved(schema)
        value = self._value(Slot("", found, required=True, alone=True, owner=owner), _DEEPEST)
        if value is MISSING or not self._schemas.accepts(schema, value):
            return smallest(self._schemas, schema)
        return value

    def _value(self, slot: Slot, depth: int) -> Json:
        found = slot.schema
        if "const" in found:
            return found["const"]
        if depth < 0:
            return MISSING
        for keyword in ("anyOf", "oneOf"):
            if keyword in found:
                return self._of_branches(slot, keyword, depth)
        if "enum" in found:
            return self._of_choices(slot)
        names = types_of(found)
        for name in names or (("object",) if slot.owner and not slot.name else ("string",)):
            value = self._of_type(name, slot, depth)
            if value is not MISSING and self._schemas.accepts(found, value):
                return value
        return self._given_up(slot, nullable="null" in names)

    def _given_up(self, slot: Slot, *, nullable: bool = False) -> Json:
        """A required value that nothing is known of."""
        if not slot.required:
            return MISSING
        if "default" in slot.schema:
            return slot.schema["default"]
        if nullable:
            return None
        try:
            return smallest(self._schemas, slot.schema)
        except Unsatisfiable:
            return MISSING

    def _of_branches(self, slot: Slot, keyword: str, depth: int) -> Json:
        base = {key: value for key, value in slot.schema.items() if key not in {keyword, "default"}}
        branches = [
            self._schemas.resolved({"allOf": [base, branch]}) for branch in slot.schema[keyword]
        ]
        kept = [branch for branch in branches if types_of(branch) != ("null",)]
        for branch in kept:
            tried = Slot(slot.name, branch, required=False, alone=slot.alone, owner=slot.owner)
            value = self._value(tried, depth - 1)
            if value not in (MISSING, {}, []) and self._schemas.accepts(slot.schema, value):
                return value
        if not slot.required:
            return MISSING
        if "default" in slot.schema:
            return slot.schema["default"]
        if len(kept) < len(branches):
            return None
        for branch in kept:
            tried = Slot(slot.name, branch, required=True, alone=slot.alone, owner=slot.owner)
            value = self._value(tried, depth - 1)
            if value is not MISSING and self._schemas.accepts(slot.schema, value):
                return value
        return self._given_up(slot)

    def _of_choices(self, slot: Slot) -> Json:
        options = slot.schema["enum"]
        value = chosen(slot, options, self._evidence)
        if value is not None and self._schemas.accepts(slot.schema, value):
            return value
        return self._given_up(slot, nullable=None in options)

    def _of_type(self, name: str, slot: Slot, depth: int) -> Json:
        if name == "object":
            return self._object(slot, depth)
        if name == "array":
            return self._array(slot, depth)
        if name == "string":
            return self._text(slot)
        if name in {"integer", "number"}:
            return self._number(slot)
        if name == "boolean":
            value = truth(slot, self._evidence)
            return MISSING if value is None else value
        return MISSING

    # Objects

    def _object(self, slot: Slot, depth: int) -> Json:
        properties: Mapping[str, Json] = slot.schema.get("properties", {})
        required = set(slot.schema.get("required", ()))
        names = [*properties, *(name for name in required if name not in properties)]
        owner = f"{slot.owner} {slot.name} {slot.description}".strip()
        slots = {
            name: Slot(
                name,
                self._schemas.resolved(properties.get(name, True)),
                required=name in required,
                alone=len(names) == 1,
                owner=owner,
            )
            for name in names
        }
        counted = self._numbers([one for one in slots.values() if _is_numeric(one)])
        filled = {
            name: counted[name] if name in counted else self._value(one, depth - 1)
            for name, one in slots.items()
        }
        made = {name: value for name, value in filled.items() if value is not MISSING}
        if not names and isinstance(slot.schema.get("additionalProperties"), Mapping):
            made = self._stated_pairs(slot, depth)
        if not made and not slot.required and names:
            return MISSING
        if not self._schemas.accepts(slot.schema, made):
            return self._completed(slot, made)
        return made

    def _completed(self, slot: Slot, made: dict[str, Json]) -> Json:
        """The object with what its schema still lacks, or without what it does not bear."""
        try:
            base = smallest(self._schemas, slot.schema)
        except Unsatisfiable:
            return MISSING
        if not isinstance(base, dict):
            return base
        for name, value in made.items():
            tried = {**base, name: value}
            if self._schemas.accepts(slot.schema, tried):
                base = tried
        return base

    def _stated_pairs(self, slot: Slot, depth: int) -> dict[str, Json]:
        """Free keys such as environment variables: `FOO=bar` and `FOO: bar` in the request."""
        schema = self._schemas.resolved(slot.schema["additionalProperties"])
        pairs: dict[str, Json] = {}
        for match in re.finditer(
            r"\b([A-Z][A-Z0-9_]+)\s*[=:]\s*([^\s,;]+)", self._evidence.request
        ):
            value: Json = match[2].strip("\"'`.")
            if self._schemas.accepts(schema, value) and depth:
                pairs[match[1]] = value
        return pairs

    # Numbers

    def _numbers(self, slots: list[Slot]) -> dict[str, Json]:
        values = self._chosen(slots)
        for slot in slots:
            stated = (
                None
                if slot.name in values
                else from_records(slot, self._evidence, self._schemas, exact=True)
            )
            if stated is not None:
                values[slot.name] = stated
        texts = list(self._evidence.texts())
        for at, text in enumerate(texts):
            left = [slot for slot in slots if slot.name not in values]
            guess = at < len(texts) - (0 if self._evidence.free else 1) or len(texts) == 1
            found = number_values.assigned(left, text, self._schemas, guess=guess)
            values |= {name: number for name, (number, _) in found.items()}
        for slot in slots:
            if slot.name not in values and slot.required:
                near = from_records(slot, self._evidence, self._schemas, exact=False)
                if near is not None:
                    values[slot.name] = near
        return values

    def _chosen(self, slots: list[Slot]) -> dict[str, Json]:
        """The number of the best option, for slots that want one, and a score beside it."""
        if not self._evidence.options or not any(slot.stems & _INDEXES for slot in slots):
            return {}
        best = self._evidence.options[0]
        values: dict[str, Json] = {}
        for slot in slots:
            if slot.stems & _INDEXES:
                values[slot.name] = best.number
            elif slot.stems & _SCORES:
                low, high = slot.schema.get("minimum", 0), slot.schema.get("maximum", 10)
                values[slot.name] = round(low + best.fit * (high - low))
        return {
            slot.name: values[slot.name]
            for slot in slots
            if slot.name in values and self._schemas.accepts(slot.schema, values[slot.name])
        }

    def _number(self, slot: Slot) -> Json:
        value = self._numbers([slot]).get(slot.name)
        return MISSING if value is None else value

    # Texts

    def _text(self, slot: Slot) -> Json:
        options = [*described_options(slot)] or told_options(slot)
        if options and (option := chosen(slot, options, self._evidence)) is not None:
            return option
        for value in self._texts(slot):
            if self._schemas.accepts(slot.schema, value):
                self._used.add(value)
                return value
        return MISSING

    def _texts(self, slot: Slot) -> Iterator[str]:
        evidence = self._evidence
        nullable = "null" in types_of(slot.schema)
        known = from_records(slot, evidence, self._schemas, exact=True)
        composed = composition.text_for(slot, evidence) if evidence.free else ""
        if slot.kind == "title" and len(evidence.material.split()) < _SHORT_MATERIAL:
            for text in (evidence.focus, evidence.material):
                yield from self._unused(slot, text)
        if slot.kind == "reason" and not evidence.free:
            yield evidence.request
        if composed and slot.kind in composition.COMPOSED_KINDS:
            yield composed
        if known is not None and not any(self._stated(slot, evidence.focus)):
            yield str(known)
        if composition.wants_own_name(slot):
            yield from (text for source in evidence.texts() for text in self._stated(slot, source))
            if slot.required:
                yield composition.own_name(slot, evidence)
            return
        for text in evidence.texts():
            yield from self._unused(slot, text)
        if not slot.required or nullable:
            return
        near = from_records(slot, evidence, self._schemas, exact=False)
        if near is not None:
            yield str(near)
        if slot.kind in composition.STRICT_KINDS:
            return
        if slot.kind == "message" and evidence.last_result:
            yield evidence.last_result
        if slot.kind == "title" and not evidence.free:
            yield digest.topic(evidence.request)
        if evidence.style == "forced":
            yield from (
                one.text for one in mentioned(slot, evidence.focus) if one.text not in self._used
            )
        if composed:
            yield composed
        for text in evidence.texts():
            yield from (c.text for c in guesses(slot, text) if c.text not in self._used)
            yield from (c.text for c in guesses(slot, text))

    def _stated(self, slot: Slot, text: str) -> Iterator[str]:
        return (found.text for found in candidates(slot, text) if found.strength == "stated")

    def _unused(self, slot: Slot, text: str) -> Iterator[str]:
        """Candidates that no other slot has taken; an optional slot wants more than a guess."""
        wanted: set[Strength] = {"stated", "fitting"}
        if not slot.required and slot.kind in _VAGUE_KINDS and not slot.alone:
            wanted = {"stated"}
        for found in candidates(slot, text):
            if found.strength in wanted and found.text not in self._used:
                yield found.text

    # Arrays

    def _array(self, slot: Slot, depth: int) -> Json:
        if "prefixItems" in slot.schema:
            parts = [Slot(slot.name, self._schemas.resolved(p)) for p in slot.schema["prefixItems"]]
            return [self._value(part, depth - 1) for part in parts]
        item = self._schemas.resolved(slot.schema.get("items", True))
        most = min(slot.schema.get("maxItems", _MOST_ITEMS), _MOST_ITEMS)
        values: list[Json] = []
        for value in self._items(slot, item, depth):
            if len(values) < most and not any(same(value, old) for old in values):
                values.append(value)
        if values and self._schemas.accepts(slot.schema, values):
            return values
        if not slot.required:
            return MISSING
        if values and len(values) < slot.schema.get("minItems", 0):
            return self._padded(slot, values)
        return [] if self._schemas.accepts(slot.schema, []) else MISSING

    def _padded(self, slot: Slot, values: list[Json]) -> Json:
        try:
            rest = smallest(self._schemas, slot.schema)
        except Unsatisfiable:
            return MISSING
        tried = [*values, *rest[len(values) :]] if isinstance(rest, list) else rest
        return tried if self._schemas.accepts(slot.schema, tried) else rest

    def _items(self, slot: Slot, item: Mapping[str, Any], depth: int) -> Iterator[Json]:
        names = types_of(item)
        if "enum" in item:
            texts = " ".join(self._evidence.texts())
            yield from (value for value in item["enum"] if _mentioned(str(value), texts))
        elif "object" in names:
            yield from self._objects(item, slot, depth)
        elif "integer" in names or "number" in names:
            for text in self._evidence.texts():
                found = [number.value for number in spans.numbers(text)]
                yield from (value for value in found if self._schemas.accepts(item, value))
                if found:
                    return
        elif "string" in names or not names:
            yield from self._text_items(slot, item)

    def _text_items(self, slot: Slot, item: Mapping[str, Any]) -> Iterator[str]:
        singular = Slot(slot.name, {**slot.schema, **item}, owner=slot.owner)
        for text in self._evidence.texts():
            found = composition.listed_for(singular, text, self._evidence)
            fitting = [value for value in found if self._schemas.accepts(item, value)]
            yield from fitting
            if fitting:
                return

    def _objects(self, item: Mapping[str, Any], slot: Slot, depth: int) -> Iterator[Json]:
        """One object for each passage that states something the objects are made of."""
        if self._evidence.options and self._wants_options(item):
            yield from self._for_options(item, slot, depth)
            return
        sources = (self._evidence.material, self._evidence.focus)
        every = [one.text for source in sources for one in passages(source)]
        for text in [part for one in every for part in self._parts(one, item, slot)][
            : _MOST_ITEMS * 2
        ]:
            evidence = Evidence(text, question=self._evidence.question, style=self._evidence.style)
            inner = _Filler(self._schemas, evidence)
            optional = Slot(slot.name.removesuffix("s"), item, required=False, owner=slot.owner)
            if not inner._is_supported(optional):
                continue
            value = inner._value(Slot(optional.name, item, owner=slot.owner), depth - 1)
            if value is not MISSING:
                yield value

    def _parts(self, text: str, item: Mapping[str, Any], slot: Slot) -> list[str]:
        """The parts of a sentence that each state an object, or the sentence."""
        parts = [part for part in _COORDINATION.split(text) if part.strip()]
        optional = Slot(slot.name.removesuffix("s"), item, required=False, owner=slot.owner)
        stating = [
            part
            for part in parts
            if _Filler(self._schemas, Evidence(part))._is_supported(optional, whole=True)
        ]
        return stating if len(stating) > 1 else [text]

    def _wants_options(self, item: Mapping[str, Any]) -> bool:
        return any(Slot(name).stems & _INDEXES for name in item.get("properties", {}))

    def _for_options(self, item: Mapping[str, Any], slot: Slot, depth: int) -> Iterator[Json]:
        """One object for each option that fits."""
        options = self._evidence.options
        for option in [one for one in options if one.fit >= GOOD_ENOUGH] or options[:1]:
            inner = _Filler(self._schemas, replace(self._evidence, options=(option,)))
            value = inner._value(Slot(slot.name, item, owner=slot.owner), depth - 1)
            if value is not MISSING:
                yield value

    def _is_supported(self, slot: Slot, *, whole: bool = False) -> bool:
        """Whether the focus states values for at least half of the object's required parts.

        Args:
            slot: The object.
            whole: Ask for all of them instead.
        """
        properties = slot.schema.get("properties", {})
        wanted = list(slot.schema.get("required", ())) or list(properties)
        slots = [
            Slot(name, self._schemas.resolved(properties.get(name, True)), owner=slot.owner)
            for name in wanted
        ]
        numeric = [one for one in slots if _is_numeric(one)]
        focus = self._evidence.focus
        counted = number_values.assigned(numeric, focus, self._schemas, guess=len(numeric) == 1)
        found = len(counted) + sum(
            any(candidates(one, focus)) for one in slots if one not in numeric
        )
        needed = len(wanted) if whole else max(1, (len(wanted) + 1) // 2)
        return bool(wanted) and found >= needed


_INDEXES: Final = stem_set("index choice number option selection document_number doc")
_SCORES: Final = stem_set("relevance score rating rank confidence")
_COORDINATION: Final = re.compile(r",\s*(?:and\s+)?|\s+and\s+|;\s*")
_VAGUE_KINDS: Final = frozenset(
    {"other", "query", "message", "question", "answer", "title", "code"}
)


def _is_numeric(slot: Slot) -> bool:
    names = set(types_of(slot.schema))
    for keyword in ("anyOf", "oneOf"):
        for branch in slot.schema.get(keyword, ()):
            names |= set(types_of(branch)) if isinstance(branch, Mapping) else set()
    return (
        bool(names & {"integer", "number"})
        and names <= {"integer", "number", "null"}
        and ("enum" not in slot.schema and "const" not in slot.schema)
    )


def _mentioned(value: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE) is not None
