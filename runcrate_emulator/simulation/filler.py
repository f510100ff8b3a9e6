"""A value for a JSON schema, taken from evidence wherever it has any and valid in every case."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from runcrate_emulator.simulation import composition, spans
from runcrate_emulator.simulation.choice_values import (
    chosen,
    described_options,
    exemplified,
    told_options,
    truth,
)
from runcrate_emulator.simulation.evidence import Evidence
from runcrate_emulator.simulation.fact_items import facts_for
from runcrate_emulator.simulation.item_evidence import evidence_of_items
from runcrate_emulator.simulation.number_choice import is_numeric, numbers_for
from runcrate_emulator.simulation.schema import Json, Schemas, same, types_of
from runcrate_emulator.simulation.slots import Slot
from runcrate_emulator.simulation.smallest import Unsatisfiable, smallest
from runcrate_emulator.simulation.subject import main_slot
from runcrate_emulator.simulation.text_choice import texts_for
from runcrate_emulator.simulation.words import stem_set

MISSING: Final = object()
"""Stands for `leave this property out`."""
_DEEPEST: Final = 8
_MOST_ITEMS: Final = 12


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
        value = self.value(Slot("", found, required=True, alone=True, owner=owner), _DEEPEST)
        if value is MISSING or not self._schemas.accepts(schema, value):
            return smallest(self._schemas, schema)
        return value

    def value(self, slot: Slot, depth: int) -> Json:
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
            value = self.value(tried, depth - 1)
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
            value = self.value(tried, depth - 1)
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
                nested=bool(slot.name),
            )
            for name in names
        }
        numeric = [one for one in slots.values() if is_numeric(one)]
        counted = numbers_for(numeric, self._evidence, self._schemas)
        main = None if slot.name or self._evidence.free else main_slot(slot.owner, slots.values())
        filled = {
            name: counted[name] if name in counted else self._uncounted(one, numeric, depth)
            for name, one in slots.items()
            if one is not main
        }
        if main is not None:
            filled[main.name] = self._main(main, slots, filled, depth)
        made = {name: value for name, value in filled.items() if value is not MISSING}
        if not names and isinstance(slot.schema.get("additionalProperties"), Mapping):
            made = self._stated_pairs(slot, depth)
        if not made and not slot.required and names:
            return MISSING
        if not self._schemas.accepts(slot.schema, made):
            return self._completed(slot, made)
        return made

    def _main(
        self, main: Slot, slots: Mapping[str, Slot], filled: Mapping[str, Json], depth: int
    ) -> Json:
        """What a call is about, though its schema lets it out: a thing that is known needs none."""
        known = any(slots[n].kind == "id" for n, value in filled.items() if value is not MISSING)
        if known:
            return self.value(main, depth - 1)
        return self.value(replace(main, required=True, schema=self._filled_branch(main)), depth - 1)

    def _filled_branch(self, slot: Slot) -> Mapping[str, Json]:
        """The schema of a value that is not left empty."""
        base = {key: one for key, one in slot.schema.items() if key not in {"anyOf", "default"}}
        resolved = (
            self._schemas.resolved({"allOf": [base, one]}) for one in slot.schema.get("anyOf", ())
        )
        return next((one for one in resolved if types_of(one) == ("string",)), slot.schema)

    def _uncounted(self, slot: Slot, numeric: Sequence[Slot], depth: int) -> Json:
        """A value beside the numbers; no number is looked for again where none was meant."""
        if slot in numeric and not slot.required:
            return MISSING
        return self.value(slot, depth - 1)

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

    # Numbers and texts

    def _number(self, slot: Slot) -> Json:
        value = numbers_for([slot], self._evidence, self._schemas).get(slot.name)
        return MISSING if value is None else value

    def _text(self, slot: Slot) -> Json:
        options = [*described_options(slot)] or told_options(slot)
        if options and (option := chosen(slot, options, self._evidence)) is not None:
            return option
        if not self._evidence.free and (example := self._exemplified(slot)):
            self._used |= {*example}
            return example[0]
        for value in texts_for(slot, self._evidence, self._schemas, self._used):
            if self._schemas.accepts(slot.schema, value):
                self._used.add(value)
                return value
        return MISSING

    def _exemplified(self, slot: Slot) -> tuple[str, str] | None:
        """A value like the examples of a description, from the step rather than the request."""
        texts = (self._evidence.focus, self._evidence.request)
        return next((one for text in texts if (one := exemplified(slot, text))), None)

    # Arrays

    def _array(self, slot: Slot, depth: int) -> Json:
        if "prefixItems" in slot.schema:
            parts = [Slot(slot.name, self._schemas.resolved(p)) for p in slot.schema["prefixItems"]]
            return [self.value(part, depth - 1) for part in parts]
        if not (slot.required or slot.alone or self._is_spoken_of(slot)):
            return MISSING
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

    def _is_spoken_of(self, slot: Slot) -> bool:
        """Whether a request says anything of a list that a call may do without."""
        return self._evidence.free or bool(slot.stems & stem_set(self._evidence.request))

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
        one = Slot(slot.name.removesuffix("s"), item, owner=slot.owner)
        facts = list(facts_for(item, self._evidence))
        if facts:
            yield from (self._fact(one, texts, depth) for texts in facts)
            return
        for evidence in evidence_of_items(one, self._evidence, self._schemas):
            value = _Filler(self._schemas, evidence).value(one, depth - 1)
            if value is not MISSING:
                yield value

    def _fact(self, slot: Slot, texts: Mapping[str, str], depth: int) -> Json:
        """A fact as an object: each part made from its text."""
        made: dict[str, Json] = {}
        for name, text in texts.items():
            schema = self._schemas.resolved(slot.schema["properties"][name])
            part = Evidence(text, text, records=({"name": text},), style=self._evidence.style)
            is_text = types_of(schema) == ("string",) and self._schemas.accepts(schema, text)
            inner = _Filler(self._schemas, part)
            made[name] = text if is_text else inner.value(Slot(name, schema), depth - 2)
        return self._completed(slot, {n: v for n, v in made.items() if v is not MISSING})


def _mentioned(value: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE) is not None
