"""Which number each numeric slot of an object gets."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from runcrate_emulator.simulation import number_values
from runcrate_emulator.simulation.evidence import Evidence
from runcrate_emulator.simulation.record_values import from_records
from runcrate_emulator.simulation.schema import Json, Schemas, types_of
from runcrate_emulator.simulation.slots import Slot
from runcrate_emulator.simulation.subject import SIZE
from runcrate_emulator.simulation.words import stem, stem_set

INDEXES: Final = stem_set("index choice number option selection document_number doc")
"""Stems in the names of slots that take the number of an option."""
_SCORES: Final = stem_set("relevance score rating rank confidence")
_TOP_SCORE: Final = 10
_SIDES: Final = ("width", "height")


def is_numeric(slot: Slot) -> bool:
    """Whether a slot takes numbers, and nothing else but perhaps `null`."""
    names = {name for one in _branches(slot.schema) for name in types_of(one)}
    return (
        bool(names & {"integer", "number"})
        and names <= {"integer", "number", "null"}
        and not {"enum", "const"} & set(slot.schema)
    )


def _branches(schema: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    yield schema
    for keyword in ("anyOf", "oneOf"):
        for branch in schema.get(keyword, ()):
            if isinstance(branch, Mapping):
                yield branch


def numbers_for(slots: Sequence[Slot], evidence: Evidence, schemas: Schemas) -> dict[str, Json]:
    """Numbers for as many slots as the evidence has some for.

    In turn: the best option's number, fields of the same name in earlier results, numbers in the
    texts, and for required slots fields that mean about the same.
    """
    values = _of_options(slots, evidence, schemas)
    texts = list(evidence.texts())
    values |= _of_sizes(slots, texts, schemas)
    texts = [SIZE.sub("", text) for text in texts]
    values |= _of_records([one for one in slots if one.name not in values], evidence, schemas)
    for at, text in enumerate(texts):
        left = [slot for slot in slots if slot.name not in values]
        guess = evidence.free or at < len(texts) - 1 or len(texts) == 1
        found = number_values.assigned(left, text, schemas, guess=guess)
        new = {name: number for name, (number, _) in found.items()}
        taken = set(values.values()) if at else set()
        values |= {name: number for name, number in new.items() if number not in taken}
    left = [slot for slot in slots if slot.name not in values and slot.required]
    return values | _of_records(left, evidence, schemas, exact=False)


def _of_sizes(slots: Sequence[Slot], texts: Sequence[str], schemas: Schemas) -> dict[str, Json]:
    """Width and height, where a text writes them as `512x768`."""
    size = next((match for text in texts if (match := SIZE.search(text))), None)
    if size is None:
        return {}
    sides = {slot.name: side for slot in slots for side in _SIDES if stem(side) in slot.stems}
    found = {name: int(size[side]) for name, side in sides.items()}
    fitting = {slot.name for slot in slots if schemas.accepts(slot.schema, found.get(slot.name))}
    return {name: number for name, number in found.items() if name in fitting}


def _of_records(
    slots: Sequence[Slot], evidence: Evidence, schemas: Schemas, *, exact: bool = True
) -> dict[str, Json]:
    found = {slot.name: from_records(slot, evidence, schemas, exact=exact) for slot in slots}
    return {name: value for name, value in found.items() if value is not None}


def _of_options(slots: Sequence[Slot], evidence: Evidence, schemas: Schemas) -> dict[str, Json]:
    """The number of the best option, for slots that want one, and a score beside it."""
    if not evidence.options or not any(slot.stems & INDEXES for slot in slots):
        return {}
    best = evidence.options[0]
    values: dict[str, Json] = {}
    for slot in slots:
        if slot.stems & INDEXES:
            values[slot.name] = best.number
        elif slot.stems & _SCORES:
            low, high = slot.schema.get("minimum", 0), slot.schema.get("maximum", _TOP_SCORE)
            values[slot.name] = round(low + best.fit * (high - low))
    accepted = {slot.name: schemas.accepts(slot.schema, values.get(slot.name)) for slot in slots}
    return {name: value for name, value in values.items() if accepted[name]}
