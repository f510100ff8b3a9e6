"""Numbered options in a text, and how well each fits a question."""

import re
from dataclasses import dataclass
from typing import Final

from runcrate_emulator.simulation.relevance import likeness

_OPTION: Final = re.compile(
    r"^[ \t]*(?:\((?P<round>\d{1,3})\)|\[(?P<square>\d{1,3})\]|(?P<dot>\d{1,3})[.):]|"
    r"(?:Document|Doc|Option|Choice|Passage|Source)\s+(?P<word>\d{1,3}))\s*:?[ \t]*",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Option:
    """A numbered option and how well it fits the question, from 0 to 1."""

    number: int
    text: str
    fit: float


def ranked_options(text: str, question: str) -> list[Option]:
    """The numbered options of a text, those that fit a question best first."""
    marks = list(_OPTION.finditer(text))
    ends = [*(mark.start() for mark in marks), len(text)][1:]
    found: list[Option] = []
    for mark, end in zip(marks, ends, strict=True):
        number = int(next(group for group in mark.groups() if group))
        body = text[mark.end() : end].strip()
        found.append(Option(number, body, likeness(question, body)))
    return sorted(found, key=lambda option: -option.fit)
