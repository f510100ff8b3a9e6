"""How well passages fit a question: overlap of rare words, and the kind of thing asked for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runcrate_emulator.simulation.passages import Passage
from runcrate_emulator.simulation.thesaurus import alike
from runcrate_emulator.simulation.words import (
    COMMON_STEMS,
    is_name_like,
    rarity,
    stem,
    stem_set,
    weight,
    words,
)

GOOD_ENOUGH: Final = 0.34
"""Share of a question's weight that a passage must hold to count as an answer."""

PRONOUN: Final = re.compile(r"^(?:It|They|He|She|This|These|That|Those|Its|Their|His|Her)\b")
"""The beginning of a sentence that speaks of what the one before is about."""

_REFERS: Final = re.compile(
    rf"{PRONOUN.pattern}|^(?:\w+ ){{1,3}}(?:he|she|they|it)\b", re.IGNORECASE
)
"""The same, or with a few words before the pronoun: `In 1995 he …`."""
_SUBJECT_WORDS: Final = 8
"""Words at the beginning of a sentence in which its subject stands."""
_SYNONYM_SHARE: Final = 0.6
_HEADING_SHARE: Final = 0.5
_KIND_BONUS: Final = 0.12
_FOREIGN_NAME_FACTOR: Final = 0.5
"""A passage counts half if no passage at all speaks of the thing named in the question."""
_OTHER_NAME_FACTOR: Final = 0.75
"""The same, if another passage speaks of it."""
_COMMON_SHARE: Final = 0.6

_USUAL_WORDS: Final = 45
_LENGTH_POWER: Final = 0.3
_CODE_FACTOR: Final = 0.7
_WANTS_CODE: Final = re.compile(
    r"\b(?:code|commands?|examples?|snippets?|install|run|call|import|how (?:do|can|to)|syntax|"
    r"layout|folders?|files?)\b",
    re.IGNORECASE,
)
_DATE: Final = r"\b(?:1[5-9]|20)\d\d\b|\b\d{1,2}[:/.]\d\d\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|today|tomorrow|yesterday)\b"  # noqa: E501
_KINDS: Final = (
    (
        re.compile(r"\b(when|what (?:date|year|day|time|month))\b", re.IGNORECASE),
        re.compile(_DATE, re.IGNORECASE),
    ),
    (
        re.compile(
            r"\bhow (?:much|many|long|often|far|old|big|large|tall|fast|high)\b", re.IGNORECASE
        ),
        re.compile(
            r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|never|always|once|twice)\b",
            re.IGNORECASE,
        ),
    ),
    (
        re.compile(r"\b(?:price|cost|pay|charged?|expensive|cheap)", re.IGNORECASE),
        re.compile(r"[$€£]\s?\d|\d\s?(?:usd|eur|dollars?|euros?|cents?|%)", re.IGNORECASE),
    ),
    (
        re.compile(r"\bwho\b", re.IGNORECASE),
        re.compile(r"\b[A-Z][a-z]+\s+[A-Z][a-z]+|\b[a-z]\w* by [A-Z]"),
    ),
    (
        re.compile(r"\bwhere\b", re.IGNORECASE),
        re.compile(r"\b(?:in|at|on|near|from|under|to) [`A-Z/~]"),
    ),
    (
        re.compile(r"\bwhy\b", re.IGNORECASE),
        re.compile(r"\b(?:because|since|so that|in order|due to)\b"),
    ),
    (
        re.compile(r"\bhow (?:do|can|to|does|should)\b", re.IGNORECASE),
        re.compile(r"`|\bby \w+ing\b|\buse"),
    ),
)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage and how well it fits: 1 holds every word of the question."""

    passage: Passage
    score: float
    matched: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ranking:
    """All passages, best first, with the weight of each stem of the question."""

    best: tuple[Ranked, ...]
    weights: Mapping[str, float]

    def share(self, matched: frozenset[str]) -> float:
        """The part of the question's weight that these stems carry."""
        total = sum(self.weights.values())
        return sum(self.weights.get(found, 0.0) for found in matched) / total if total else 0.0


def rank(question: str, candidates: Sequence[Passage]) -> Ranking:
    """Order passages by how well they answer a question."""
    asked = stem_set(question)
    bags = [stem_set(passage.text) for passage in candidates]
    above = [stem_set(passage.heading) for passage in candidates]
    seen_in = rarity([bag | heading for bag, heading in zip(bags, above, strict=True)])
    headings = [
        heading | meant for heading, meant in zip(above, _antecedents(candidates), strict=True)
    ]
    weights = {
        found: weight(seen_in[found], max(len(candidates), 1))
        * (_COMMON_SHARE if found in COMMON_STEMS else 1.0)
        for found in asked
    }
    total = sum(weights.values()) or 1.0
    names = names_in(question)
    known = frozenset().union(*bags, *headings) if bags else frozenset()
    wanted = [shape for cue, shape in _KINDS if cue.search(question)]
    ranked: list[Ranked] = []
    for passage, bag, heading in zip(candidates, bags, headings, strict=True):
        matched = asked & bag
        score = sum(weights[found] for found in matched)
        for missing in asked - bag:
            if missing in heading:
                score += _HEADING_SHARE * weights[missing]
            elif any(alike(missing, found) for found in bag):
                score += _SYNONYM_SHARE * weights[missing]
        score /= total
        if names and not names & (bag | heading):
            score *= _OTHER_NAME_FACTOR if names <= known else _FOREIGN_NAME_FACTOR
        score *= _length_factor(passage, question)
        if score and any(shape.search(passage.text) for shape in wanted):
            score += _KIND_BONUS
        ranked.append(Ranked(passage, score, matched | (asked & heading)))
    ranked.sort(key=lambda item: -item.score)
    return Ranking(tuple(ranked), weights)


def _antecedents(candidates: Sequence[Passage]) -> Iterator[frozenset[str]]:
    """For each passage the stems of what its `it` or `they` at the beginning means, if any."""
    meant: frozenset[str] = frozenset()
    before: Passage | None = None
    for passage in candidates:
        is_linked = before is not None and before.paragraph == passage.paragraph
        if before is not None and is_linked and _REFERS.match(passage.text):
            subject = stem_set(" ".join(words(before.text)[:_SUBJECT_WORDS]))
            meant = meant | subject  # empty unless the sentence before points back, too
        else:
            meant = frozenset()
        yield meant
        before = passage


def _length_factor(passage: Passage, question: str) -> float:
    """Less than 1 for long passages, which hold many words by chance, and for code."""
    share = _USUAL_WORDS / max(len(words(passage.text)), _USUAL_WORDS)
    factor: float = share**_LENGTH_POWER
    if passage.kind == "code" and not _WANTS_CODE.search(question):
        factor *= _CODE_FACTOR
    return factor


def names_in(question: str) -> frozenset[str]:
    """Stems of the particular things that a question names, its first word left aside."""
    return frozenset(
        stem(word)
        for place, word in enumerate(words(question))
        if is_name_like(word) and (place or any(map(str.isdigit, word))) and word != "I"
    )


def likeness(one: str, other: str) -> float:
    """Share of the topic words of `one` that `other` holds too, from 0 to 1."""
    wanted, held = stem_set(one), stem_set(other)
    if not wanted:
        return 0.0
    exact = len(wanted & held)
    near = sum(any(alike(word, found) for found in held) for word in wanted - held)
    return (exact + _SYNONYM_SHARE * near) / len(wanted)
