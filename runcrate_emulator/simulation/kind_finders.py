"""What a text mentions of each kind: places, people, dates, messages, queries."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from runcrate_emulator.simulation import spans
from runcrate_emulator.simulation.arithmetic import expressions
from runcrate_emulator.simulation.slots import Kind
from runcrate_emulator.simulation.spans import Span
from runcrate_emulator.simulation.words import STOP_WORDS

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
    r"\bto say|\bremind(?: me)?(?: to)?|:(?=\s)|\btell \w+ that|\bthat)\s+(?P<bare>[^\n]+?)[.?!]*$",
    re.IGNORECASE,
)
_SQL: Final = re.compile(
    r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|CREATE TABLE|DROP TABLE|ALTER TABLE)\b\s.+",
    re.DOTALL,
)
_STREET: Final = re.compile(
    r"\b\d{1,5}[a-z]?\s+(?:[A-Z][\w.'-]*\s+){1,3}?(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|"
    r"Boulevard|Blvd|Way|Square|Place|Court)\b"
)


def of_kind(kind: Kind, text: str) -> Iterator[Span]:
    """What a text mentions of a kind, the likeliest first; nothing for kinds without a form."""
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


_ALOUD: Final = re.compile(
    r"\b(?:say|speak|read|narrate|pronounce|recite|announce)\b(?:\s+out)?\s+"
    r"(?P<bare>(?!(?:this|that|it|the following)\b)\S.*?)\s+(?:aloud|out loud)\b",
    re.IGNORECASE,
)


def _messages(text: str) -> Iterator[Span]:
    yield from spans.quotations(text)
    if match := _ALOUD.search(text):
        yield Span(match["bare"], match.start("bare"), match.end("bare"))
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


def _files(text: str) -> Iterator[Span]:
    yield from spans.found(spans.URL, text)
    yield from spans.found(spans.PATH, text)


_FILE_ENDING: Final = re.compile(r"\.[a-z]{2,4}\d?\b")


def _identifiers(text: str) -> Iterator[Span]:
    found = spans.found(spans.IDENTIFIER, text)
    return (one for one in found if not _FILE_ENDING.match(text, one.end))


_FINDERS: Final[Mapping[Kind, Callable[[str], Iterator[Span]]]] = {
    "email": lambda text: spans.found(spans.EMAIL, text),
    "url": lambda text: spans.found(spans.URL, text),
    "phone": lambda text: spans.found(spans.PHONE, text),
    "time": lambda text: spans.found(spans.TIME, text),
    "path": lambda text: spans.found(spans.PATH, text),
    "file": _files,
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
