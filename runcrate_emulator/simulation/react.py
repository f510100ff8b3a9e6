"""Agents that speak in `Thought:`, `Action:` and `Observation:` instead of tool calls."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from runcrate_emulator.simulation.conversation import Message, Tool, ToolCall
from runcrate_emulator.simulation.outcomes import Outcome, Turn
from runcrate_emulator.simulation.records import parsed

_FORMAT: Final = re.compile(r"^[ \t]*`*Action:.*$[\s\S]{0,400}?^[ \t]*Action Input:", re.MULTILINE)
_OBSERVATION: Final = re.compile(r"^[ \t]*Observation:\s*", re.MULTILINE)
_NAMED_TOOL: Final = re.compile(
    r"^>?\s*Tool Name:\s*(?P<name>\S+)\s*\nTool Description:\s*(?P<description>.*?)\n"
    r"Tool Args:\s*(?P<schema>\{.*?\}|\S+)\s*$",
    re.MULTILINE | re.DOTALL,
)
_LISTED_TOOL: Final = re.compile(
    r"^[ \t]*[-*>]?\s*`?(?P<name>[A-Za-z][\w-]*)`?(?P<signature>\([^\n]*?\))?"
    r"(?:\s*->\s*[\w\[\], ]+)?\s*[:-]\s+"
    r"(?P<description>[^\n]+?)(?:,\s*args:\s*(?P<args>\{.*\}))?\s*$",
    re.MULTILINE,
)
_NAMES: Final = re.compile(r"\bone of \[?(?P<names>[^\])\n]+?)[\]).]", re.IGNORECASE)
_STEP: Final = re.compile(
    r"Action:\s*(?P<name>[^\n(]+?)\s*(?:\(.*\))?\n+\s*Action Input:\s*(?P<input>.*?)"
    r"\n+\s*Observation:\s*(?P<result>.*?)(?=\n\s*(?:Thought:|"
    r"Action:|Question:|Final Answer:|Answer:)|\Z)",
    re.DOTALL,
)
_CALL: Final = re.compile(
    r"Action:\s*(?P<name>[^\n(]+?)\s*(?:\(.*\))?\n+\s*Action Input:\s*(?P<input>.*)", re.DOTALL
)
_QUESTION: Final = re.compile(
    r"^[ \t]*(?:Question|Task|New input|Human|User):\s*"
    r"(?P<text>.+?)(?=\n\s*(?:Thought:|Action:)|\Z)",
    re.MULTILINE | re.DOTALL,
)
_FINAL: Final = re.compile(r"^[ \t]*(?P<label>Final Answer|Answer):", re.MULTILINE)
_PLAIN_INPUT: Final = "input"


@dataclass(frozen=True, slots=True)
class Script:
    """A conversation in this form, read into a turn.

    Attributes:
        turn: The question and the actions taken for it.
        tools: The tools that the prompt describes.
        final: The label of the last word, `Answer` or `Final Answer`.
        json_input: Whether inputs are JSON objects rather than plain text.
        thinks: Whether the prompt ends with an open `Thought:`.
    """

    turn: Turn
    tools: tuple[Tool, ...]
    final: str
    json_input: bool
    thinks: bool


def script_of(messages: Sequence[Message]) -> Script | None:
    """Read a conversation, or `None` if it asks for no such form."""
    instructing = next(
        (
            message
            for message in messages
            if _FORMAT.search(message.text) and "Observation" in message.text
        ),
        None,
    )
    if instructing is None or instructing.role not in {"system", "user"}:
        return None
    told = instructing.text
    tools = tuple(_tools(told))
    if not tools:
        return None
    labels = _FINAL.findall(told)
    final = "Final Answer" if "Final Answer" in labels else "Answer"
    json_input = bool(re.search(r"Action Input:[^\n]*(?:JSON|\{)", told))
    last = messages[-1].text
    turn = _turn(messages, instructing)
    return Script(turn, tools, final, json_input, last.rstrip().endswith("Thought:"))


def _tools(told: str) -> list[Tool]:
    named = [
        Tool(match["name"], match["description"].strip(), _schema(match["schema"]))
        for match in _NAMED_TOOL.finditer(told)
    ]
    if named:
        return named
    listed = _NAMES.search(told)
    names = {name.strip(" `'\"") for name in listed["names"].split(",")} if listed else set()
    return [
        Tool(match["name"], match["description"], _listed_schema(match))
        for match in _LISTED_TOOL.finditer(told)
        if match["name"] in names
    ]


def _schema(text: str) -> dict[str, Any]:
    found = parsed(text)
    return found if isinstance(found, dict) else _plain_schema()


def _plain_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {_PLAIN_INPUT: {"type": "string"}},
        "required": [_PLAIN_INPUT],
    }


def _listed_schema(match: re.Match[str]) -> dict[str, Any]:
    """The schema of a tool described as `name(a: int, b: str) - …` or `name: …, args: {…}`."""
    if match["args"] and isinstance(found := parsed(match["args"]), dict):
        return {"type": "object", "properties": found, "required": list(found)}
    types = {"int": "integer", "float": "number", "bool": "boolean", "str": "string"}
    parameters = re.findall(r"(\w+)\s*:\s*(\w+)", match["signature"] or "")
    if not parameters:
        return _plain_schema()
    properties = {name: {"type": types.get(kind, "string")} for name, kind in parameters}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _turn(messages: Sequence[Message], instructing: Message) -> Turn:
    if instructing.role == "user":
        rest = instructing.text.rpartition("Begin!")[2]
        asked = list(_QUESTION.finditer(rest))
        request = asked[-1]["text"].strip() if asked else rest.strip()
        outcomes = _steps(rest[asked[-1].end() :] if asked else rest)
        later = messages[messages.index(instructing) + 1 :]
        return Turn(request, (*outcomes, *_dialogue(later)))
    spoken = [message for message in messages if message.role in {"user", "assistant", "tool"}]
    questions = [
        at
        for at, message in enumerate(spoken)
        if message.role == "user" and not _OBSERVATION.match(message.text)
    ]
    start = questions[-1] if questions else 0
    request = spoken[start].text if spoken else ""
    asked = list(_QUESTION.finditer(request))
    steps = _steps(request)
    plain = asked[-1]["text"].strip() if asked and steps else request
    return Turn(plain, (*steps, *_dialogue(spoken[start + 1 :])))


def _steps(text: str) -> tuple[Outcome, ...]:
    return tuple(
        Outcome(_made(match["name"], match["input"], at), match["result"].strip())
        for at, match in enumerate(_STEP.finditer(text))
    )


def _dialogue(messages: Sequence[Message]) -> tuple[Outcome, ...]:
    """Actions in the assistant's messages, each with the observation that follows it."""
    found: list[Outcome] = []
    waiting: ToolCall | None = None
    for message in messages:
        if message.role == "assistant" and (match := _CALL.search(message.text)):
            waiting = _made(match["name"], match["input"], len(found))
        elif waiting is not None and message.role != "assistant":
            found.append(Outcome(waiting, _OBSERVATION.sub("", message.text, count=1).strip()))
            waiting = None
    return tuple(found)


def _made(name: str, text: str, number: int) -> ToolCall:
    found = parsed(text.strip())
    arguments = found if isinstance(found, dict) else {_PLAIN_INPUT: text.strip().strip("\"'")}
    return ToolCall(f"action-{number}", name.strip(" `"), arguments)


def action(script: Script, name: str, arguments: dict[str, Any]) -> str:
    """The text that calls a tool."""
    plain = not script.json_input and len(arguments) == 1
    written = (
        str(next(iter(arguments.values()))) if plain else json.dumps(arguments, ensure_ascii=False)
    )
    thought = f"I need to use {name} for this."
    return f"{_thought(script, thought)}\nAction: {name}\nAction Input: {written}"


def conclusion(script: Script, answer: str, *, known: bool) -> str:
    """The text that ends with the answer."""
    thought = (
        "I can answer without using any more tools."
        if known
        else "I cannot answer the question with the provided tools."
    )
    return f"{_thought(script, thought)}\n{script.final}: {answer}"


def _thought(script: Script, text: str) -> str:
    return f" {text}" if script.thinks else f"Thought: {text}"
