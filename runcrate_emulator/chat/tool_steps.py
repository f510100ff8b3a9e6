"""The tool that comes next: the verbs of a request, in order, against the names of the tools."""

import re
from collections import Counter
from collections.abc import Sequence
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


def _steps(request: str, tools: Sequence[Tool]) -> list[tuple[Tool, str]]:
    names = {tool.name: _name_stems(tool, tools) for tool in tools}
    subject = {stem(word) for word in words(request)}
    steps: list[tuple[Tool, str]] = []
    for clause in _CLAUSE.split(request):
        if not clause.strip():
            continue
        found = [stem(part) for word in words(clause) for part in identifier_words(word)]
        scored = [(_score(tool, names[tool.name], clause, found, subject), tool) for tool in tools]
        best, tool = max(scored, key=lambda one: one[0])
        if best >= _NOUN:
            steps.append((tool, clause))
    return steps


def _name_stems(tool: Tool, tools: Sequence[Tool]) -> list[str]:
    """The stems of a tool's name, without a first word that all names share."""
    parts = identifier_words(tool.name)
    firsts = {identifier_words(one.name)[:1][0] for one in tools if identifier_words(one.name)}
    if len(tools) > 1 and len(firsts) == 1 and len(parts) > 1:
        parts = parts[1:]
    return [stem(part) for part in parts]


def _score(
    tool: Tool, name: Sequence[str], clause: str, found: Sequence[str], subject: set[str]
) -> float:
    score = _NAMED if tool.name in clause else 0.0
    if name and name[0] in found:
        score += _VERB - _NEAR_TIE * found.index(name[0])
    score += _NOUN * len(set(name[1:]) & set(found))
    if not score:
        return 0.0
    return score + _NEAR_TIE * len(set(name[1:]) & subject) * 10 - _NEAR_TIE * len(name)
