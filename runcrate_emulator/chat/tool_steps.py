"""The tool that comes next: the verbs of a request, in order, against the names of the tools."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from runcrate_emulator.chat.request import ChatRequest, Tool
from runcrate_emulator.stems import identifier_words, stem, words

_CLAUSE: Final = re.compile(r"[.!?;\n]+(?:\s+|$)|,\s+|\s+(?:and|then)\s+")
_FAILED: Final = re.compile(
    r"^\W*(?:error|failed|refused)|\bnothing was \w+|\brefused\b", re.IGNORECASE
)
_NAMED, _VERB, _NOUN = 8.0, 3.0, 1.0
_NEAR_TIE: Final = 0.01
_HEAD: Final = 400  # characters of a result in which an error shows itself


def next_step(request: ChatRequest, tools: Sequence[Tool]) -> tuple[Tool, str] | None:
    """Return the next tool to call and the clause that asks for it.

    None when all is done, or when the last tool failed.
    """
    if request.tool_results and _FAILED.search(request.tool_results[-1][:_HEAD]):
        return None
    done = Counter(call.name for message in request.turn for call in message.tool_calls)
    for tool, clause in _steps(request.prompt, tools):
        if not done[tool.name]:
            return tool, clause
        done[tool.name] -= 1
    return None


def _steps(request: str, tools: Sequence[Tool]) -> Iterator[tuple[Tool, str]]:
    names = [identifier_words(tool.name) for tool in tools]
    if len(tools) > 1 and len({name[0] for name in names if name}) == 1:
        names = [name[1:] or name for name in names]  # without a first word that all share
    subject = {stem(word) for word in words(request)}
    for clause in filter(str.strip, _CLAUSE.split(request)):
        found = [stem(part) for word in words(clause) for part in identifier_words(word)]

        def score(at: int, clause: str = clause, found: Sequence[str] = found) -> float:
            verb, *nouns = [stem(part) for part in names[at]] or [""]
            points = _NAMED if tools[at].name in clause else 0.0
            if verb in found:
                points += _VERB - _NEAR_TIE * found.index(verb)
            points += _NOUN * len(set(nouns) & set(found))
            extra = 10 * len(set(nouns) & subject) - len(nouns)
            return points + _NEAR_TIE * extra if points else 0.0

        best = max(range(len(tools)), key=score)
        if score(best) >= _NOUN:
            yield tools[best], clause
