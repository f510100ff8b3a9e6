"""The particular things that a text mentions: numbers, quotations, names, dates, addresses."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from runcrate_emulator.simulation.words import STOP_WORDS

_UNITS: Final = {"zero": 0, "a dozen": 12, "dozen": 12, "half": 0.5} | {
    word: number
    for number, word in enumerate(
        """
            one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
            sixteen seventeen eighteen nineteen twenty
            """.split(),  # noqa: SIM905 - words read best as words
        start=1,
    )
}
_ARTICLES: Final = frozenset({"a", "an"})
_TENS: Final = {
    word: 10 * number
    for number, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2
    )
}
_SCALES: Final = {
    "hundred": 100,
    "thousand": 1000,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_SUFFIXES: Final = {"k": 1000, "m": 10**6, "bn": 10**9, "b": 10**9}
_NUMBER_WORDS: Final = "|".join([*_UNITS, *_TENS])
_NUMBER: Final = re.compile(
    r"(?P<currency>[$€£¥]\s?)?(?P<digits>(?<![\w.])[-−]?\d+(?:,\d{3})*(?:\.\d+)?"  # noqa: RUF001 - the minus sign
    r"|(?<![\w.])[-−]?\.\d+)(?P<suffix>(?:k|bn|(?-i:B))\b|M\b)?(?P<percent>\s?%)?"  # noqa: RUF001
    rf"|\b(?P<words>(?:{_NUMBER_WORDS})(?:[ -](?:{_NUMBER_WORDS}))?"
    r"(?: (?:hundred|thousand|million|billion|trillion))*|(?:a )?(?:hundred|thousand|million)"
    r"|(?:(?<=for )|(?<=in )|(?<=after )|(?<=within )|(?<=about )|(?<=every ))an?"
    r"(?= (?:second|minute|hour|day|week|month|year)\b))\b",
    re.IGNORECASE,
)
_SCALED: Final = re.compile(r"^\s*(hundred|thousand|million|billion|trillion)\b", re.IGNORECASE)
_QUOTED: Final = re.compile(
    r"\"([^\"\n]+)\"|“([^”\n]+)”|«([^»\n]+)»|「([^」\n]+)」|『([^』\n]+)』|`([^`\n]+)`|"
    r"‘([^’\n]+)’|(?<![\w'])'([^'\n]*(?:'\w[^'\n]*)*)'(?!\w)"  # noqa: RUF001 - typographic quotes
)
_NAME_WORD: Final = r"(?:[^\W\d_a-z][\w'’&-]*(?:\.[\w-]+)*|[A-Z]\.|[^\W\d_]*[A-Z\d][\w.-]*\w)"  # noqa: RUF001
_NAME: Final = re.compile(
    rf"(?<![\w.@/])(?=\S{{0,40}}[^\W\d_a-z]){_NAME_WORD}(?:[ ](?:{_NAME_WORD}|"
    rf"\d+\w*(?![.\w])|(?:of|de|la|van|von|the|del|di|da|al|bin)"
    rf"(?= {_NAME_WORD})))*(?:,\s(?:[A-Z]{{2}}|UK|USA)\b)?"
)
EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
URL: Final = re.compile(r"\b(?:https?|ftp|s3|file)://[^\s\"'<>)\]]+[^\s\"'<>)\].,;:!?]")
PHONE: Final = re.compile(r"(?<!\w)\+?\(?\d{1,4}\)?(?:[ .-]\(?\d{2,4}\)?){2,4}(?!\w)")
TIME: Final = re.compile(
    r"\b(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?:\s?[ap]m)?\b|\b\d{1,2}\s?[ap]m\b", re.IGNORECASE
)
PATH: Final = re.compile(r"(?<![\w:/])(?:~|\.{1,2})?/[\w.@/-]+|\b[\w-]+(?:/[\w.-]+)*\.[a-z]{1,5}\b")
IDENTIFIER: Final = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|"
    r"\b[A-Za-z]{1,12}[-_#](?=[\w-]*\d)[\w-]{2,}\b|(?<=#)\d+\b|\b(?=\w*\d)(?=\w*[a-z])\w{8,}\b"
)
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sept sep",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH: Final = "|".join(_MONTHS)
_DATES: Final = (
    re.compile(r"\b(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})\b"),
    re.compile(
        rf"\b(?P<name>{_MONTH})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(?P<year>\d{{4}}))?\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<name>{_MONTH})\.?(?:,?\s+(?P<year>\d{{4}}))?\b",
        re.IGNORECASE,
    ),
    re.compile(r"\b(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})\b"),
    re.compile(r"\b(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})\b"),
)
DAY_WORD: Final = re.compile(
    r"\b(?:today|tomorrow|yesterday|tonight|(?:next |this |last )?(?:(?:mon|tues|wednes|thurs|fri|"
    r"satur|sun)day|week(?:end)?|month|year))\b",
    re.IGNORECASE,
)
_OBJECT: Final = re.compile(r" (?:a|an|the|me|us|my|our|your|this|these|those|all|every|each|it)\b")
"""What stands behind a verb that opens a request, as in `Plan an instance`, and behind no name."""
_PARTICLE: Final = re.compile(r"[的是在有了吗呢はがのを]|怎么|什么|多少|今天|明天")
"""What ends a name in scripts that write no spaces."""
_MOST_DATES: Final = 200
"""Dates that are looked for in a text."""
_MOST_DIGITS: Final = 200
"""Characters of a number; a longer one is no quantity, and may not fit a float."""
_FRACTIONS_END: Final = 1000
"""Numbers above it are whole by intention, even when written as `1.5k`."""
DEFAULT_YEAR: Final = 2026
"""Year of a date that a text gives without one: the emulator's own choice."""


@dataclass(frozen=True, slots=True)
class Span:
    """A mention: its text as written and where it stands."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class NumberSpan:
    """A number in a text, with the currency sign or percent sign at it.

    `is_scaled` tells that it was written with its magnitude, as in `70 billion` or `1.2k`.
    """

    value: float
    start: int
    end: int
    sign: str = ""
    is_scaled: bool = False


def numbers(text: str) -> list[NumberSpan]:
    """The numbers of a text, in digits or in words, in order."""
    every: list[NumberSpan] = []
    for match in _NUMBER.finditer(text):
        if (every and match.start() < every[-1].end) or match.end() - match.start() > _MOST_DIGITS:
            continue
        every.append(_number(text, match))
    return every


def _number(text: str, match: re.Match[str]) -> NumberSpan:
    if match["words"]:
        value = _spelled(match["words"].lower())
        is_scaled = any(scale in match["words"].lower() for scale in _SCALES)
        return NumberSpan(value, match.start(), match.end(), is_scaled=is_scaled)
    digits = match["digits"].replace(",", "").replace("−", "-")  # noqa: RUF001 - the minus sign
    start = match.start()
    if digits.startswith("-") and re.search(r"[\d)]\s*$|\w$", text[: match.start("digits")]):
        digits = digits[1:]
        start += 1
    value = float(digits) if "." in digits else int(digits)
    if match["suffix"]:
        value *= _SUFFIXES[match["suffix"].lower()]
    end = match.end()
    if scale := _SCALED.match(text[end:]):
        value *= _SCALES[scale[1].lower()]
        end += scale.end()
    sign = (match["currency"] or match["percent"] or "").strip()
    is_scaled = match["suffix"] is not None or scale is not None
    return NumberSpan(_plain(value), start, end, sign, is_scaled)


def _spelled(text: str) -> float:
    if text in _UNITS or text in _ARTICLES:
        return _UNITS.get(text, 1)
    total: float = 0
    for word in re.split(r"[ -]", text):
        if word in _SCALES:
            total = max(total, 1) * _SCALES[word]
        else:
            total += _UNITS.get(word, _TENS.get(word, 0))
    return total


def _plain(value: float) -> float:
    """A scaled number such as `1.2k` as an integer, if it is whole."""
    return int(value) if value > _FRACTIONS_END and float(value).is_integer() else value


def quotations(text: str) -> list[Span]:
    """The quoted parts of a text, without their quotation marks."""
    return [
        Span(found, match.start(), match.end())
        for match in _QUOTED.finditer(text)
        if (found := next((group for group in match.groups() if group), "").strip())
    ]


def names(text: str) -> list[Span]:
    """Runs of capitalised words that name something particular.

    A single word that opens a sentence counts only if it is no common word.
    """
    return [span for match in _NAME.finditer(text) if (span := _name(text, match))]


def _name(text: str, match: re.Match[str]) -> Span | None:
    found, start = match[0], match.start()
    opens = start == 0 or bool(re.search(r"(?:[.!?:;]|\n|^)[\s\"'*>-]*$", text[:start]))
    first, _, rest = found.partition(" ")
    while (
        first.lower().strip("'’") in STOP_WORDS  # noqa: RUF001 - the typographic apostrophe
        or first.isdigit()
        or (opens and rest and _is_verb_like(first))
    ):
        if not rest:
            return None
        start += len(first) + 1
        found, opens = rest, False
        first, _, rest = found.partition(" ")
    if opens and not rest and (_is_verb_like(found) or _OBJECT.match(text, start + len(found))):
        return None
    if _is_unspaced(found[0]):
        found = _PARTICLE.split(found)[0]
    found = found.rstrip(".,;:'’-")  # noqa: RUF001 - the typographic apostrophe
    if not any(character.isupper() or _is_unspaced(character) for character in found):
        return None
    return Span(found, start, start + len(found))


def _is_unspaced(character: str) -> bool:
    return ord(character) >= 0x2E80  # noqa: PLR2004 - where the East Asian scripts begin


def _is_verb_like(word: str) -> bool:
    return word.lower() in _OPENING_VERBS


_OPENING_VERBS: Final = frozenset(
    """
        add answer apply ask book build buy calculate call can cancel change check choose classify
        compare compute convert could count create delete deploy describe destroy do draw email
        evaluate explain extract fetch fill find first forecast format generate get give go hello
        help hey hi how i increase launch let list look lookup make mark message move multiply name
        next note now open order pick play please post print provide put query question read record
        register remember remind remove rename rent reply report reserve return run save say
        schedule search select send set should show start stop subtract sum summarize summarise take
        tell terminate text then translate turn update use using wait want weather what when where
        which who why will with would write yes no ok okay thanks also and but if in on at for the
        this that these those it its he she they we you my your our their user customer
        """.split()  # noqa: SIM905 - words read best as words
)


def is_calendar_word(text: str) -> bool:
    """Whether a text is a day or a month, as `Friday` or `March 3rd`."""
    return text.lower().split()[0] in _MONTHS or DAY_WORD.fullmatch(text) is not None


def dates(text: str) -> list[Span]:
    """Calendar dates of a text, each written as `YYYY-MM-DD`."""
    found: list[Span] = []
    for pattern in _DATES:
        for match in pattern.finditer(text):
            if len(found) == _MOST_DATES:
                break
            iso = _iso(match.groupdict())
            overlaps = any(match.start() < old.end and old.start < match.end() for old in found)
            if iso and not overlaps:
                found.append(Span(iso, match.start(), match.end()))
    return sorted(found, key=lambda span: span.start)


def _iso(parts: dict[str, str | None]) -> str:
    month = _MONTHS[name.lower()] if (name := parts.get("name")) else int(parts.get("month") or 0)
    day, year = int(parts.get("day") or 0), int(parts.get("year") or DEFAULT_YEAR)
    if not (1 <= month <= 12 and 1 <= day <= 31):  # noqa: PLR2004 - a calendar
        return ""
    return f"{year:04d}-{month:02d}-{day:02d}"


def listed(text: str) -> list[str]:
    """The parts of an enumeration such as `red, green and blue`."""
    parts = re.split(r"\s*,\s*(?:(?:and|or)\s+)?|\s+(?:and|or|&)\s+|\s*;\s*|\s*\n\s*", text)
    return [part.strip(" .\"'\u201c\u201d\u2018\u2019`") for part in parts if part.strip(" .\"'`")]


_ENUMERATION: Final = re.compile(
    r"(?P<list>[\w'\u2019-]+(?: [\w'\u2019-]+)?(?:, [\w'\u2019-]+(?: "
    r"[\w'\u2019-]+)?)*,? (?:and|or|&) [\w'\u2019-]+(?: [\w'\u2019-]+)?)"
)


def enumeration(text: str) -> list[str]:
    """The parts of the longest enumeration in a text, or none."""
    found = [listed(match["list"]) for match in _ENUMERATION.finditer(text)]
    return max(found, key=len, default=[])


def found(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    """The matches of a pattern as spans."""
    return (Span(match[0], match.start(), match.end()) for match in pattern.finditer(text))
