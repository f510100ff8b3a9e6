"""Prompts that want a choice among numbered options, or an order of them."""

import json
import re
from typing import Final

from runcrate_emulator.simulation.options import Option, ranked_options
from runcrate_emulator.simulation.prompt import Prompt, joined
from runcrate_emulator.simulation.relevance import GOOD_ENOUGH

_WANTS_CHOICE: Final = re.compile(
    r"\b(?:choices?|options?|select\w*|choose|pick|number "
    r"(?:corresponding|of the)|numbers of|rank)\b",
    re.IGNORECASE,
)
_FORM: Final = re.compile(r"[\"'\u201c](?P<label>[A-Z][A-Za-z ]{1,20}): ?<(?P<what>numbers?)>")
_PAIRED: Final = re.compile(
    r"^(?P<item>[A-Z][a-z]+): \d+, (?P<score>[A-Z][a-z]+): \d+", re.MULTILINE
)
_MOST: Final = re.compile(r"\b(?:no more than|at most|up to|top)\s+(\d+)", re.IGNORECASE)
_ORDERED: Final = re.compile(r"\[\d*\] > \[\d*\]")
_JSON_EXAMPLE: Final = re.compile(r"\[\s*\{+\s*\"?'?choice\"?'?\s*:", re.IGNORECASE)
_TOP_SCORE: Final = 10


def choice(prompt: Prompt) -> str | None:
    """The answer to a prompt that wants numbers of options, else `None`."""
    if not _WANTS_CHOICE.search(prompt.instructions):
        return None
    question = prompt.part("statement") or prompt.question
    ranked = ranked_options(joined(prompt.context) or joined(prompt.told), question)
    if not ranked:
        return None
    if _ORDERED.search(prompt.instructions) or _ORDERED.search(prompt.text):
        return " > ".join(f"[{option.number}]" for option in ranked)
    if paired := _PAIRED.search(prompt.examples):
        return _with_scores(ranked, paired["item"], paired["score"])
    if not _names_numbers(prompt):
        return None
    several = _several(prompt)
    chosen = [option for option in ranked if option.fit >= GOOD_ENOUGH][:several] or ranked[:1]
    if _JSON_EXAMPLE.search(prompt.text):
        return json.dumps(
            [{"choice": option.number, "reason": _reason(option)} for option in chosen]
        )
    numbers = ", ".join(str(option.number) for option in chosen)
    form = _FORM.search(prompt.instructions)
    return f"{form['label'] if form else 'ANSWER'}: {numbers}. {_reason(chosen[0])}"


def _names_numbers(prompt: Prompt) -> bool:
    told = prompt.instructions
    return bool(
        _FORM.search(told)
        or _JSON_EXAMPLE.search(prompt.text)
        or re.search(r"\b(?:number|choices?|option)\b", told, re.IGNORECASE)
    )


def _several(prompt: Prompt) -> int:
    told = prompt.instructions
    if most := _MOST.search(told):
        return int(most[1])
    return 1


def _with_scores(ranked: list[Option], item: str, score: str) -> str:
    chosen = [option for option in ranked if option.fit >= GOOD_ENOUGH] or ranked[:1]
    return "\n".join(
        f"{item}: {option.number}, {score}: {max(1, round(option.fit * _TOP_SCORE))}"
        for option in chosen
    )


def _reason(option: Option) -> str:
    return f"It shares {option.fit:.0%} of the question's words."
