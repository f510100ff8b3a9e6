"""Numbers for slots, matched by the words and units that stand near them."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from runcrate_emulator.simulation.measures import (
    Measure,
    converted,
    measure_in_description,
    measure_in_name,
    measure_of,
)
from runcrate_emulator.simulation.schema import Schemas
from runcrate_emulator.simulation.slots import Slot
from runcrate_emulator.simulation.spans import (
    IDENTIFIER,
    NumberSpan,
    Span,
    dates,
    found,
    names,
    numbers,
)
from runcrate_emulator.simulation.thesaurus import alike
from runcrate_emulator.simulation.words import stem, stem_set, words

GOOD_ENOUGH: Final = 1.5
"""Score from which a number fills an optional slot."""

_NEAR: Final = 3
"""Words to either side of a number that are taken for its description."""
_REACH: Final = 120
"""Characters to either side of a number that are looked at."""
_MOST_MENTIONS: Final = 60
_ONE: Final = Measure("count", 1)
_PERCENT: Final = Measure("percent", 1)
_DOLLAR: Final = Measure("money", 1)
_OTHER_UNIT: Final = 1.7
"""Score of a number in another unit of the same dimension; the same unit is a little better."""
_OTHER_DIMENSION: Final = -3.0
"""Score of a number of minutes for a price, whatever words stand near it."""
_RATES: Final = frozenset({"a", "an", "per", "each"})
_FRACTIONS: Final = frozenset({"half", "quarter"})
_MOST_WHOLE: Final = 1e15
_MONEY: Final = frozenset(
    {"pric", "cost", "usd", "budget", "amount", "salari", "pai", "spend", "fe"}
)
_MOST: Final = re.compile(
    r"\b(?:at most|under|below|less than|no more than|not more than|up to|max(?:imum)?|within|"
    r"cheaper than)\s*(?:of\s*)?[$€£]?$",
    re.IGNORECASE,
)
_LEAST: Final = re.compile(
    r"\b(?:at least|over|above|more than|no less than|min(?:imum)?|greater than|from)\s*(?:of\s*)?"
    r"[$€£]?$",
    re.IGNORECASE,
)
_COUNTING: Final = frozenset(
    {
        "count",
        "number",
        "num",
        "n",
        "k",
        "top",
        "quantiti",
        "limit",
        "amount",
        "gpus",
        "size",
        "copi",
    }
)
_PART_OF_NAME: Final = -4.0
"""Score of a number that is part of a name, as in `RTX 4090`, unless the slot has that name."""
_LASTING: Final = stem_set("duration timeout runtime period lifetime ttl")
_CALENDAR: Final = stem_set("year month day date")
_BESIDE_NAME: Final = re.compile(r"[A-Z]\w+\s*[,(]\s*(?:aged?\s+)?$")
_AGES: Final = range(1, 121)
_YEAR_RANGE: Final = range(1000, 2200)


@dataclass(frozen=True, slots=True)
class _Mention:
    number: NumberSpan
    before: tuple[str, ...]
    after: tuple[str, ...]
    unit: Measure | None
    beside_name: bool
    within: frozenset[str]
    at_most: bool
    at_least: bool
    in_part: bool


def assigned(
    slots: Sequence[Slot], text: str, schemas: Schemas, *, guess: bool
) -> dict[str, tuple[float, float]]:
    """A number for each slot that the text has one for, with its score.

    Args:
        slots: The slots that want numbers.
        text: Where to look.
        schemas: Document of the slots' schemas, to keep each number within its limits.
        guess: Whether required slots without a likely number take those left over, in order.
    """
    named = names(text)
    parts = [*dates(text), *found(IDENTIFIER, text)]
    mentions = [_mention(text, number, named, parts) for number in numbers(text)[:_MOST_MENTIONS]]
    pairs = sorted(
        (
            (_score(slot, mention), -at, -place, slot, mention)
            for place, slot in enumerate(slots)
            for at, mention in enumerate(mentions)
        ),
        key=lambda pair: pair[:3],
        reverse=True,
    )
    taken: set[int] = set()
    values: dict[str, tuple[float, float]] = {}
    for score, at, _, slot, mention in pairs:
        if score >= GOOD_ENOUGH and at not in taken and slot.name not in values:
            value = _fitted(slot, mention, schemas)
            if value is not None:
                values[slot.name] = (value, score)
                taken.add(at)
    if guess:
        _take_the_rest(slots, mentions, taken, values, schemas)
    return values


def _take_the_rest(
    slots: Sequence[Slot],
    mentions: Sequence[_Mention],
    taken: set[int],
    values: dict[str, tuple[float, float]],
    schemas: Schemas,
) -> None:
    for slot in slots:
        if slot.name in values or not slot.required:
            continue
        for at, mention in enumerate(mentions):
            value = _fitted(slot, mention, schemas)
            if -at in taken or value is None or _score(slot, mention) < 0:
                continue
            values[slot.name] = (value, 0.0)
            taken.add(-at)
            break


def _mention(
    text: str, number: NumberSpan, named: Sequence[Span], parts: Sequence[Span]
) -> _Mention:
    before = text[max(0, number.start - _REACH) : number.start]
    after = text[number.end : number.end + _REACH]
    before = re.split(r"[.;?!]\s|\n", before)[-1]
    after = re.split(r"[.;?!](?:\s|$)|\n", after)[0]
    nearest = tuple(stem(word) for word in words(after)[:_NEAR])
    unit = _unit_behind(words(after)[:2], text[number.start : number.end])
    if number.sign:
        unit = _PERCENT if number.sign == "%" else _DOLLAR
    return _Mention(
        number,
        tuple(stem(word) for word in reversed(words(before)[-_NEAR:])),
        nearest,
        unit,
        bool(_BESIDE_NAME.search(before)) and bool(re.match(r"\s*(?:[,)]|$)", after)),
        frozenset().union(
            *(stem_set(one.text) for one in named if one.start < number.start < one.end)
        ),
        bool(_MOST.search(before)),
        bool(_LEAST.search(before)),
        any(one.start <= number.start and number.end <= one.end for one in parts),
    )


def _unit_behind(said: Sequence[str], number: str) -> Measure | None:
    """The unit of a number; `2 an hour` has none, though `half an hour` has."""
    if said and said[0].lower() in _RATES and number.lower() not in _FRACTIONS:
        return None
    return next((measure for word in said if (measure := measure_of(word))), None)


def _score(slot: Slot, mention: _Mention) -> float:
    named = slot.stems
    score = _PART_OF_NAME if mention.within and not mention.within & named else 0.0
    if mention.in_part and not named & _CALENDAR:
        score += _PART_OF_NAME
    near = 0.0
    for distance, word in enumerate(mention.before):
        near += _closeness(named, word) * (3 - 0.7 * distance)
    for distance, word in enumerate(mention.after):
        near += _closeness(named, word) * (3 - 0.7 * distance)
    unit_score = _unit_score(slot, mention)
    score += near + (max(unit_score, 0.0) if near and unit_score > _OTHER_DIMENSION else unit_score)
    if mention.at_most:
        score += 1.5 if named & {"max", "maximum", "limit", "budget", "most"} else 0.2
        score -= 2 if named & {"min", "minimum", "least"} else 0
    if mention.at_least:
        score += 1.5 if named & {"min", "minimum", "least"} else 0.2
        score -= 2 if named & {"max", "maximum", "most"} else 0
    if named & _COUNTING and mention.unit is None and _is_count(mention):
        score += 1.5
    if "age" in named and {"year", "old"} <= {*mention.after[:2]}:
        score += 4
    if "age" in named and mention.beside_name and mention.number.value in _AGES:
        score += 2
    if "year" in named and mention.number.value in _YEAR_RANGE:
        score += 2
    described = slot.described_stems - named
    score += 0.5 * any(word in described for word in (*mention.before, *mention.after))
    return score


def _closeness(named: frozenset[str], word: str) -> float:
    if word in named:
        return 1.0
    return 0.6 if any(alike(word, one) for one in named) else 0.0


def _unit_score(slot: Slot, mention: _Mention) -> float:
    wanted = _wanted_in_name(slot)
    if mention.unit is not None and mention.unit.dimension == "time" and slot.stems & _LASTING:
        return 2.0
    if wanted is None:
        described = measure_in_description(slot.description)
        if mention.unit is None:
            return 0.0
        if described is not None and described.dimension == mention.unit.dimension:
            return 1.5
        return -2.0 if mention.unit.dimension == "money" else 0.0
    if mention.unit is None:
        return 0.0
    if mention.unit.dimension != wanted.dimension:
        return _OTHER_DIMENSION
    return 2.0 if mention.unit == wanted else _OTHER_UNIT


def _wanted_in_name(slot: Slot) -> Measure | None:
    """The unit that a slot's name speaks of; a price is one even when it is per hour."""
    found = measure_in_name(slot.words)
    if slot.stems & _MONEY and (found is None or found.dimension != "money"):
        return _DOLLAR
    return None if found is not None and found.dimension == "count" else found


def _is_count(mention: _Mention) -> bool:
    return float(mention.number.value).is_integer() and not mention.number.sign


def _fitted(slot: Slot, mention: _Mention, schemas: Schemas) -> float | None:
    value = _in_unit_of(slot, mention)
    shapes = [value, float(value)]
    if abs(value) < _MOST_WHOLE:
        shapes += [int(value)] if value == int(value) else [math.ceil(value)]
    if mention.number.sign == "%":
        shapes.append(value / 100)
    return next((shape for shape in shapes if schemas.accepts(slot.schema, shape)), None)


def _in_unit_of(slot: Slot, mention: _Mention) -> float:
    """A mention's value in the unit that the slot's name or description states."""
    value = mention.number.value
    wanted = measure_in_name(slot.words) or measure_in_description(slot.description)
    if wanted is None:
        return value
    if wanted.dimension == "count":
        is_whole = mention.number.is_scaled or value >= wanted.size
        return converted(value, _ONE, wanted) if is_whole else value
    if mention.unit is None or mention.unit.dimension != wanted.dimension:
        return value
    return converted(value, mention.unit, wanted)
