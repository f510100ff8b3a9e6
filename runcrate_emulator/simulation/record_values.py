"""A value for a slot from the records of earlier tool results: an id, a token, a type."""

from collections.abc import Iterator
from typing import Final

from runcrate_emulator.simulation.actions import action_of
from runcrate_emulator.simulation.evidence import Evidence
from runcrate_emulator.simulation.records import Record, as_number, field_stems, fields_about
from runcrate_emulator.simulation.schema import Json, Schemas, types_of
from runcrate_emulator.simulation.slots import Slot
from runcrate_emulator.simulation.words import stem

_OWN_NAMES: Final = frozenset({"name", "label", "title", "description"})
_QUALIFIERS: Final = frozenset(map(stem, ("expected", "current", "existing", "actual", "present")))
"""Words before a name that say no more than that it is the one a thing has already."""
_HANDLES: Final = frozenset({stem("id"), stem("uuid"), stem("identifier"), stem("ids")})


def from_records(slot: Slot, evidence: Evidence, schemas: Schemas, *, exact: bool) -> Json | None:
    """A field's value that fits the slot and its schema, or `None`.

    Args:
        slot: What wants a value.
        evidence: Its records are looked through in order.
        schemas: Document of the slot's schema.
        exact: Whether the field must have the slot's own name; if not, a field that means about
            the same will do, as `id` for `instance_id`.
    """
    action = action_of(slot.owner.partition(" ")[0])
    if slot.phrase in _OWN_NAMES and action == "create":
        return None
    carries = evidence.carries or action in {"create", "update", None}
    if not slot.required and not carries:
        return None
    for record in evidence.records:
        for name in _same(slot, record) if exact else _similar(slot, record):
            for value in _shaped(slot, record[name]):
                if schemas.accepts(slot.schema, value):
                    return value
    return None


def _same(slot: Slot, record: Record) -> Iterator[str]:
    own = slot.stems - _QUALIFIERS
    for name in record:
        if name.rpartition(".")[2].lower() == slot.name.lower() or (
            own and field_stems(name) == own
        ):
            yield name


def _similar(slot: Slot, record: Record) -> Iterator[str]:
    if slot.stems & _HANDLES:
        own = [name for name in record if _is_handle_of(name, slot)]
        yield from sorted(own, key=lambda name: -len(field_stems(name) & slot.stems))
        return
    textual = types_of(slot.schema) == ("string",)
    related = fields_about(slot.stems, record)
    yield from (name for name in related if not (textual and as_number(record[name]) is not None))
    if slot.kind == "other":
        usual = (name for name in record if name.lower() in {"id", "name", "value", "result"})
        yield from (name for name in usual if not (textual and as_number(record[name]) is not None))


def _is_handle_of(name: str, slot: Slot) -> bool:
    """Whether a field is an id and not that of something else, as `instance_type_id` is."""
    named = field_stems(name)
    return bool(named & _HANDLES) and named - _HANDLES <= slot.stems


def _shaped(slot: Slot, value: Json) -> Iterator[Json]:
    """A value and its other spellings, for a schema that wants a text or a number of it."""
    yield value
    names = types_of(slot.schema)
    if "string" in names and isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)
    if {"integer", "number"} & set(names) and (number := as_number(value)) is not None:
        yield number
    if isinstance(value, list) and value and not isinstance(value[0], (dict, list)):
        yield value[0]
