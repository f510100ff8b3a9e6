"""Tool calls between their three forms: the API's, LangChain's, and calls that went wrong."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.utils.json import parse_partial_json

from runcrate_core.toolkit import (
    EscapeJoiner,
    ToolArgumentsError,
    ToolNames,
    json_text,
    parse_tool_arguments,
    parse_tool_calls,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from langchain_core.messages import AIMessage, InvalidToolCall, ToolCall

    from runcrate_core.toolkit import ParsedToolCall

# Blocks of content that duplicate `message.tool_calls`, in their providers' own form.
CALL_BLOCKS = frozenset(
    {
        "custom_tool_call",
        "function_call",
        "input_json_delta",
        "invalid_tool_call",
        "tool_call",
        "tool_call_chunk",
        "tool_use",
    }
)


# Where messages carry the members of calls that LangChain's calls have no place for.
CALL_EXTRAS_KEY: Final = "tool_call_extras"

# Ways to end a text so that LangChain, which completes what lacks an end, cannot complete it.
_BREAKING_ENDINGS: Final = ("]", "}", '"]', '"}', '""]', '""}')
# The ends of strings, and characters that strict JSON has escaped inside of them.
_MARKS: Final = re.compile(r'\\.|["\x00-\x1f]', re.DOTALL)


def read_calls(
    sent: Iterable[Any],
    *,
    finish_reason: str | None = None,
    tools: Sequence[Mapping[str, Any]] = (),
    forced: bool = False,
    names: ToolNames | None = None,
) -> tuple[list[ToolCall], list[InvalidToolCall], dict[str, Any]]:
    """Return the calls of a message, those whose arguments are not a JSON object, and their extras.

    Args:
        sent: `message.tool_calls`, in the API's form.
        finish_reason: Why the message ended.
        tools: The tools of the request, in the API's form.
        forced: Whether the request demanded a call.
        names: The names of the tools, as the program knows them.
    """
    names = ToolNames() if names is None else names
    calls: list[ToolCall] = []
    invalid: list[InvalidToolCall] = []
    parsed = parse_tool_calls(sent, finish_reason=finish_reason, tools=tools, forced=forced)
    for call in parsed:
        name = names.from_wire(call.name)
        if call.arguments is not None:
            calls.append(tool_call(name=name, args=call.arguments, id=call.id))
        else:
            invalid.append(
                invalid_tool_call(name=name, args=call.text, id=call.id, error=call.problem)
            )
    return calls, invalid, extras_of(parsed)


def extras_of(calls: Iterable[ParsedToolCall]) -> dict[str, Any]:
    """Return what `additional_kwargs` holds of calls: members to send back, by the call's id."""
    extras = {call.id: call.extras for call in calls if call.extras}
    return {CALL_EXTRAS_KEY: extras} if extras else {}


class StreamedArguments:
    """The arguments of a streamed call, rewritten so that LangChain reads them as we do.

    LangChain completes half-sent arguments, takes none for an empty object, fails on JSON that is
    not an object, and in events of version 3 on line breaks inside strings.
    """

    __slots__ = ("_escapes", "_held", "_in_string", "_started")

    def __init__(self) -> None:
        self._escapes: EscapeJoiner | None = None
        self._held = ""
        self._in_string = False
        self._started = False

    def feed(self, piece: str) -> str:
        """Return as much of the text as may be passed on: nothing of what is not an object."""
        if not self._started:
            self._held += piece
            # An empty object is all, or the placeholder that some gateways put before the object.
            piece = self._held.lstrip().removeprefix("{}").lstrip()
            if not piece.startswith("{") or piece == "{":
                return ""
            self._started, self._held = True, ""
        if self._escapes is None and "\\" in piece:
            self._escapes = EscapeJoiner()
        if self._escapes is not None:
            piece = self._escapes.feed(piece)
        return _MARKS.sub(self._passed_on, piece)

    def end(self, call: ParsedToolCall) -> str:
        """Return what has to follow: the rest, and what breaks a call that must not be run."""
        if call.arguments is None:
            held = self._held if self._escapes is None else self._escapes.held
            return held + breaking_ending(call)
        return "" if self._started else json.dumps(call.arguments, ensure_ascii=False)

    def _passed_on(self, mark: re.Match[str]) -> str:
        text = mark[0]
        if text == '"':
            self._in_string = not self._in_string
        elif self._in_string and len(text) == 1:
            return json.dumps(text)[1:-1]
        return text


def breaking_ending(call: ParsedToolCall) -> str:
    """Return what has to follow a streamed call so that LangChain does not take it for valid.

    LangChain adds chunks by completing half-sent arguments, and takes no arguments for an empty
    object. It gives up at a bracket that closes nothing.

    Returns:
        Some brackets and quotes; nothing for a call with arguments.
    """
    if call.arguments is not None:
        return ""
    return next((ending for ending in _BREAKING_ENDINGS if not _completes(call.text + ending)), "]")


def _completes(text: str) -> bool:
    try:
        return isinstance(parse_partial_json(text), dict)
    except (ValueError, RecursionError):
        return False


def wire_calls(
    message: AIMessage, answered: frozenset[str], names: ToolNames | None = None
) -> list[dict[str, Any]]:
    """Return the calls of a message for the API.

    Arguments are valid JSON in each: servers refuse a complete conversation for one broken call. A
    broken call is therefore only sent back as a call if a tool message answers it.

    Args:
        message: A message of the model.
        answered: Identifiers of the calls that have a tool message.
        names: The names of the request's tools.
    """
    calls = [_wire_call(call["id"], call["name"], call["args"]) for call in message.tool_calls]
    calls += [
        _wire_call(broken["id"], broken["name"] or "", _repaired(broken["args"]))
        for broken in message.invalid_tool_calls
        if broken["id"] in answered
    ]
    known = {call["id"] for call in calls} | {call["id"] for call in message.invalid_tool_calls}
    calls += [call for call in _calls_in_content(message.content) if call["id"] not in known]
    if isinstance(extras := message.additional_kwargs.get(CALL_EXTRAS_KEY), dict):
        calls = [{**(extras.get(call["id"]) or {}), **call} for call in calls]
    names = ToolNames() if names is None else names
    for call in calls:
        call["function"]["name"] = names.to_wire(call["function"]["name"])
    return calls


def unanswered_notes(message: AIMessage, answered: frozenset[str]) -> list[str]:
    """Return a sentence for each broken call that nobody answered, so that none is lost."""
    return [
        f"[A call of the tool `{broken['name']}` was not run, as its arguments were not "
        f"valid JSON: {broken['args']}]"
        for broken in message.invalid_tool_calls
        if broken["id"] not in answered
    ]


def _wire_call(identifier: str | None, name: str, arguments: Any) -> dict[str, Any]:
    return {
        "id": identifier or "",
        "type": "function",
        "function": {"name": name, "arguments": json_text(arguments)},
    }


def _calls_in_content(content: str | list[Any]) -> list[dict[str, Any]]:
    """Return calls that are in the content alone, as in hand-made messages of other formats."""
    if isinstance(content, str):
        return []
    calls = []
    for block in content:
        match block:
            case {"type": "tool_use", "id": str(identifier), "name": str(name), "input": arguments}:
                pass
            case {"type": "tool_call", "id": str(identifier), "name": str(name), "args": arguments}:
                pass
            case {"type": "function_call", "name": str(name), "arguments": arguments}:
                identifier = str(block.get("call_id") or block.get("id") or "")
            case _:
                continue
        calls.append(_wire_call(identifier, name, _repaired(arguments)))
    return calls


def _repaired(arguments: Any) -> dict[str, Any]:
    try:
        return parse_tool_arguments(arguments)
    except ToolArgumentsError:
        return {"invalid_json": arguments}
