"""Texts for a slot, found in what people write: `named X`, `in Paris`, `"quoted"`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from runcrate_emulator.simulation import spans
from runcrate_emulator.simulation.kind_finders import of_kind
from runcrate_emulator.simulation.slots import Kind, Slot
from runcrate_emulator.simulation.spans import Span
from runcrate_emulator.simulation.subject import SIZE
from runcrate_emulator.simulation.words import STOP_WORDS, stem

Strength = Literal["stated", "fitting", "guessed"]

_VALUE: Final = (
    r"(?:\"(?P<q1>[^\"\n]+)\"|\u201c(?P<q2>[^\u201d\n]+)\u201d|'(?P<q3>[^'\n]+)'(?!\w)|`(?P<q4>[^`\n]+)`|"
    r"(?P<bare>[^\s,;:!?\"'\u201c()][^,;!?\n\"()]{0,60}?)"
    r"(?=\s*(?:$|[,;!?()\n\"]|\.(?:\s|$)|\s(?:and|or|with|for|in|at|to|on|from|by|who|which|that|"
    r"then|but|using|as|of|is|are|has|so|because|please|today|tomorrow|tonight|now)\b)))"
)
_CONNECTIVE: Final = r"\s*(?:=|:|\bis\b|\bare\b|\bwas\b|\bto\b|\bas\b|\bof\b|\bbe\b|\bnamed\b|\bcalled\b)\s*(?:be\s+)?"  # noqa: E501
_BEFORE_ROLE: Final[Mapping[str, str]] = {
    "from": "from origin source departure start begin sender base old",
    "to": "to destination target arrival end recipient receiver goal new into",
    "into": "to target into",
    "by": "author by creator director artist composer writer producer painter maker singer band",
    "about": "topic subject about theme",
    "on": "date day on topic",
    "at": "time at company employer organization venue",
    "with": "with attendees participants",
    "in": "in city location place country language region",
    "for": "for",
    "(?:in|of|from|to) (?:the|my|our)": "room building floor folder database table project list",
}
_NAMED: Final = re.compile(
    rf"\b(?:named|called|titled|entitled|name it|call it)\s+{_VALUE}", re.IGNORECASE
)
_ADDRESSEES: Final = frozenset({"to", "cc", "bcc", "recipient", "recipients", "addressee"})
_MAIL: Final = re.compile(r"(?:\b|_)e?-?mail", re.IGNORECASE)
_SHAPES: Final[Mapping[Kind, re.Pattern[str]]] = {"email": spans.EMAIL, "url": spans.URL}
_RATIO: Final = re.compile(r"(?<![\d:])\d{1,2}:\d{1,2}(?![\d:])")
_WRITTEN_SO: Final = (
    (frozenset({"ratio"}), _RATIO),
    (frozenset({"size", "resolution", "dimensions"}), SIZE),
)
"""Words of slots' names, and how texts write the values of such slots."""
_NEGLIGIBLE: Final = frozenset({"it", "them", "that", "this", "one", "there", "me", "us", "him"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that could fill a slot, where it stands, and how sure that is."""

    text: str
    start: int
    end: int
    strength: Strength


def candidates(slot: Slot, text: str) -> Iterator[Candidate]:
    """Texts for the slot, the surest first."""
    for strength, source in (
        ("stated", _stated(slot, text)),
        ("fitting", _by_role(slot, text)),
        ("fitting", of_kind(slot.kind, text)),
    ):
        for span in source:
            if strength == "stated" and not has_its_shape(slot.kind, span.text):
                continue
            found = _without_own_words(slot, span.text.strip(" \t\n\"'“”`"))
            if found and found.lower() not in _NEGLIGIBLE:
                yield Candidate(found, span.start, span.end, strength)  # type: ignore[arg-type]  # both are Strengths


def has_its_shape(kind: Kind, text: str) -> bool:
    """Whether a text can be of a kind that has a shape, as addresses have."""
    shape = _SHAPES.get(kind)
    return shape is None or shape.search(text) is not None


def guesses(slot: Slot, text: str) -> Iterator[Candidate]:
    """Texts that only stand there, for a slot that must be filled."""
    yield from mentioned(slot, text)
    for span in of_kind("query", text):
        yield Candidate(span.text, span.start, span.end, "guessed")


def mentioned(slot: Slot, text: str) -> Iterator[Candidate]:
    """The quotations and names of a text."""
    for span in (*spans.quotations(text), *spans.names(text)):
        yield Candidate(_without_own_words(slot, span.text), span.start, span.end, "guessed")


def _stated(slot: Slot, text: str) -> Iterator[Span]:
    if _ADDRESSEES & set(slot.words) and _MAIL.search(slot.owner):
        yield from spans.found(spans.EMAIL, text)
    for words_of_shape, shape in _WRITTEN_SO:
        if words_of_shape & set(slot.words):
            yield from spans.found(shape, text)
    for phrase in dict.fromkeys([slot.name, slot.phrase, *slot.words[-1:]]):
        if not phrase or (phrase in STOP_WORDS and phrase != slot.name):
            continue
        escaped = re.escape(phrase).replace(r"\ ", r"[ _-]")
        pattern = rf"(?<![\w]){escaped}(?![\w])[\"'`]?(?:{_CONNECTIVE}|\s+(?=[\"'“`])){_VALUE}"
        for match in re.finditer(pattern, text, re.IGNORECASE):
            if span := _value(match):
                yield span
        if phrase in STOP_WORDS:
            continue
        specific = rf"\b{escaped}\s+(?P<bare>(?=[\w.-]*[\d_-])[A-Za-z0-9][\w.-]*\w)"
        for match in re.finditer(specific, text):
            yield Span(match["bare"], match.start("bare"), match.end("bare"))
    if {"name", "title"} & set(slot.words):
        yield from filter(None, map(_value, _NAMED.finditer(text)))


def _value(match: re.Match[str]) -> Span | None:
    for group in ("q1", "q2", "q3", "q4", "bare"):
        found = match[group]
        if found and found.split()[0].lower() not in STOP_WORDS - {"may", "will"}:
            return Span(found, match.start(group), match.end(group))
        if found and group != "bare":
            return Span(found, match.start(group), match.end(group))
    return None


def _by_role(slot: Slot, text: str) -> Iterator[Span]:
    """Values after the preposition that the slot's name stands for: `from Paris to Rome`."""
    for preposition, meanings in _BEFORE_ROLE.items():
        if not set(slot.words) & set(meanings.split()):
            continue
        pattern = rf"\b{preposition}\s+(?:the (?:city|town) of\s+)?{_VALUE}"
        for match in re.finditer(pattern, text, re.IGNORECASE):
            span = _value(match)
            if span:
                yield from _narrowed(slot.kind, span, text)


def _narrowed(kind: Kind, span: Span, text: str) -> Iterator[Span]:
    """The mention of the right kind that begins where the preposition's object begins."""
    if kind == "other":
        yield span
    elif kind in {"place", "person", "organisation", "name"}:
        named = [one for one in spans.names(text) if span.start <= one.start < span.end]
        yield from named[:1] or ([span] if kind == "place" else [])
    else:
        yield from (one for one in of_kind(kind, text) if span.start <= one.start < span.end)


def _without_own_words(slot: Slot, text: str) -> str:
    """A value without the slot's own noun at its edges: `H100` for the `gpu_type` `H100 GPUs`."""
    parts = text.split()
    while len(parts) > 1 and stem(parts[-1]) in slot.stems:
        parts.pop()
    while len(parts) > 1 and stem(parts[0]) in slot.stems and parts[0].islower():
        parts.pop(0)
    return " ".join(parts) if len(parts) < len(text.split()) else text
