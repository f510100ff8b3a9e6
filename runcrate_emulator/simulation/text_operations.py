"""Requests that need no knowledge but only work on letters, words and numbers that are given."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from runcrate_emulator.simulation import spans
from runcrate_emulator.simulation.languages import language_of
from runcrate_emulator.simulation.measures import converted, measure_of
from runcrate_emulator.simulation.words import words

_LONGEST: Final = 2000
"""Characters up to which a request may be such a task; a longer text is material."""
_CASE: Final = re.compile(
    r"\b(?:convert|put|write|change|turn|transform|make|rewrite)?\b.{0,40}?"
    r"\b(?:(?:in|to|into)\s+)?(?P<how>upper|lower|title)[ -]?case(?:d)?\b(?P<after>.*)$",
    re.IGNORECASE | re.DOTALL,
)
_REVERSE: Final = re.compile(
    r"^\W*(?:please |can you |could you )*reverse (?:the )?"
    r"(?:(?:string|word|text|letters|characters|sentence)\b)?(?: of| in)?(?P<after>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_SORT: Final = re.compile(
    r"\b(?:sort|order|arrange)\b(?P<how>[^:\n]*):\s*(?P<after>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_DOWN: Final = re.compile(
    r"\b(?:descending|decreasing|reverse|(?:largest|highest|biggest) (?:to|first))\b", re.IGNORECASE
)
_COUNT: Final = re.compile(
    r"\bhow many (?P<unit>letters?|characters?|words?|vowels?|"
    r"(?P<letter>\"\w\"|'\w'|\b\w)(?:'?s)?) (?:are |does |do |is )?(?:there )?(?:are )?"
    r"(?:in |has )?(?:the )?(?:following )?(?:word|string|text|sentence|phrase|name)?"
    r"(?P<after>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_LEAD: Final = re.compile(r"^\s*(?::|in\b|of\b|the (?:word|text|string)\b)*\s*", re.IGNORECASE)
_COMPARED: Final = re.compile(
    r"\bwhich (?:number )?(?:one )?is (?P<how>larger|bigger|greater|higher|smaller|lower|less)\b",
    re.IGNORECASE,
)
_CONVERT: Final = re.compile(
    r"\b(?:convert|change|how much is|what is)\s+(?P<n>\d{1,15}(?:\.\d{1,9})?)\s?"
    r"(?P<source>[a-z]+)\s+(?:to|into|in)\s+(?P<target>[a-z]+)\b",
    re.IGNORECASE,
)
_HOW_MANY_IN: Final = re.compile(
    r"\bhow many (?P<target>[a-z]+) (?:are |is )?(?:there )?(?:in|make) "
    r"(?P<n>\d{1,15}(?:\.\d{1,9})?)\s?(?P<source>[a-z]+)\b",
    re.IGNORECASE,
)
_LANGUAGE: Final = re.compile(
    r"\b(?:what|which) language\b|\b(?:detect|identify|name|label|determine) the language\b",
    re.IGNORECASE,
)
_PROPERTY: Final = re.compile(
    r"\bis (?P<n>-?\d+)(?: an?)? (?P<what>prime|even|odd)\b|"
    r"(?:\bis )?(?<![\d.])(?P<left>-?\d+(?:\.\d+)?) (?:is )?"
    r"(?P<how>divisible by|greater than|larger than|bigger than|more than|less than|smaller than|"
    r"equal to) (?P<right>-?\d+(?:\.\d+)?)",
    re.IGNORECASE,
)
_LARGEST_TESTED: Final = 10**8
_LONGEST_PROPERTY: Final = 200
"""Characters of a question about a number; larger numbers do not fit a float."""
_CASES: Final[Mapping[str, Callable[[str], str]]] = {
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
}


def operated(text: str) -> str | None:
    """The outcome of a task on the letters, words or numbers in a request, else `None`."""
    if len(text) > _LONGEST:
        return None
    for operation in (_cased, _reversed, _sorted, _counted, _compared, _converted, _language):
        if outcome := operation(text):
            return outcome
    holds = truth_of(text)
    return None if holds is None else ("Yes." if holds else "No.")


def truth_of(text: str) -> bool | None:
    """Whether what a question says of a number is true, as `Is 7 a prime number?`, else `None`."""
    match = _PROPERTY.search(text)
    if match is None or len(match[0]) > _LONGEST_PROPERTY:
        return None
    if match["what"]:
        number = int(match["n"])
        if match["what"].lower() == "prime":
            return _is_prime(number) if number <= _LARGEST_TESTED else None
        return number % 2 == (match["what"].lower() == "odd")
    left, right = float(match["left"]), float(match["right"])
    how = match["how"].lower()
    if how == "divisible by":
        return right != 0 and left % right == 0
    if how == "equal to":
        return left == right
    return left < right if how in {"less than", "smaller than"} else left > right


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % one for one in range(2, int(number**0.5) + 1))


def _given(text: str) -> str:
    """The text that a task is about: what is quoted, or what stands behind the colon."""
    quoted = spans.quotations(text)
    if quoted:
        return quoted[0].text
    return _LEAD.sub("", text).strip().rstrip("?")


def _cased(text: str) -> str | None:
    match = _CASE.search(text)
    if match is None:
        return None
    quoted = spans.quotations(text)
    if not quoted and ":" not in match["after"]:
        return None
    given = quoted[0].text if quoted else match["after"].partition(":")[2].strip()
    return _CASES[match["how"].lower()](given) or None


def _reversed(text: str) -> str | None:
    match = _REVERSE.match(text)
    return _given(match["after"])[::-1] if match else None


def _sorted(text: str) -> str | None:
    match = _SORT.search(text)
    if match is None:
        return None
    parts = spans.listed(match["after"])
    if len(parts) < 2:  # noqa: PLR2004 - one thing is sorted already
        return None
    found = [spans.numbers(part) for part in parts]
    down = _DOWN.search(match["how"]) is not None
    if all(len(one) == 1 for one in found):
        keyed = sorted(zip(found, parts, strict=True), key=lambda one: one[0][0].value)
        parts = [part for _, part in keyed]
    else:
        parts = sorted(parts, key=str.casefold)
    return ", ".join(reversed(parts) if down else parts)


def _counted(text: str) -> str | None:
    match = _COUNT.search(text)
    if match is None:
        return None
    given, unit = _given(match["after"]), match["unit"].lower()
    if not given:
        return None
    if match["letter"]:
        letter = match["letter"].strip("\"'").lower()
        return str(given.lower().count(letter))
    if unit.startswith("word"):
        return str(len(words(given)))
    if unit.startswith("vowel"):
        return str(sum(character in "aeiou" for character in given.lower()))
    counted = [c for c in given if c.isalpha()] if unit.startswith("letter") else given
    return str(len(counted))


def _converted(text: str) -> str | None:
    """A quantity in another unit: `Convert 5 km to miles`, `How many minutes are in 3 hours?`."""
    match = _CONVERT.search(text) or _HOW_MANY_IN.search(text)
    if match is None:
        return None
    source, target = measure_of(match["source"]), measure_of(match["target"])
    if source is None or target is None or source.dimension != target.dimension:
        return None
    if source.dimension in {"degree", "money"}:  # no mere factor lies between these
        return None
    value = converted(float(match["n"]), source, target)
    return f"{match['n']} {match['source']} = {value:.6g} {match['target']}"


def _language(text: str) -> str | None:
    match = _LANGUAGE.search(text)
    quoted = spans.quotations(text)
    if match is None or not (quoted or ":" in text):
        return None
    return language_of(quoted[0].text if quoted else text.partition(":")[2])


def _compared(text: str) -> str | None:
    match = _COMPARED.search(text)
    found = spans.numbers(text[match.end() :]) if match else []
    if match is None or len(found) < 2:  # noqa: PLR2004 - two things are compared
        return None
    least = match["how"].lower() in {"smaller", "lower", "less"}
    chosen = (min if least else max)(found, key=lambda one: one.value)
    return text[match.end() :][chosen.start : chosen.end].strip()
