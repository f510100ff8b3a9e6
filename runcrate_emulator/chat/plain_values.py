"""Values that depend on a schema alone: short texts, small numbers, samples of patterns."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from re import _compiler as regex_compiler  # type: ignore[attr-defined] # none is public
from re import _parser as regex_parser  # type: ignore[attr-defined] # none is public
from typing import Any, Final

_MAX_TEXT: Final = 100_000  # characters; a longer `minLength` is not worth the memory
_FORMATS: Final[Mapping[str, str]] = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "nobody@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
FILLER: Final = "simulated"
_MAX_VARIANTS: Final = 32  # of a text, for lists of different items


class PlainValues:
    """The values of one schema without any text, searched as `Literals` are."""

    def choices(self, options: Sequence[Any]) -> Sequence[Any]:
        """All options."""
        return options

    def strings(self, _name: str, schema: Mapping[str, Any], **_: bool) -> Iterator[str]:
        """Short texts of a schema's format, pattern and length."""
        if schema.get("format") in _FORMATS:
            yield _FORMATS[schema["format"]]
        shortest = min(schema.get("minLength", 0), _MAX_TEXT)
        if "pattern" in schema:
            text = sample(schema["pattern"]) or ""
            yield text
            yield from (
                text + text[-1:] * (shortest - len(text)),
                text[:1] * (shortest - len(text)) + text,
            )
        yield FILLER
        size = max(shortest, min(schema.get("maxLength", len(FILLER)), len(FILLER)))
        yield (FILLER * (size // len(FILLER) + 1))[:size]
        yield from (f"{FILLER}{number}"[-size:] for number in range(_MAX_VARIANTS))

    def numbers(self, _name: str, schema: Mapping[str, Any], **_: bool) -> Iterator[float]:
        """Small numbers within a schema's limits."""
        lows = [schema[key] for key in ("minimum", "exclusiveMinimum") if key in schema]
        highs = [schema[key] for key in ("maximum", "exclusiveMaximum") if key in schema]
        integers = schema.get("type") == "integer"
        step = Fraction(str(schema.get("multipleOf") or 1))
        if integers and step.denominator != 1:
            step = Fraction(step.numerator)
        start = Fraction(str(max(lows))) if lows else Fraction(0)
        if highs:
            start = min(start, Fraction(str(min(highs))))
        first = math.ceil(start / step) * step
        for value in (Fraction(1), Fraction(0), first, first + step, first - step):
            yield int(value) if value.denominator == 1 else float(value)
        edges = [float(edge) for edge in (*lows, *highs)] if not integers else []
        yield from (edge + shift for edge in edges for shift in (0, 0.001, -0.001))
        yield sum(edges) / max(len(edges), 1)


def sample(pattern: str) -> str | None:
    """Return the shortest text that matches a regular expression, or None."""
    try:
        text = "".join(map(_sampled, regex_parser.parse(pattern)))
        return text if re.search(pattern, text) else None
    except (ValueError, OverflowError, RecursionError, re.error):
        return None


def _sampled(node: tuple[Any, Any]) -> str:
    kind, value = str(node[0]), node[1]
    match kind:
        case "LITERAL":
            return str(chr(value))
        case "AT" | "ASSERT" | "ASSERT_NOT":
            return ""
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return "".join(map(_sampled, value[2])) * min(int(value[0]), _MAX_TEXT)
        case "SUBPATTERN" | "ATOMIC_GROUP":
            return "".join(map(_sampled, value[-1] if kind == "SUBPATTERN" else value))
        case "BRANCH":
            return "".join(map(_sampled, value[1][0]))
        case "IN" | "ANY" | "NOT_LITERAL":
            one = regex_compiler.compile(regex_parser.SubPattern(regex_parser.State(), [node]))
            return next(filter(one.match, _CHARACTERS), "")
    raise ValueError(f"no sample for {kind}")


_CHARACTERS: Final = "a0A-_ .:/@#," + "".join(map(chr, range(33, 127))) + "\n\u00e9\u4e00"
