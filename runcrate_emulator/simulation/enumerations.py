"""Enumerations that a text writes out: `Python, Go and Rust`, `buy milk, call mom and rest`."""

import re
from collections.abc import Iterator
from typing import Final

from runcrate_emulator.simulation.passages import sentences

_COMMA: Final = re.compile(r"\s*,\s*(?:(?:and|or)\s+)?|\s+(?:and|or|&)\s+")
_JOINED: Final = re.compile(r"\s(?:and|or|&)\s")
_LEAD: Final = re.compile(
    r"^.*(?:\b(?:needs? to|have to|has to|wants? to|must|should|knows?|likes?|loves?|speaks?|"
    r"plays?|includ(?:e|es|ing)|contains?|such as|like|are|is|has|have|with|of|uses?|using|stars?|"
    r"starring|studied|visited|skilled in|experience in|fluent in)|:)\s+",
    re.IGNORECASE,
)
_TAIL: Final = re.compile(r"\s(?:in|on|at|for|from|with|by|who|which|that|when|because)\s.*$")
_MOST_WORDS: Final = 4
_LONGEST: Final = 6000
"""Characters in which enumerations are looked for."""


def enumerations(text: str) -> Iterator[list[str]]:
    """The enumerations of a text, one for each sentence that has one."""
    for sentence in sentences(text[:_LONGEST]):
        parts = _parts(sentence.rstrip(".!?;"))
        if len(parts) > 1:
            yield parts


def _parts(sentence: str) -> list[str]:
    if not _JOINED.search(sentence):
        return []
    *before, last = _COMMA.split(sentence)
    parts = [_TAIL.sub("", last).strip(" .")]
    for piece in reversed(before):
        bare = _LEAD.sub("", piece).strip()
        if not 0 < len(bare.split()) <= _MOST_WORDS:
            break
        parts.insert(0, bare)
        if bare != piece.strip():
            break
    return parts if all(0 < len(part.split()) <= _MOST_WORDS for part in parts) else []
