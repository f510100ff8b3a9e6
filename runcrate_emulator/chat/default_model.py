"""The default model: four rules, the same reply to the same request. It is a simulation.

1. A forced tool or a schema gets the smallest valid value, with literals of the prompt where name
   and type fit (`arguments`).
2. Offered tools are called one after the other, as the verbs of the request name them; when none
   is left, their results are listed (`tool_steps`).
3. A question with context gets the sentence that shares the most rare stems with it (`quotation`).
4. Anything else gets a fixed sentence.

Whoever needs other replies scripts them with `Emulator(on_chat=...)`, or names a real model with
`chat_upstream`.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import zip_longest
from typing import Any, Final

from runcrate_emulator.chat.arguments import Arguments
from runcrate_emulator.chat.json_schema import UnsatisfiableSchemaError
from runcrate_emulator.chat.quotation import quotation
from runcrate_emulator.chat.reply import Reply
from runcrate_emulator.chat.request import ChatRequest
from runcrate_emulator.chat.tool_steps import next_step
from runcrate_emulator.errors import invalid

FIXED_SENTENCE: Final = (
    "This is a simulated reply of the Runcrate emulator: script another one with `on_chat`, or "
    "name a real model with `chat_upstream`."
)
REASONING: Final = "This is the simulated reasoning of the Runcrate emulator."
_KEYS: Final = re.compile(r"['\"`]([A-Za-z_]\w*)['\"`]")
_MAX_RESULT: Final = 400  # characters of a tool result that the list of results quotes


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
        return Reply.json(_value(schema, request), reasoning=reasoning)
    if request.tool_results:
        return Reply.text(_listed(request), reasoning=reasoning)
    text = quotation(request.messages) or FIXED_SENTENCE
    if request.json_mode:
        asked = _KEYS.findall(request.prompt)
        return Reply.json(dict.fromkeys(asked or ["answer"], text), reasoning=reasoning)
    return Reply.text(text, reasoning=reasoning)


def _tool_call(request: ChatRequest) -> tuple[str, Mapping[str, Any]] | None:
    choice = request.tool_choice
    offered = [tool for tool in request.tools if choice.name in ("", tool.name)]
    step = next_step(request, offered)
    if step is None and choice.mode == "required":
        called = {call.name for message in request.turn for call in message.tool_calls}
        step = next((one for one in offered if one.name not in called), offered[0]), ""
    if step is None:
        return None
    tool, clause = step
    arguments = Arguments(tool.parameters, [clause, request.prompt], request.tool_results)
    try:
        return tool.name, dict(arguments.value())
    except UnsatisfiableSchemaError:
        return tool.name, {}


def _value(schema: Mapping[str, Any], request: ChatRequest) -> Any:
    texts = [request.prompt, *(one.text for one in request.messages if one.role != "user")]
    try:
        return Arguments(schema, texts, request.tool_results).value()
    except UnsatisfiableSchemaError:
        field = "response_format.json_schema.schema"
        raise invalid(field, "allows no value that the emulator can find.") from None


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


def _listed(request: ChatRequest) -> str:
    names = [call.name for message in request.turn for call in message.tool_calls]
    lines = ["Results of the tools:"]
    for name, result in zip_longest(names, request.tool_results, fillvalue=""):
        text = " ".join(result.split())
        shown = text if len(text) <= _MAX_RESULT else text[: _MAX_RESULT - 1] + "…"
        lines.append(f"- {name}: {shown}")
    return "\n".join(lines)
