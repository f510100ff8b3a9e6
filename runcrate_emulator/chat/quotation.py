"""The sentence of the context that shares the most rare stems with the question."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from runcrate_emulator.chat.request import Message
from runcrate_emulator.stems import stem_set

_SENTENCE_END: Final = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+")
_WRAPPED: Final = re.compile(r"(?<=[^\n]{60}[^\n.!?:])\n(?=[^\s\-*#>|])|\n(?=[a-z])")
"""A line break inside a sentence: after a long line, or before a small letter."""
_QUESTION_LABEL: Final = re.compile(
    r"(?:question|query|user|human)\s*:\s*(?P<text>[^\n]+)", re.IGNORECASE
)
_ENOUGH: Final = 0.3  # share of the question's weight that a sentence must cover to be quoted
_MIN_STEMS: Final = 3  # different stems of a sentence worth quoting; headings and labels have fewer


def quotation(messages: Sequence[Message]) -> str | None:
    """Return the sentence to quote; None without a question, or without a sentence that fits."""
    texts = [message.text for message in messages if message.role in ("system", "user")]
    asked = [message.text for message in messages if message.role == "user"]
    question = _question(asked[-1]) if asked else ""
    wanted = stem_set(question)
    sentences = [
        sentence.strip(" -*#>|\t")
        for text in texts
        for sentence in _SENTENCE_END.split(_WRAPPED.sub(" ", text))
        if sentence.strip() and question not in sentence and not sentence.rstrip().endswith("?")
    ]
    stems = [stem_set(sentence) for sentence in sentences]
    counted = Counter(one for found in stems for one in found)
    weights = {one: math.log(1 + len(sentences) / (counted[one] or 0.5)) for one in wanted}
    scores = [
        sum(weights[one] for one in wanted & found) if len(found) >= _MIN_STEMS else 0.0
        for found in stems
    ]
    best = max(range(len(scores)), key=lambda at: scores[at], default=None)
    if best is None or scores[best] < _ENOUGH * sum(weights.values()) or not scores[best]:
        return None
    return sentences[best]


def _question(text: str) -> str:
    """The question of a user's text: after its label, or the last sentence with a question mark."""
    if labelled := _QUESTION_LABEL.findall(text):
        return str(labelled[-1]).strip()
    sentences = [one.strip() for one in _SENTENCE_END.split(text) if one.strip()]
    asked = [one for one in sentences if one.endswith("?")]
    return (asked or sentences or [""])[-1]
