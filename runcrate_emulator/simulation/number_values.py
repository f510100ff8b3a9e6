"""Numbers for slots, matched by the words and units that stand near them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runcrate_emulator.simulation.schema import Schemas
from runcrate_emulator.simulation.slots import Slot
from runcrate_emulator.simulation.spans import NumberSpan, Span, names, numbers
from runcrate_emulator.simulation.thesaurus import alike
from runcrate_emulator.simulation.words import stem, stem_set, words

GOOD_ENOUGH: Final = 1.5
"""Score from which a number fills an optional slot."""

_NEAR: Final = 3
"""Words to either side of a number that are taken for its description."""
_REACH: Final = 120
"""Characters to either side of a number that are looked at."""
_MOST_MENTIONS: Final = 60
_UNITS: Final[Mapping[str, str]] = {
    "gb": "gb",
    "gib": "gb",
    "gigabyte": "gb",
    "mb": "mb",
    "tb": "tb",
    "hour": "hour",
    "hr": "hour",
    "h": "hour",
    "minut": "minute",
    "min": "minute",
    "second": "second",
    "sec": "second",
    "dai": "day",
    "day": "day",
    "week": "week",
    "month": "month",
    "year": "year",
    "percent": "percent",
    "km": "km",
    "kilometer": "km",
    "mile": "mile",
    "meter": "meter",
    "degre": "degree",
    "celsiu": "degree",
    "fahrenheit": "degree",
    "kg": "kg",
    "usd": "money",
    "dollar": "money",
    "euro": "money",
    "eur": "money",
    "cent": "money",
}
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
    {"count", "number", "num", "n", "k", "top", "quantiti", "limit", "amount", "gpus", "size"}
)
_PART_OF_NAME: Final = -4.0
"""Score of a number that is part of a name, as in `RTX 4090`, unless the slot has that name."""
_BESIDE_NAME: Final = re.compile(r"[A-Z]\w+\s*[,(]\s*(?:aged?\s+)?$")
_AGES: Final = range(1, 121)
_YEAR_RANGE: Final = range(1000, 2200)


@dataclass(frozen=True, slots=True)
class _Mention:
    number: NumberSpan
    before: tuple[str, ...]
    after: tuple[str, ...]
    unit: str
    beside_name: bool
    within: frozenset[str]
    at_most: bool
    at_least: bool


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
    mentions = [_mention(text, number, named) for number in numbers(text)[:_MOST_MENTIONS]]
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


def _mention(text: str, number: NumberSpan, named: Sequence[Span]) -> _Mention:
    before = text[max(0, number.start - _REACH) : number.start]
    after = text[number.end : number.end + _REACH]
    before = re.split(r"[.;?!]\s|\n", before)[-1]
    after = re.split(r"[.;?!](?:\s|$)|\n", after)[0]
    nearest = tuple(stem(word) for word in words(after)[:_NEAR])
    unit = _UNITS.get(nearest[0], "") if nearest else ""
    if number.sign:
        unit = "percent" if number.sign == "%" else "money"
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
    )


def _score(slot: Slot, mention: _Mention) -> float:
    named = slot.stems
    score = _PART_OF_NAME if mention.within and not mention.within & named else 0.0
    for distance, word in enumerate(mention.before):
        score += _closeness(named, word) * (3 - 0.7 * distance)
    for distance, word in enumerate(mention.after):
        score += _closeness(named, word) * (3 - 0.7 * distance)
    score += _unit_score(slot, mention)
    if mention.at_most:
        score += 1.5 if named & {"max", "maximum", "limit", "budget", "most"} else 0.2
        score -= 2 if named & {"min", "minimum", "least"} else 0
    if mention.at_least:
        score += 1.5 if named & {"min", "minimum", "least"} else 0.2
        score -= 2 if named & {"max", "maximum", "most"} else 0
    if named & _COUNTING and not mention.unit and _is_count(mention):
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
    wanted = {_UNITS[word] for word in slot.stems if word in _UNITS}
    wanted |= {"money"} if slot.stems & _MONEY else set()
    if "money" in wanted:
        wanted = {"money"}
    if not wanted and mention.unit == "money":
        return -2.0
    if not wanted:
        described = {_UNITS[word] for word in slot.described_stems if word in _UNITS}
        return 1.5 if mention.unit and mention.unit in described else 0.0
    if not mention.unit:
        return 0.0
    return 2.0 if mention.unit in wanted else -3.0


def _is_count(mention: _Mention) -> bool:
    return float(mention.number.value).is_integer() and not mention.number.sign


def _fitted(slot: Slot, mention: _Mention, schemas: Schemas) -> float | None:
    value: float = mention.number.value
    for shaped in (value, int(value), float(value)):
        if shaped == value and schemas.accepts(slot.schema, shaped):
            return shaped
    return None
