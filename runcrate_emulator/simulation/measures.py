"""Units of measurement: which one a word or a parameter speaks of, and from one into another."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from runcrate_emulator.simulation.words import stem

Dimension = Literal[
    "time", "calendar", "data", "length", "mass", "money", "count", "percent", "degree"
]


@dataclass(frozen=True, slots=True)
class Measure:
    """A unit.

    Attributes:
        dimension: What it measures; only units of one dimension can be converted.
        size: How many of the dimension's base unit it is.
    """

    dimension: Dimension
    size: float


_NAMES: Final[tuple[tuple[Dimension, float, str], ...]] = (
    ("time", 0.001, "milliseconds msecs ms"),
    ("time", 1, "seconds secs s"),
    ("time", 60, "minutes mins"),
    ("time", 3600, "hours hrs h"),
    ("time", 86_400, "days"),
    ("time", 604_800, "weeks"),
    ("calendar", 1, "months"),
    ("calendar", 12, "years"),
    ("data", 2**-10, "kb kib kilobytes"),
    ("data", 1, "mb mib megabytes"),
    ("data", 2**10, "gb gib gigabytes gigs"),
    ("data", 2**20, "tb tib terabytes"),
    ("length", 0.001, "mm millimeters millimetres"),
    ("length", 0.01, "cm centimeters centimetres"),
    ("length", 0.0254, "inches"),
    ("length", 0.3048, "feet ft"),
    ("length", 1, "meters metres"),
    ("length", 1000, "km kms kilometers kilometres"),
    ("length", 1609.344, "miles"),
    ("mass", 1, "grams"),
    ("mass", 453.59237, "pounds lbs"),
    ("mass", 1000, "kg kilos kilograms"),
    ("money", 0.01, "cents"),
    ("money", 1, "usd dollars euros eur"),
    ("count", 1e3, "thousands"),
    ("count", 1e6, "millions"),
    ("count", 1e9, "billions"),
    ("count", 1e12, "trillions"),
    ("percent", 1, "percent percentage"),
    ("degree", 1, "degrees celsius fahrenheit"),
)
_MEASURES: Final[Mapping[str, Measure]] = {
    key: Measure(dimension, size)
    for dimension, size, names in _NAMES
    for name in names.split()
    for key in (name, stem(name))
}
_STATED: Final = re.compile(
    r"(?:\bin|\bnumber of|\bmeasured in|\bunits?:?|^|\()\s*(?:whole |full )?(?P<unit>[a-z]+)\b",
    re.IGNORECASE,
)
_NEARLY: Final = 1e-9


def measure_of(word: str) -> Measure | None:
    """The unit that a word names, in the singular or the plural."""
    lowered = word.lower()
    return _MEASURES.get(lowered) or _MEASURES.get(stem(lowered))


def measure_in_name(words: tuple[str, ...]) -> Measure | None:
    """The unit in the words of a parameter's name: minutes of `max_runtime_minutes`.

    What stands behind `per` is no unit of the value: `price_per_hour` is no time.
    """
    found = [
        measure
        for before, word in zip(("", *words), words, strict=False)
        if before != "per" and (measure := measure_of(word)) is not None
    ]
    return found[-1] if found else None


def measure_in_description(description: str) -> Measure | None:
    """The unit that a description states: `Length in seconds`, `Minutes after …`, `Size (GB)`."""
    found = (measure_of(match["unit"]) for match in _STATED.finditer(description))
    return next((measure for measure in found if measure is not None), None)


def converted(value: float, source: Measure, target: Measure) -> float:
    """A value in another unit of the same dimension."""
    result = value * source.size / target.size
    nearest = round(result)
    if math.isclose(result, nearest, rel_tol=_NEARLY):
        return nearest
    return float(f"{result:.10g}")
