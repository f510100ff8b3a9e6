"""Whether a text supports a statement, judged by its words, names, numbers and negations."""

import re
from collections.abc import Sequence
from typing import Final

from runcrate_emulator.simulation import spans
from runcrate_emulator.simulation.passages import passages
from runcrate_emulator.simulation.thesaurus import alike
from runcrate_emulator.simulation.words import (
    STOP_WORDS,
    is_name_like,
    rarity,
    stem,
    stem_set,
    weight,
    words,
)

SUPPORTED: Final = 0.6
"""Share of a statement's weight that a few neighbouring passages must hold."""

_WINDOW: Final = 3
_NEAR: Final = 0.7
_NEGATION: Final = re.compile(r"\b(?:not|no|never|none|cannot|neither|nor)\b|n't\b", re.IGNORECASE)


def support(statement: str, texts: Sequence[str]) -> float:
    """How far texts support a statement, from 0 to 1."""
    wanted = stem_set(statement)
    every = [passage.text for text in texts for passage in passages(text)]
    if not wanted or not every:
        return 0.0
    bags = [stem_set(text) for text in every]
    seen_in = rarity(bags)
    weights = {one: weight(seen_in[one], len(bags)) for one in wanted}
    total = sum(weights.values())
    best = max(
        (_held(weights, frozenset().union(*bags[at : at + _WINDOW])) / total, -at)
        for at in range(len(bags))
    )
    window = " ".join(every[-best[1] : -best[1] + _WINDOW])
    return best[0] * _agreement(statement, window, " ".join(texts))


def _held(weights: dict[str, float], bag: frozenset[str]) -> float:
    held = 0.0
    for one, value in weights.items():
        if one in bag:
            held += value
        elif any(alike(one, other) for other in bag):
            held += _NEAR * value
    return held


def _agreement(statement: str, window: str, whole: str) -> float:
    """Less than 1 if numbers, names or negations of the statement are missing in the text."""
    factor = 1.0
    known = {number.value for number in spans.numbers(whole)}
    if any(number.value not in known for number in spans.numbers(statement)):
        factor *= 0.5
    held = stem_set(whole)
    names = {
        stem(word)
        for place, word in enumerate(words(statement))
        if place and is_name_like(word) and word.lower() not in STOP_WORDS
    }
    if names and not names <= held:
        factor *= 0.7
    if bool(_NEGATION.search(statement)) != bool(_NEGATION.search(_nearest(statement, window))):
        factor *= 0.5
    return factor


def _nearest(statement: str, window: str) -> str:
    wanted = stem_set(statement)
    every = [passage.text for passage in passages(window)]
    return max(every, key=lambda text: len(wanted & stem_set(text)), default="")
