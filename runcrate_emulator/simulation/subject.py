"""What a request to make something is to show or to say: `a fox` in `Make a picture of a fox`."""

import re
from collections.abc import Iterable
from typing import Final

from runcrate_emulator.simulation.actions import action_of, verb_action
from runcrate_emulator.simulation.schema import types_of
from runcrate_emulator.simulation.slots import Slot
from runcrate_emulator.simulation.thesaurus import alike
from runcrate_emulator.simulation.words import (
    STOP_WORDS,
    identifier_words,
    stem,
    stem_set,
    words,
)

SIZE: Final = re.compile(
    r"(?<![\w.])(?P<width>\d{2,5})\s?[x\u00d7]\s?(?P<height>\d{2,5})(?:\s?(?:px|pixels?))?(?!\w)",
    re.IGNORECASE,
)
"""A size in pixels, as `512x768`: no product of two numbers."""
UPRIGHT: Final = re.compile(r"\b(?:portrait|vertical|upright|tall)\b", re.IGNORECASE)
LYING: Final = re.compile(r"\b(?:landscape|horizontal|wide ?screen|wide)\b", re.IGNORECASE)
AVOIDED: Final = re.compile(
    r"(?:[,(;]\s*|\bwith\s+)(?:but\s+)?(?:no|without(?: any)?|avoid(?:ing)?)\s+"
    r"(?P<bare>[^,;.()\n]{1,80}?)(?:\s+(?:in|on|to|at)\s+(?:it|them))?(?=\s*(?:[,;.)\n]|$))",
    re.IGNORECASE,
)
"""What is not to be there: `no text in it`."""
_MAIN_KINDS: Final = frozenset({"query", "message", "code", "question"})
"""Kinds of parameters that say what a call is about."""
_SEARCHES: Final = frozenset(map(stem, ("search", "find", "lookup", "query", "ask", "retrieve")))
_FORMAT: Final = re.compile(
    r"\s*,?\s*(?:\(\s*\)|\b(?:with|using|and)?\s*(?:the\s+|a\s+)?seed\s*(?:of|=|:)?\s*\d+|"
    r"\bin (?:a )?(?:portrait|landscape|square|vertical|horizontal|widescreen)(?: format|"
    r" orientation| mode)?\b|"
    r"\b(?:(?:of|for|lasting|that lasts|in)\s+)?(?:\d+|one|two|three|four|five|six|eight|ten)"
    r"[- ](?:seconds?|minutes?)(?: long)?\b)",
    re.IGNORECASE,
)
"""What is said of the form, which parameters of their own take."""
_SHOWING: Final = re.compile(
    r"(?:\b(?:of|showing|depicting|featuring|about|that shows|which shows|where)\b|:)\s+",
    re.IGNORECASE,
)
_FOR_SOMEBODY: Final = re.compile(r"^(?:(?:me|us|him|her|them)\b\s*)?", re.IGNORECASE)
_LONGEST_HEAD: Final = 12
"""Words within which a request says what is to be made."""


def makes(owner: str) -> bool:
    """Whether a tool makes something, judged by its name and its description's first verb."""
    name, _, told = owner.partition(" ")
    first = words(told)[:1]
    return (action_of(name) or (verb_action(first[0]) if first else None)) == "create"


def main_slot(owner: str, slots: Iterable[Slot]) -> Slot | None:
    """The optional parameter that says what a call is about, where no required one does.

    Schemas let such a parameter out that a second one may stand for, as the id of something begun
    earlier. Tools that list things take a text only to narrow the list down: none there.
    """
    every = list(slots)
    name = owner.partition(" ")[0]
    works = makes(owner) or action_of(name) in {"send", "compute", None}
    if not works and not _SEARCHES & {stem(word) for word in identifier_words(name)}:
        return None
    if any(slot.required for slot in every):
        return None
    return next((s for s in every if s.kind in _MAIN_KINDS and _is_textual(s)), None)


def _is_textual(slot: Slot) -> bool:
    names = {
        name for branch in slot.schema.get("anyOf", [slot.schema]) for name in types_of(branch)
    }
    return names <= {"string", "null"} and "enum" not in slot.schema


def subject(clause: str, owner: str) -> str:
    """What a thing to be made is to show; the clause itself if it says so in no other way, or "".

    Args:
        clause: The request's step, as `Make a picture of a fox, 512x512`.
        owner: Name and description of the tool that makes it.
    """
    plain = _FORMAT.sub("", SIZE.sub("", AVOIDED.sub("", clause))).strip(" ,.;!?")
    nouns = _stems_of(owner)
    head = words(plain)[:_LONGEST_HEAD]
    for shown in _SHOWING.finditer(plain):
        before = words(plain[: shown.start()])
        if len(before) <= _LONGEST_HEAD and _names(before[-_LONGEST_HEAD:], nouns):
            return _bare(plain[shown.end() :])
    if head and verb_action(head[0]) == "create" and _names(head[:1], _products(nouns)):
        rest = plain[plain.find(head[0]) + len(head[0]) :].strip()
        return _bare(_FOR_SOMEBODY.sub("", rest, count=1))
    left = [word for word in words(plain) if word.lower() not in STOP_WORDS]
    telling = [w for w in left if verb_action(w) is None and stem(w) not in nouns]
    return plain if telling else ""


def _stems_of(owner: str) -> frozenset[str]:
    return stem_set(owner.replace("_", " "))


def _products(nouns: frozenset[str]) -> frozenset[str]:
    """Without the verbs of making in general, which all of them share."""
    return frozenset(one for one in nouns if verb_action(one) is None)


def _names(said: list[str], nouns: frozenset[str]) -> bool:
    return any(
        alike(stem(word), noun)
        for word in said
        if word.lower() not in STOP_WORDS and verb_action(word) in {None, "create"}
        for noun in _products(nouns)
    )


def _bare(text: str) -> str:
    found = " ".join(text.split()).strip(" ,.;:!?")
    quoted = re.fullmatch(r"[\"'\u201c`](?P<inside>[^\"'\u201d`]+)[\"'\u201d`]", found)
    return quoted["inside"] if quoted else found
