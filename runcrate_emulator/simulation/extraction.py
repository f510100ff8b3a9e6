"""Answers taken word for word from the material of a prompt."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from runcrate_emulator.simulation import spans
from runcrate_emulator.simulation.condensing import completed
from runcrate_emulator.simulation.passages import Passage, passages, sentences, with_continuation
from runcrate_emulator.simulation.perspective import about_user, addressed, own_name
from runcrate_emulator.simulation.prompt import Prompt, is_question
from runcrate_emulator.simulation.relevance import (
    GOOD_ENOUGH,
    PRONOUN,
    Ranked,
    Ranking,
    names_in,
    rank,
)
from runcrate_emulator.simulation.words import stem_set

_MOST_PASSAGES: Final = 3
_ADDS_ENOUGH: Final = 0.2
"""Share of the question's weight that a further passage must add to be quoted too."""
_NEARLY_AS_GOOD: Final = 0.6
_NOT_AS_GOOD: Final = 0.45
_UNKNOWN_PHRASE: Final = re.compile(
    r"(?:say|answer|respond|reply|return|output|write)(?: with| that)?[: "
    r"]*[\"\u201c'](?P<phrase>[^\"\u201d\n]{3,120}?)[\"\u201d'](?![\w])",
    re.IGNORECASE,
)
_UNKNOWN_CASE: Final = re.compile(r"\b(?:if|when|unless|otherwise|in case)\b", re.IGNORECASE)
_CITES: Final = re.compile(
    r"\b(?:cit(?:e|es|ing|ation|ations)|sources? numbers?|reference numbers?|\[\d\]|footnotes?)",
    re.IGNORECASE,
)
_BRIEF: Final = re.compile(
    r"\b(?:one|a single) (?:word|number|name|term)\b|\bonly "
    r"(?:the|with the|return the|output the)\b|"
    r"\b(?:the|a) (?:number|name|word|date|year) (?:only|alone)\b|"
    r"\bno (?:explanation|other text|extra)|\bshort(?:est)? answer\b|\bjust the\b|\bexact answer\b",
    re.IGNORECASE,
)
_ASKS_NUMBER: Final = re.compile(
    r"\bhow (?:many|much|old|long|high|tall|far|big|large|fast|wide|deep|often)\b|"
    r"\b(?:number|price|cost|height|width|length|depth|weight|size|distance|age|population|speed|"
    r"temperature|amount|percentage)\b"
)
_PARTS: Final = re.compile(
    r"\?\s+|,?\s+and\s+(?=(?:who|what|when|where|why|how|which|is|are|does|do)\b)", re.IGNORECASE
)
DEFAULT_UNKNOWN: Final = "I don't know."


@dataclass(frozen=True, slots=True)
class Found:
    """An answer and what it rests on.

    Attributes:
        text: The answer.
        grounded: Whether the material holds it.
        score: How well the best passage fits, from 0 to about 1.
        sources: Numbers of the sources quoted.
    """

    text: str
    grounded: bool
    score: float = 0.0
    sources: tuple[str, ...] = ()


def find_answer(prompt: Prompt, question: str = "") -> Found:
    """Answer a prompt's question from its context, its facts and what the user told before."""
    asked = question or _resolved(prompt)
    every = _material(prompt)
    if not every or not asked:
        return Found(_unknown(prompt), grounded=False)
    pieces = [part for part in _PARTS.split(asked) if len(stem_set(part)) > 0]
    founds = [_find(part, every, prompt) for part in pieces] if len(pieces) > 1 else []
    if not founds or not any(found.grounded for found in founds):
        return _find(asked, every, prompt)
    grounded = [found for found in founds if found.grounded]
    texts = dict.fromkeys(found.text for found in grounded)
    sources = tuple(dict.fromkeys(source for found in grounded for source in found.sources))
    return Found(
        " ".join(texts), grounded=True, score=max(f.score for f in grounded), sources=sources
    )


def _resolved(prompt: Prompt) -> str:
    """The question, with its pronouns resolved from what was said before."""
    if not prompt.told:
        return prompt.question
    turns = [("user", text) for text in prompt.told]
    turns += [("assistant", text) for text in prompt.replied]
    return completed(prompt.question, turns)


def _find(asked: str, every: Sequence[Passage], prompt: Prompt) -> Found:
    ranking = rank(asked, every)
    best = ranking.best[0]
    if best.score < GOOD_ENOUGH:
        return Found(_unknown(prompt), grounded=False, score=best.score)
    chosen = [best] if _BRIEF.search(prompt.instructions) else _chosen(ranking)
    told = _without_repeats([_quoted(one.passage, every, prompt) for one in chosen])
    if len(chosen) == 1 and best.matched <= names_in(asked):
        told = f"{told} {_sequel(best.passage, every)}".strip()
    sources = tuple(dict.fromkeys(one.passage.source for one in chosen if one.passage.source))
    if _BRIEF.search(prompt.instructions) and (short := short_answer(asked, told)):
        told = short
    return Found(told, grounded=True, score=best.score, sources=sources)


def _material(prompt: Prompt) -> list[Passage]:
    """The passages to answer from: the context if there is one, else facts and memories."""
    found = [
        replace(passage, paragraph=passage.paragraph + 1000 * at)
        for at, text in enumerate(prompt.context)
        for passage in passages(text)
    ]
    facts = [Passage(fact, paragraph=-2) for fact in prompt.facts]
    return [*found, *facts, *_memories(prompt)]


def _memories(prompt: Prompt) -> list[Passage]:
    told = [
        Passage(addressed(sentence) if about_user(sentence) else sentence, paragraph=-3)
        for text in reversed(prompt.told)
        for sentence in sentences(text)
        if not sentence.strip().endswith("?") and not is_question(sentence)
    ]
    called = [name for text in reversed(prompt.told) if (name := own_name(text))]
    told += [Passage(f"Your name is {name}.", paragraph=-3) for name in called]
    said = [
        Passage(passage.text, passage.kind, paragraph=-4)
        for text in reversed(prompt.replied)
        for passage in passages(text)
        if not _is_unknown(passage.text)
    ]
    return told + said


def _is_unknown(sentence: str) -> bool:
    return bool(
        re.search(
            r"\bdon'?t know\b|\bdo not know\b|\bsimulat|\bno information\b", sentence, re.IGNORECASE
        )
    )


def _chosen(ranking: Ranking) -> list[Ranked]:
    chosen = [ranking.best[0]]
    matched = set(chosen[0].matched)
    for candidate in ranking.best[1 : _MOST_PASSAGES * 4]:
        if len(chosen) == _MOST_PASSAGES or candidate.score < GOOD_ENOUGH:
            break
        added = ranking.share(candidate.matched - matched)
        close = candidate.score >= _NEARLY_AS_GOOD * chosen[0].score
        if added >= _ADDS_ENOUGH and (close or candidate.score >= _NOT_AS_GOOD):
            chosen.append(candidate)
            matched |= candidate.matched
    return chosen


def _quoted(passage: Passage, every: Sequence[Passage], prompt: Prompt) -> str:
    text = with_continuation(passage, every).text
    at = next((i for i, one in enumerate(every) if one is passage), 0)
    if PRONOUN.match(text) and at and every[at - 1].paragraph == passage.paragraph:
        text = f"{every[at - 1].text} {text}"
    if passage.kind == "row":
        text = _row_told(text, every, at)
    if not (_cites(prompt) and passage.source):
        return text
    marker = f"[{passage.source}]"
    return f"{text[:-1]} {marker}{text[-1]}" if text.endswith((".", "!")) else f"{text} {marker}"


def _without_repeats(texts: Sequence[str]) -> str:
    """Texts as one, without those that another one holds already."""
    kept = dict.fromkeys(texts)
    return " ".join(
        text for text in kept if not any(text in other for other in kept if other != text)
    )


def _sequel(passage: Passage, every: Sequence[Passage]) -> str:
    """The sentence after one that only names the thing asked about, if it says more of it."""
    at = next((i for i, one in enumerate(every) if one is passage), len(every))
    following = every[at + 1 : at + 2]
    if following and following[0].paragraph == passage.paragraph:
        return following[0].text if PRONOUN.match(following[0].text) else ""
    return ""


def _row_told(text: str, every: Sequence[Passage], at: int) -> str:
    """A table's row with the names of its columns."""
    first = at
    while (
        first
        and every[first - 1].kind == "row"
        and every[first - 1].paragraph == every[at].paragraph
    ):
        first -= 1
    columns, cells = every[first].text.split(" | "), text.split(" | ")
    if first == at or len(columns) != len(cells):
        return text
    return (
        "; ".join(f"{name}: {cell}" for name, cell in zip(columns, cells, strict=True) if cell)
        + "."
    )


def _cites(prompt: Prompt) -> bool:
    return bool(_CITES.search(prompt.instructions))


def _unknown(prompt: Prompt) -> str:
    """The words that a prompt wants for `unknown`, or the usual ones."""
    for sentence in sentences(prompt.instructions):
        if _UNKNOWN_CASE.search(sentence) and (match := _UNKNOWN_PHRASE.search(sentence)):
            phrase = match["phrase"].strip()
            return phrase[:1].upper() + phrase[1:]
    return DEFAULT_UNKNOWN


def short_answer(question: str, text: str) -> str:
    """The name, number, date or place that a question asks for, out of the sentence holding it."""
    asked = question.lower()
    known = stem_set(question)
    if _ASKS_NUMBER.search(asked):
        match = re.search(r"[$€£]?\d[\d,.]*\d?%?(?:\s?[A-Za-z]+)?", text)
        return match[0] if match else ""
    if re.search(r"\bwhen\b|\bwhat (?:date|year|day)\b", asked):
        dated = [text[span.start : span.end] for span in spans.dates(text)]
        years = re.findall(r"\b(?:1[5-9]|20)\d\d\b", text)
        return next(iter([*dated, *years]), "")
    named = [span.text for span in spans.names(text) if not stem_set(span.text) <= known]
    return named[0] if named else ""
