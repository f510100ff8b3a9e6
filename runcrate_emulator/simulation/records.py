"""Tool results read as records: rows with named fields, however they were written."""

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runcrate_emulator.simulation.spans import numbers
from runcrate_emulator.simulation.thesaurus import alike
from runcrate_emulator.simulation.words import identifier_words, stem, stem_set, stems

Record = Mapping[str, Any]
"""A row, its nested fields named by their path as in `gpu.memory`."""

_PAIR: Final = re.compile(
    r"(?P<key>[A-Za-z][A-Za-z_ ]{0,30}?)\s*[:=]\s*(?P<value>\"[^\"]*\"|[^,;|\n()]+)"
)
_FENCE: Final = re.compile(r"^\s*```\w*\n(.*?)\n?```\s*$", re.DOTALL)
_PRICE: Final = "price cost rate usd charge fee"
_TIME: Final = "created date time updated year"
_ENVELOPE: Final = stem_set("count total cursor meta limit offset page pagination") | {"more"}
"""Stems of the names by which a list's fields speak of the list itself."""
_LARGEST_LISTED: Final = 1000
_SUPERLATIVES: Final[tuple[tuple[re.Pattern[str], int, str], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), direction, fields)
    for pattern, direction, fields in (
        (
            (
                r"\b(?:cheapest|least expensive|most affordable|lowest[- ]?(?:price|cost|rate)\w*|"
                r"best price)"
            ),
            -1,
            _PRICE,
        ),
        (r"\b(?:most expensive|dearest|priciest|highest[- ]?(?:price|cost)\w*)", 1, _PRICE),
        (r"\b(?:newest|latest|most recent)\b", 1, _TIME),
        (r"\b(?:oldest|earliest)\b", -1, _TIME),
        (r"\b(?:fastest|quickest)\b", 1, "speed fast"),
        (r"\bslowest\b", -1, "speed fast"),
        (r"\b(?:largest|biggest|most|highest|greatest|maximum|longest)\s+(?P<field>[a-z]+)", 1, ""),
        (r"\b(?:smallest|fewest|least|lowest|minimum|shortest)\s+(?P<field>[a-z]+)", -1, ""),
        (r"\b(?:largest|biggest|strongest|most powerful)\b", 1, "size memory vram count total"),
        (r"\bsmallest\b", -1, "size memory vram count total"),
    )
)
_LEAST: Final = r"(?:at least|minimum(?: of)?|min|over|more than|above|no less than|>=?)"
_MOST: Final = r"(?:at most|under|below|less than|up to|no more than|maximum(?: of)?|max|within|cheaper than|<=?)"  # noqa: E501
_LIMIT: Final = re.compile(
    rf"\b(?P<bound>{_LEAST}|{_MOST})\s*(?P<amount>[$€£]?\s?\d[\d.,]*)\s*(?P<unit>[A-Za-z%]+)?"
    r"(?:\s+(?:of\s+)?(?P<noun>[A-Za-z]+))?",
    re.IGNORECASE,
)
_MONEY: Final = re.compile(r"[$€£]")


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound that a request puts on a field: `at least 24 GB`, `under $1`."""

    stems: frozenset[str]
    amount: float
    upper: bool


def parsed(text: str) -> Any:
    """A result's JSON or Python literal as data, or `None` if it is plain text."""
    bare = fenced[1] if (fenced := _FENCE.match(text)) else text.strip()
    if not bare or bare[0] not in "{[\"-0123456789tfn'(":
        return None
    try:
        return json.loads(bare)
    except ValueError:
        pass
    try:
        return ast.literal_eval(bare) if bare[0] in "{[('" else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def rows(text: str) -> list[Record]:
    """The records of a result; a text without any structure gives none."""
    value = parsed(text)
    if value is None:
        return [pairs for line in text.splitlines() if (pairs := _pairs(line))]
    return _rows_of(value)


def _rows_of(value: Any) -> list[Record]:
    if isinstance(value, list):
        return [flat(item) for item in value[:_LARGEST_LISTED] if isinstance(item, Mapping)]
    if not isinstance(value, Mapping):
        return []
    lists = [item for item in value.values() if isinstance(item, list) and _holds_objects(item)]
    if len(lists) == 1:
        rest = {
            key: item
            for key, item in value.items()
            if item is not lists[0] and not field_stems(key) & _ENVELOPE
        }
        return [{**flat(rest), **row} for row in _rows_of(lists[0])] or [flat(rest)]
    inner = [item for item in value.values() if isinstance(item, Mapping)]
    if len(value) == 1 and inner:
        return _rows_of(inner[0])
    return [flat(value)]


def lists_nothing(value: Mapping[str, Any]) -> bool:
    """Whether a result is an empty list, with at most some words about the list itself."""
    about = [key for key, item in value.items() if item != []]
    return [] in value.values() and all(field_stems(key) & _ENVELOPE for key in about)


def _holds_objects(items: Sequence[Any]) -> bool:
    return bool(items) and all(isinstance(item, Mapping) for item in items)


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """An object with its nested objects' fields beside its own, named by their path."""
    fields: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            fields.update(flat(item, f"{prefix}{key}."))
        else:
            fields[f"{prefix}{key}"] = item
    return fields


def _pairs(line: str) -> Record:
    pairs = {
        match["key"].strip().replace(" ", "_"): _scalar(match["value"].strip())
        for match in _PAIR.finditer(line)
    }
    return pairs if len(pairs) > 1 or (pairs and len(line) < 80) else {}  # noqa: PLR2004 - a line


def _scalar(text: str) -> Any:
    bare = text.strip("\"'`").rstrip(".")
    try:
        return int(bare) if re.fullmatch(r"-?\d+", bare) else float(bare)
    except ValueError:
        return {"true": True, "false": False, "none": None, "null": None}.get(bare.lower(), bare)


def as_number(value: Any) -> float | None:
    """A field's value as a number; texts such as `$0.66` and `24 GB` count."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return value
    found = numbers(value) if isinstance(value, str) and len(value) < 40 else []  # noqa: PLR2004 - a field
    return found[0].value if len(found) == 1 else None


def field_stems(name: str) -> frozenset[str]:
    """The stems of a field's name."""
    return frozenset(stem(word) for word in identifier_words(name.replace(".", " ")))


def fields_about(wanted: frozenset[str], record: Record) -> list[str]:
    """The names of the fields that speak of what is wanted, best first."""
    scored = [(score, -at, name) for at, name in enumerate(record) if (score := _fit(wanted, name))]
    return [name for _, _, name in sorted(scored, reverse=True)]


def _fit(wanted: frozenset[str], name: str) -> float:
    named = field_stems(name)
    exact = len(wanted & named)
    near = sum(any(alike(word, one) for one in wanted) for word in named - wanted)
    return (exact + 0.4 * near) / (len(named) ** 0.5) if named else 0.0


def limits(text: str) -> list[Limit]:
    """The bounds that a text puts on numbers."""
    return [_limit(match) for match in _LIMIT.finditer(text)]


def _limit(match: re.Match[str]) -> Limit:
    amount = float(re.sub(r"[^\d.]", "", match["amount"]).rstrip(".") or 0)
    about = stem_set(f"{match['unit'] or ''} {match['noun'] or ''}")
    if _MONEY.search(match["amount"]):
        about |= stem_set(_PRICE)
    upper = re.fullmatch(_MOST, match["bound"], re.IGNORECASE) is not None
    return Limit(about, amount, upper)


def selected(records: Sequence[Record], text: str) -> list[Record]:
    """The records that a text speaks of, best first: within its limits, ordered by its superlative.

    All records, in their order, if the text neither limits nor compares nor names any.
    """
    chosen = [record for record in records if all(_within(record, limit) for limit in limits(text))]
    chosen = _available(chosen or list(records), text)
    chosen = _named(chosen, text) or chosen
    for pattern, direction, fields in _SUPERLATIVES:
        if match := pattern.search(text):
            wanted = stem_set(match.groupdict().get("field") or "") or stem_set(fields)
            if ranked := _ranked(chosen, wanted, direction):
                return ranked
    return chosen


def _within(record: Record, limit: Limit) -> bool:
    for name in fields_about(limit.stems, record):
        number = as_number(record[name])
        if number is not None:
            return number <= limit.amount if limit.upper else number >= limit.amount
    return True


def _available(records: list[Record], text: str) -> list[Record]:
    wants = re.search(
        r"\b(?:available|in stock|free|launch|rent|create|start|cheapest)\b", text, re.IGNORECASE
    )
    known = [record for record in records if _stock(record) is not False]
    return known if wants and known else records


def _stock(record: Record) -> bool | None:
    for name in fields_about(stem_set("available availability stock"), record):
        value = record[name]
        if isinstance(value, (bool, int, float)):
            return bool(value)
        if isinstance(value, str):
            return value.lower() not in {"", "none", "no", "false", "unavailable", "out of stock"}
    return None


def _named(records: Sequence[Record], text: str) -> list[Record]:
    lowered = text.lower()
    return [
        record
        for record in records
        if any(
            isinstance(value, str) and len(value) > 1 and _mentions(lowered, value.lower())
            for value in record.values()
        )
    ]


def _mentions(text: str, value: str) -> bool:
    found = stems(value)
    if not found or len(found) > 6 or (len(found) == 1 and not re.search(r"[\d_-]", value)):  # noqa: PLR2004 - a name
        return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None and len(value) > 3  # noqa: PLR2004 - no article
    return set(found) <= set(stems(text))


def _ranked(records: Sequence[Record], wanted: frozenset[str], direction: int) -> list[Record]:
    for name in _comparable(records, wanted):
        valued = [(key, row) for row in records if (key := _key(row.get(name))) is not None]
        if valued:
            return [
                row for _, row in sorted(valued, key=lambda item: item[0], reverse=direction > 0)
            ]
    return []


def _comparable(records: Sequence[Record], wanted: frozenset[str]) -> Iterator[str]:
    return iter(fields_about(wanted, {name: None for row in records for name in row}))


def _key(value: Any) -> float | None:
    number = as_number(value)
    if number is None and isinstance(value, str):
        digits = re.sub(r"\D", "", value)[:14]
        return float(digits.ljust(14, "0")) if re.match(r"\d{4}-\d\d", value) else None
    return number
