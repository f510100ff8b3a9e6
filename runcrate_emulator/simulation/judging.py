"""Prompts that want a judgement: yes or no, a score, the better of two answers."""

import re
from dataclasses import dataclass
from typing import Final

from runcrate_emulator.simulation.entailment import SUPPORTED, support
from runcrate_emulator.simulation.extraction import find_answer
from runcrate_emulator.simulation.prompt import Prompt
from runcrate_emulator.simulation.relevance import likeness
from runcrate_emulator.simulation.text_operations import truth_of

_PAIRS: Final = (
    ("yes", "no"),
    ("true", "false"),
    ("pass", "fail"),
    ("supported", "not supported"),
    ("supported", "unsupported"),
    ("relevant", "not relevant"),
    ("relevant", "irrelevant"),
    ("correct", "incorrect"),
    ("valid", "invalid"),
    ("good", "bad"),
    ("grounded", "not grounded"),
    ("accept", "reject"),
)
_RANGE: Final = re.compile(
    r"\b(?:between|from|of|to be|scale(?: of| from)?|is|range|"
    r"score|\()?\s*(?P<low>\d+(?:\.\d+)?)\s*"
    r"(?:-|\u2013|to|and)\s*(?P<high>\d+(?:\.\d+)?)\b",
    re.IGNORECASE,
)
_OUT_OF: Final = re.compile(r"\bout of (?P<high>\d+)\b", re.IGNORECASE)
_WORTH: Final = re.compile(r"\bworth (?P<points>\d+) points?\b", re.IGNORECASE)
_WANTS_SCORE: Final = re.compile(
    r"\b(?:score|rate|rating|grade|points?|evaluat\w+)\b", re.IGNORECASE
)
_BRACKETED: Final = re.compile(r"\[\[([A-Z])\]\]")
_PLACEHOLDER: Final = re.compile(r"\[RESULT\]|\[SCORE\]|\[RATING\]")
_LABELLED: Final = re.compile(r"[\"'\u201c(]?(?P<label>(?:Score|Rating|Grade|Result|Total)):\s*<")
_REASONS: Final = re.compile(
    r"\b(?:reason(?:ing)?|explain|explanation|feedback|why|justif\w+)\b", re.IGNORECASE
)
_ONLY: Final = re.compile(r"\b(?:only|just|single)\b", re.IGNORECASE)
_TIE: Final = 0.03


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far a prompt's statement holds, and why in a sentence."""

    degree: float
    reason: str

    @property
    def holds(self) -> bool:
        """Whether it holds well enough for a yes."""
        return self.degree >= SUPPORTED


def verdict(prompt: Prompt) -> Verdict:
    """Judge what a prompt puts up for judgement.

    An answer beside a reference is compared with it; a statement or an answer beside a context is
    looked up there; a lone answer is measured by the question's words; a question beside a
    context by how well the context answers it.
    """
    candidate, reference = prompt.part("candidate"), prompt.part("reference")
    if candidate and _is_given(reference):
        degree = (likeness(reference, candidate) + likeness(candidate, reference)) / 2
        return Verdict(degree, f"The answer shares {degree:.0%} of its words with the reference.")
    statement = candidate or prompt.part("statement")
    context = [text for text in prompt.context if text]
    if statement and context:
        inner = Prompt("", statement)
        said = inner.part("candidate") or statement
        degree = support(said, context)
        words = "supports" if degree >= SUPPORTED else "does not support"
        return Verdict(degree, f"The context {words} it.")
    if statement:
        degree = likeness(prompt.question, statement)
        return Verdict(degree, f"The answer takes up {degree:.0%} of the question's words.")
    found = find_answer(prompt)
    degree = max(found.score, SUPPORTED) if found.grounded else min(found.score, SUPPORTED / 2)
    words = "speaks" if found.grounded else "does not speak"
    return Verdict(min(degree, 1.0), f"The context {words} of what is asked.")


def _is_given(reference: str) -> bool:
    return bool(reference) and not re.search(r"\b(?:not? .*supplied|none|n/a)\b", reference.lower())


def yes_or_no(prompt: Prompt) -> str | None:
    """The answer to a prompt that leaves two opposite words to choose from, else `None`."""
    pair = _pair(prompt.instructions)
    if pair is None:
        return None
    existing = prompt.part("existing").strip().lower()
    if existing.startswith(pair[0].lower()):
        return pair[0]
    if not prompt.context and (holds := truth_of(prompt.question)) is not None:
        return pair[0] if holds else pair[1]
    judged = verdict(prompt)
    chosen = pair[0] if judged.holds else pair[1]
    if _REASONS.search(prompt.instructions) and not _ONLY.search(prompt.instructions):
        return f"{chosen}. {judged.reason}"
    return chosen


_LEAVES_CHOICE: Final = re.compile(
    r"\b(?:answer|respond|reply|output|either|return|options?|score|grade|binary|verdict|say|label|"
    r"decide|judge|evaluate|classify|determine|yes/ ?no)\b",
    re.IGNORECASE,
)


def _pair(instructions: str) -> tuple[str, str] | None:
    """The two opposite words that a prompt leaves to choose from."""
    if not _LEAVES_CHOICE.search(instructions):
        return None
    for first, second in _PAIRS:
        mark = r"[\"'\u201c\u201d*`]*"
        pattern = (
            rf"(?<!\w){mark}({first}){mark}\s*(?:or|/|and|,|"
            rf"vs\.?)\s*(?:with\s+)?{mark}({second}){mark}(?!\w)"
        )
        if match := re.search(pattern, instructions, re.IGNORECASE):
            return match[1], match[2]
    return None


def score(prompt: Prompt) -> str | None:
    """The answer to a prompt that wants a number on a scale, else `None`."""
    told = prompt.instructions
    limits = _limits(f"{told}\n{prompt.text}" if _WORTH.search(told) else told)
    existing = prompt.part("existing").strip()
    if limits is None or not _WANTS_SCORE.search(told):
        return None
    if not (prompt.part("candidate", "statement") or prompt.context or existing):
        return None
    judged = verdict(prompt)
    low, high = limits
    value = round((low + judged.degree * (high - low)) * 2) / 2
    shown = f"{value:.1f}" if re.search(r"\d\.\d|float", told) else f"{round(value)}"
    if _PLACEHOLDER.search(told):
        return f"{judged.reason}\n{_mark(told)} {shown}"
    if labelled := _LABELLED.search(told):
        return f"{labelled['label']}: {shown}\n{judged.reason}"
    if _REASONS.search(told):
        return f"{shown}\n{judged.reason}"
    return shown


def _mark(told: str) -> str:
    match = _PLACEHOLDER.search(told)
    return match[0] if match else ""


def _limits(told: str) -> tuple[float, float] | None:
    if worth := _WORTH.search(told):
        questions = len(re.findall(r"^\s*\d+[.)]\s.*\?", told, re.MULTILINE))
        return 0.0, float(worth["points"]) * max(questions, 1)
    if out_of := _OUT_OF.search(told):
        return 0.0, float(out_of["high"])
    near = re.search(r"(?:score|scale|rat(?:e|ing)|grade)[^.\n]{0,60}", told, re.IGNORECASE)
    for text in (near[0] if near else "", told):
        if (match := _RANGE.search(text)) and float(match["low"]) < float(match["high"]) <= 100:  # noqa: PLR2004 - per cent
            return float(match["low"]), float(match["high"])
    return None


def better_of_two(prompt: Prompt) -> str | None:
    """The answer to a prompt that compares two answers and wants `[[A]]` or `[[B]]`."""
    marks = sorted(set(_BRACKETED.findall(prompt.instructions)))
    answers = [part for part in prompt.sections if part.role == "candidate" and part.text]
    if len(marks) < 2 or len(answers) < 2:  # noqa: PLR2004 - a comparison has two sides
        return None
    basis = prompt.part("reference") or " ".join(prompt.context) or prompt.question
    first, second = (
        likeness(basis, part.text) + likeness(prompt.question, part.text) for part in answers[:2]
    )
    if abs(first - second) < _TIE and len(marks) > 2:  # noqa: PLR2004 - the third mark is a tie
        return f"Both answers cover the question equally well. [[{marks[2]}]]"
    better = marks[0] if first >= second else marks[1]
    return f"Answer {better} covers more of what is asked. [[{better}]]"
