"""The default model: four rules, the same reply to the same request. It is a simulation.

1. A forced tool or a schema gets the smallest valid value, with literals of the prompt where name
   and type fit (`arguments`).
2. Offered tools are called one after the other, as the verbs of the request name them; when none
   is left, their results are listed.
3. A question with context gets the sentence that shares the most rare stems with it.
4. Anything else gets a fixed sentence.

Whoever needs other replies scripts them with `Emulator(on_chat=...)`, or names a real model with
`chat_upstream`.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import Any, Final

from runcrate_emulator.chat.arguments import Arguments
from runcrate_emulator.chat.json_schema import UnsatisfiableSchemaError
from runcrate_emulator.chat.reply import Reply
from runcrate_emulator.chat.request import ChatRequest, Message, Tool
from runcrate_emulator.errors import invalid
from runcrate_emulator.stems import identifier_words, stem, stems, words

FIXED_SENTENCE: Final = (
    "This is a simulated reply of the Runcrate emulator: script another one with `on_chat`, or "
    "name a real model with `chat_upstream`."
)
REASONING: Final = "This is the simulated reasoning of the Runcrate emulator."
_KEYS: Final = re.compile(r"['\"`]([A-Za-z_]\w*)['\"`]")  # that a prompt in JSON mode names
_MAX_RESULT: Final = 400  # characters of a tool result that the list of results quotes

_CLAUSE: Final = re.compile(r"[.!?;\n]+(?:\s+|$)|,\s+|\s+(?:and|then)\s+")
_FAILED: Final = re.compile(
    r"^\W*(?:error|failed|refused)|\bnothing was \w+|\brefused\b", re.IGNORECASE
)
_HEAD: Final = 400  # characters of a result in which an error shows itself
_NAMED, _VERB, _NOUN, _NEAR_TIE = 8.0, 3.0, 1.0, 0.01  # points of a tool for a clause

_SENTENCE_END: Final = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+")
_WRAPPED: Final = re.compile(r"(?<=[^\n]{60}[^\n.!?:])\n(?=[^\s\-*#>|])|\n(?=[a-z])")
"""A line break inside a sentence: after a long line, or before a small letter."""
_QUESTION_LABEL: Final = re.compile(r"(?:question|query|user|human)\s*:\s*([^\n]+)", re.IGNORECASE)
_ENOUGH: Final = 0.3  # share of the question's weight that a sentence must cover to be quoted
_MIN_STEMS: Final = 3  # different stems of a sentence worth quoting; headings and labels have fewer


def reply_of_default_model(request: ChatRequest, *, has_reasoning: bool) -> Reply:
    """Reply to a request by the four rules; 400 for a schema that no value satisfies."""
    reasoning = REASONING if has_reasoning and request.reasoning else ""
    if request.tools and request.tool_choice.mode != "none":
        call = _tool_call(request)
        if call is not None:
            return Reply.tool_calls(call, reasoning=reasoning)
    schema = request.response_schema
    if schema is None and not request.tool_results:
        schema = _schema_in("\n".join(message.text for message in request.messages))
    if schema is not None:
        texts = [request.prompt, *(one.text for one in request.messages if one.role != "user")]
        try:
            value = Arguments(schema, texts, request.tool_results).value()
        except UnsatisfiableSchemaError:
            field = "response_format.json_schema.schema"
            problem = "allows no value that the default model finds; script the reply."
            raise invalid(field, problem) from None
        return Reply.json(value, reasoning=reasoning)
    if request.tool_results:
        return Reply.text(_listed(request), reasoning=reasoning)
    text = _quotation(request.messages) or FIXED_SENTENCE
    if request.json_mode:
        asked = _KEYS.findall(request.prompt)
        return Reply.json(dict.fromkeys(asked or ["answer"], text), reasoning=reasoning)
    return Reply.text(text, reasoning=reasoning)


def _schema_in(prompt: str) -> Mapping[str, Any] | None:
    """The last JSON schema of an object in a prompt, as JSON modes and output parsers write it."""
    decoder, found, at = json.JSONDecoder(), None, prompt.find("{")
    while at >= 0:
        end = at + 1
        with suppress(ValueError, RecursionError):
            value, end = decoder.raw_decode(prompt, at)
            found = value if isinstance(value.get("properties"), Mapping) else found
        at = prompt.find("{", end)
    return found


def _tool_call(request: ChatRequest) -> tuple[str, Mapping[str, Any]] | None:
    """The next tool to call; None when all is done, or when the last tool failed."""
    choice = request.tool_choice
    offered = [tool for tool in request.tools if choice.name in ("", tool.name)]
    done = Counter(call.name for message in request.turn for call in message.tool_calls)
    left = [one for one in offered if not done[one.name]] or offered
    step = (left[0], "") if choice.mode == "required" else None
    if not (request.tool_results and _FAILED.search(request.tool_results[-1][:_HEAD])):
        for tool, clause in _steps(request.prompt, offered):
            if not done[tool.name]:
                step = tool, clause
                break
            done[tool.name] -= 1
    if step is None:
        return None
    tool, clause = step
    arguments = Arguments(tool.parameters, [clause, request.prompt], request.tool_results)
    try:
        return tool.name, dict(arguments.value())
    except UnsatisfiableSchemaError:
        return tool.name, {}


def _steps(request: str, tools: Sequence[Tool]) -> Iterator[tuple[Tool, str]]:
    """The tools that the clauses of a request name by their verbs, in order."""
    names = [identifier_words(tool.name) for tool in tools]
    if len(tools) > 1 and len({name[0] for name in names if name}) == 1:
        names = [name[1:] or name for name in names]  # without a first word that all share
    subject = {stem(word) for word in words(request)}
    for clause in filter(str.strip, _CLAUSE.split(request)):
        found = [stem(part) for word in words(clause) for part in identifier_words(word)]
        scores = []
        for tool, name in zip(tools, names, strict=True):
            verb, *nouns = [stem(part) for part in name] or [""]
            points = _NAMED if tool.name in clause else 0.0
            if verb in found:
                points += _VERB - _NEAR_TIE * found.index(verb)
            points += _NOUN * len(set(nouns) & set(found))
            extra = 10 * len(set(nouns) & subject) - len(nouns)
            scores.append(points + _NEAR_TIE * extra if points else 0.0)
        if max(scores) >= _NOUN:
            yield tools[scores.index(max(scores))], clause


def _listed(request: ChatRequest) -> str:
    names = [call.name for message in request.turn for call in message.tool_calls]
    lines = ["Results of the tools:"]
    for name, result in zip_longest(names, request.tool_results, fillvalue=""):
        text = " ".join(result.split())
        shown = text if len(text) <= _MAX_RESULT else text[: _MAX_RESULT - 1] + "…"
        lines.append(f"- {name}: {shown}")
    return "\n".join(lines)


def _quotation(messages: Sequence[Message]) -> str | None:
    """The sentence that shares the most rare stems with the question; None if none fits."""
    asked = [message.text for message in messages if message.role == "user"]
    question = _question(asked[-1]) if asked else ""
    wanted = set(stems(question))
    sentences = [
        sentence.strip(" -*#>|\t")
        for message in messages
        if message.role in ("system", "user")
        for sentence in _SENTENCE_END.split(_WRAPPED.sub(" ", message.text))
        if sentence.strip() and question not in sentence and not sentence.rstrip().endswith("?")
    ]
    topics = [set(stems(sentence)) for sentence in sentences]
    counted = Counter(one for found in topics for one in found)
    weights = {one: math.log(1 + len(sentences) / (counted[one] or 0.5)) for one in wanted}
    scores = [
        sum(weights[one] for one in wanted & found) if len(found) >= _MIN_STEMS else 0.0
        for found in topics
    ]
    best = max(scores, default=0.0)
    is_enough = best and best >= _ENOUGH * sum(weights.values())
    return sentences[scores.index(best)] if is_enough else None


def _question(text: str) -> str:
    """The question of a user's text: after its label, or the last sentence with a question mark."""
    if labelled := _QUESTION_LABEL.findall(text):
        return str(labelled[-1]).strip()
    sentences = [one.strip() for one in _SENTENCE_END.split(text) if one.strip()]
    asked = [one for one in sentences if one.endswith("?")]
    return (asked or sentences or [""])[-1]
