"""Literals of a prompt and of tool results that may be meant for a field."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from runcrate_emulator.chat.json_schema import Json
from runcrate_emulator.stems import identifier_words, stem, words

_NUMBER: Final = re.compile(
    r"(?<![\w.])(-?\d[\d,]*(?:\.\d+)?)(?![\w-]*\d)(?:\s*(thousand|million|billion)\b)?"
)
_SCALES: Final = {"": 1, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_QUOTED: Final = re.compile(r"[\"“`]([^\"”`]+)[\"”`]|(?<!\w)'([^']+)'(?!\w)")
_LABELLED: Final = re.compile(r"(\w+):?\s+([\"'`])(.+?)\2(?!\w)")  # the prompt 'a fox'
_NAMED: Final = re.compile(r"\b(?:named|called)\s+[\"'`]?([\w.-]*\w)")
_EXAMPLES: Final = re.compile(r"such as ([^.;()]+)")
_PROPER: Final = re.compile(r"(?<=\s)[A-Z][\w-]*(?:,? [A-Z][\w-]*)*")
_MAX_TEXT: Final = 20_000  # characters in which literals are looked for
_REACH: Final = 80  # characters around a number that are looked at for it
_NEAR: Final = 2  # words after a number among which its unit is looked for


class Literals:
    """Texts and tool results, searched for values.

    Attributes:
        used: Values that a field has already; other fields prefer others.
    """

    def __init__(self, texts: Sequence[str], results: Sequence[str]) -> None:
        self._texts = list(dict.fromkeys(text[:_MAX_TEXT] for text in texts if text))
        self._known: list[dict[str, Json]] = []
        for result in reversed(results):
            with suppress(ValueError, RecursionError):
                self._known.append(dict(_members(json.loads(result))))
        self.used: set[Any] = set()

    def choices(self, options: Sequence[Json]) -> Iterator[Json]:
        """The options that a text names."""
        for text in self._texts:
            lowered = text.lower()
            for option in options:
                if isinstance(option, str) and re.search(
                    rf"(?<!\w){re.escape(option.lower())}(?!\w)", lowered
                ):
                    yield option

    def numbers(self, name: str, *, required: bool) -> Iterator[float]:
        """Numbers near a word of the field's name, then, for a required field, other ones."""
        unit = {stem(part) for part in identifier_words(name)}
        loose: list[float] = []
        for text in self._texts:
            for match in _NUMBER.finditer(text):
                value = float(match[1].replace(",", "")) * _SCALES[match[2] or ""]
                if not math.isfinite(value):
                    continue
                number = int(value) if value.is_integer() else value
                after = words(text[match.end() : match.end() + _REACH])[:_NEAR]
                before = words(text[max(match.start() - _REACH, 0) : match.start()])[-1:]
                is_near = unit & {stem(word) for word in (*after, *before)}
                if is_near and (required or number not in self.used):
                    yield number
                elif number not in self.used:
                    loose.append(number)
        if required:
            yield from self._from_results(name)
            yield from loose

    def strings(self, name: str, schema: Mapping[str, Any], *, required: bool) -> Iterator[Json]:
        """Texts like an example, a name, one after the field's name, or, if required, any other."""
        yield from self._like_examples(schema)
        if name == "name":
            yield from (found for text in self._texts for found in _NAMED.findall(text))
        last = stem((identifier_words(name) or [""])[-1])
        for text in self._texts:
            yield from (one[2] for one in _LABELLED.findall(text) if stem(one[0]) == last)
        if not required:
            return
        yield from self._from_results(name)
        quoted = [one or other for text in self._texts for one, other in _QUOTED.findall(text)]
        yield from (text for text in quoted if text not in self.used)
        proper = [found for text in self._texts for found in _PROPER.findall(text)]
        yield from (text for text in dict.fromkeys(proper) if text not in self.used)

    def _like_examples(self, schema: Mapping[str, Any]) -> Iterator[str]:
        """Words that look like the examples of a description: `such as A100, H100`."""
        listed = " ".join(_EXAMPLES.findall(schema.get("description", "")))
        shapes = {_shape(word) for word in listed.replace(",", " ").split()} - {"a", "Aa", "A"}
        for text in self._texts:
            yield from (w for w in re.findall(r"[\w-]*\w", text) if _shape(w) in shapes)

    def _from_results(self, name: str) -> Iterator[Json]:
        """Members of the latest tool results with this name, else with its last word."""
        last = identifier_words(name)[-1:] or [""]
        for key in (name, last[0].lower()):
            yield from (known[key] for known in self._known if key in known)


def _shape(word: str) -> str:
    return re.sub(r"\d+", "9", re.sub(r"[a-z]+", "a", re.sub(r"[A-Z]+", "A", word)))


def _members(value: Json) -> Iterator[tuple[str, Json]]:
    """The members of an object and of the first objects inside it; outer ones win."""
    if isinstance(value, list):
        yield from _members(value[0] if value else None)
    elif isinstance(value, dict):
        for inner in value.values():
            if isinstance(inner, (dict, list)):
                yield from _members(inner)
        yield from ((key, one) for key, one in value.items() if not isinstance(one, (dict, list)))
