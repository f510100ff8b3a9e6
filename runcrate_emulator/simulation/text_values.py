"""Texts for a slot, found in what people write: `named X`, `in Paris`, `"quoted"`."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from runcrate_emulator.simulation import spans
from runcrate_emulator.simulation.arithmetic import expressions
from runcrate_emulator.simulation.slots import Kind, Slot
from runcrate_emulator.simulation.spans import Span
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
LANGUAGES: Final = """
    English French German Spanish Italian Portuguese Dutch Swedish Norwegian Danish Finnish Polish
    Czech Russian Ukrainian Greek Turkish Arabic Hebrew Hindi Bengali Chinese Mandarin Japanese
    Korean Vietnamese Thai Indonesian Latin Romanian Hungarian Catalan Swahili Persian Urdu Tamil
    """.split()  # noqa: SIM905 - words read best as words

_LANGUAGE: Final = re.compile(rf"\b(?:{'|'.join(LANGUAGES)})\b", re.IGNORECASE)
_CURRENCIES: Final[Mapping[str, str]] = {
    "dollar": "USD",
    "dollars": "USD",
    "euro": "EUR",
    "euros": "EUR",
    "pound": "GBP",
    "pounds": "GBP",
    "yen": "JPY",
    "$": "USD",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
}
_CURRENCY: Final = re.compile(
    r"\b(?:USD|EUR|GBP|JPY|CHF|CAD|AUD|CNY|INR|BRL|MXN|SEK|NOK|DKK|PLN|BTC|ETH)\b|"
    r"\b(?:dollars?|euros?|pounds?|yen)\b|[$€£¥]",
    re.IGNORECASE,
)
_PLACE: Final = re.compile(
    r"\b(?:in|for|at|near|around|visit(?:ing)?|of|to|from|à|en|nach|für|aus)\s+(?!the\b|a\b|an\b|my\b|me\b|it\b|this\b)"
    r"(?P<bare>[^\W\d_][\w'’.-]*(?:\s[^\W\d_][\w'’.-]*){0,2}?)"  # noqa: RUF001 - the apostrophe
    r"(?=\s*(?:$|[?!,;)\n]|\.(?:\s|$)|\s(?:and|or|today|tomorrow|tonight|now|right|this|next|on|with|"
    r"using|in|is|like|please|then|please)\b))"
)
_SEARCH: Final = re.compile(
    r"\b(?:search|look|browse|google|query|research|check|consult|ask|use|find out|find)\b"
    r"(?:\s+(?:the|for|up|on|in|about|web|internet|online|docs|documentation|database|tool|"
    r"knowledge base|information|info|what|with|a|to find|to look up)\b)*\s+(?P<bare>.+?)[.?!]*$",
    re.IGNORECASE | re.DOTALL,
)
_SAYING: Final = re.compile(
    r"(?:\bsaying(?: that)?|\bthat says|\bwith the (?:text|"
    r"message|body|content)|\btelling \w+ that|"
    r"\bto say|\bremind(?: me)?(?: to)?|:\s|\btell \w+ that|\bthat)\s+(?P<bare>[^\n]+?)[.?!]*$",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(
    rf"\b(?:named|called|titled|entitled|name it|call it)\s+{_VALUE}", re.IGNORECASE
)
_ADDRESSEES: Final = frozenset({"to", "cc", "bcc", "recipient", "recipients", "addressee"})
_MAIL: Final = re.compile(r"(?:\b|_)e?-?mail", re.IGNORECASE)
_SHAPES: Final[Mapping[Kind, re.Pattern[str]]] = {"email": spans.EMAIL, "url": spans.URL}
_RATIO: Final = re.compile(r"(?<![\d:])\d{1,2}:\d{1,2}(?![\d:])")
_SQL: Final = re.compile(
    r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|CREATE TABLE|DROP TABLE|ALTER TABLE)\b\s.+",
    re.DOTALL,
)
_STREET: Final = re.compile(
    r"\b\d{1,5}[a-z]?\s+(?:[A-Z][\w.'-]*\s+){1,3}?(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|"
    r"Boulevard|Blvd|Way|Square|Place|Court)\b"
)
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
        ("fitting", _of_kind(slot.kind, text)),
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
    for span in _of_kind("query", text):
        yield Candidate(span.text, span.start, span.end, "guessed")


def mentioned(slot: Slot, text: str) -> Iterator[Candidate]:
    """The quotations and names of a text."""
    for span in (*spans.quotations(text), *spans.names(text)):
        yield Candidate(_without_own_words(slot, span.text), span.start, span.end, "guessed")


def _stated(slot: Slot, text: str) -> Iterator[Span]:
    if _ADDRESSEES & set(slot.words) and _MAIL.search(slot.owner):
        yield from spans.found(spans.EMAIL, text)
    if "ratio" in slot.words:
        yield from spans.found(_RATIO, text)
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
        for match in _NAMED.finditer(text):
            if span := _value(match):
                yield span


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
        yield from (one for one in _of_kind(kind, text) if span.start <= one.start < span.end)


def _without_own_words(slot: Slot, text: str) -> str:
    """A value without the slot's own noun at its edges: `H100` for the `gpu_type` `H100 GPUs`."""
    parts = text.split()
    while len(parts) > 1 and stem(parts[-1]) in slot.stems:
        parts.pop()
    while len(parts) > 1 and stem(parts[0]) in slot.stems and parts[0].islower():
        parts.pop(0)
    return " ".join(parts) if len(parts) < len(text.split()) else text


def _of_kind(kind: Kind, text: str) -> Iterator[Span]:
    finder = _FINDERS.get(kind)
    return finder(text) if finder else iter(())


def _dates(text: str) -> Iterator[Span]:
    yield from spans.dates(text)
    yield from spans.found(spans.DAY_WORD, text)


def _places(text: str) -> Iterator[Span]:
    yield from spans.found(_STREET, text)
    mentioned = spans.names(text)
    after = [m.start("bare") for m in _PLACE.finditer(text)]
    yield from (span for span in mentioned if span.start in after)
    if not any(span.start in after for span in mentioned):
        for match in _PLACE.finditer(text):
            words = match["bare"].split()
            if words[0].lower() not in STOP_WORDS:
                yield Span(match["bare"], match.start("bare"), match.end("bare"))
    yield from (span for span in mentioned if span.start not in after)


def _currencies(text: str) -> Iterator[Span]:
    for span in spans.found(_CURRENCY, text):
        yield Span(_CURRENCIES.get(span.text.lower(), span.text.upper()), span.start, span.end)


def _expressions(text: str) -> Iterator[Span]:
    for expression in expressions(text):
        yield Span(expression.text, 0, len(text))


def _code(text: str) -> Iterator[Span]:
    for match in re.finditer(r"```\w*\n(.*?)```|`([^`]+)`", text, re.DOTALL):
        yield Span((match[1] or match[2]).strip(), match.start(), match.end())


def _queries(text: str) -> Iterator[Span]:
    yield from spans.found(_SQL, text)
    yield from spans.quotations(text)
    if match := _SEARCH.search(text):
        yield Span(match["bare"].strip(), match.start("bare"), match.end("bare"))
    whole = text.strip()
    if whole:
        yield Span(whole, 0, len(text))


def _messages(text: str) -> Iterator[Span]:
    yield from spans.quotations(text)
    if match := _SAYING.search(text):
        yield Span(match["bare"].strip(), match.start("bare"), match.end("bare"))


def _titles(text: str) -> Iterator[Span]:
    yield from _messages(text)
    for match in _DATED_WORK.finditer(text):
        yield Span(match["bare"], match.start("bare"), match.end("bare"))


_DATED_WORK: Final = re.compile(
    r"(?:^|(?<=[.:,]\s))(?P<bare>[A-Z][\w'’:& -]{1,80}?)\s*\((?:1[5-9]|20)\d\d\)"  # noqa: RUF001 - the apostrophe
)
"""A work as it is usually cited: its title and its year."""
_OCCUPATION: Final = re.compile(
    r"\b(?:works?|working|worked|employed|serves?|"
    r"job)\s+(?:is\s+)?(?:as\s+)?(?:an?|the)\s+(?P<job>[a-z][\w -]*?)"
    r"(?=\s*(?:$|[.,;!?)\n]|\s(?:at|in|for|from|and|who|with|of)\b))|"
    r"\b(?:is|was|am)\s+(?:an?|the)\s+(?P<being>[a-z][\w -]*?)"
    r"(?=\s*(?:$|[.,;!?)\n]|\s(?:at|in|for|from|and|who|with|by|of)\b))"
)


def _occupations(text: str) -> Iterator[Span]:
    for match in _OCCUPATION.finditer(text):
        group = "job" if match["job"] else "being"
        yield Span(match[group], match.start(group), match.end(group))


_AT_A_PLACE: Final = re.compile(r"\b(?:in|at|near|from)\s+$")


def _people(text: str) -> Iterator[Span]:
    named = [
        span
        for span in spans.names(text)
        if not spans.is_calendar_word(span.text) and not _AT_A_PLACE.search(text[: span.start])
    ]
    first = re.compile(r"(?:\bname is|\bnamed|\bcalled|\bfor|\bto|\bwith|\bby|\bI am|\bI'm)\s*$")
    yield from (span for span in named if first.search(text[: span.start]))
    yield from named


def _organisations(text: str) -> Iterator[Span]:
    named = spans.names(text)
    first = re.compile(r"(?:\bat|\bfor|\bby|\bcompany|\bof|\bjoined|\bfounded)\s*$", re.IGNORECASE)
    yield from (span for span in named if first.search(text[: span.start]))
    yield from (
        span
        for span in named
        if re.search(r"\b(?:Inc|Corp|Ltd|LLC|GmbH|Company|Group|University|Bank)\b", span.text)
    )


def _identifiers(text: str) -> Iterator[Span]:
    return spans.found(spans.IDENTIFIER, text)


_FINDERS: Final[Mapping[Kind, Callable[[str], Iterator[Span]]]] = {
    "email": lambda text: spans.found(spans.EMAIL, text),
    "url": lambda text: spans.found(spans.URL, text),
    "phone": lambda text: spans.found(spans.PHONE, text),
    "time": lambda text: spans.found(spans.TIME, text),
    "path": lambda text: spans.found(spans.PATH, text),
    "language": lambda text: spans.found(_LANGUAGE, text),
    "date": _dates,
    "place": _places,
    "currency": _currencies,
    "expression": _expressions,
    "code": _code,
    "query": _queries,
    "question": _queries,
    "message": _messages,
    "title": _titles,
    "person": _people,
    "occupation": _occupations,
    "organisation": _organisations,
    "name": lambda text: iter(spans.names(text)),
    "id": _identifiers,
}
