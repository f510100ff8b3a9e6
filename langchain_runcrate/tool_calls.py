"""Tool calls between their three forms: the API's, LangChain's, and calls that went wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain_core.messages.tool import invalid_tool_call, tool_call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.messages import AIMessage, InvalidToolCall, ToolCall

# Blocks of content that say again what `message.tool_calls` says, in their providers' own form.
CALL_BLOCKS = frozenset(
    {
        "function_call",
        "input_json_delta",
        "invalid_tool_call",
        "tool_call",
        "tool_call_chunk",
        "tool_use",
    }
)


def read_calls(
    sent: Iterable[Any], completion_id: str
) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """Return the calls of an answer, and those whose arguments are not a JSON object.

    Args:
        sent: `message.tool_calls` of the answer.
        completion_id: Names calls that came without an identifier, see `call_id`.
    """
    calls: list[ToolCall] = []
    invalid: list[InvalidToolCall] = []
    for number, item in enumerate(sent):
        if not isinstance(item, dict):
            continue
        function = item.get("function")
        function = function if isinstance(function, dict) else {}
        name, arguments = str(function.get("name") or ""), function.get("arguments")
        identifier = item.get("id") or call_id(completion_id, number)
        parsed, problem = _parsed(arguments)
        if parsed is not None:
            calls.append(tool_call(name=name, args=parsed, id=identifier))
        else:
            text = arguments if isinstance(arguments, str) else json.dumps(arguments)
            invalid.append(invalid_tool_call(name=name, args=text, id=identifier, error=problem))
    return calls, invalid


def call_id(completion_id: str, number: int) -> str:
    """Return an identifier for a call that came without one: always the same, never twice."""
    return f"call_{completion_id}_{number}" if completion_id else f"call_{number}"


def wire_calls(message: AIMessage, answered: frozenset[str]) -> list[dict[str, Any]]:
    """Return the calls of a message for the API.

    Arguments are valid JSON in each: servers refuse a whole conversation for one broken call. A
    broken call is therefore only repeated as a call if a tool message answers it.

    Args:
        message: A message of the model.
        answered: Identifiers of the calls that have a tool message.
    """
    calls = [
        _wire_call(call["id"], call["name"], json.dumps(call["args"], ensure_ascii=False))
        for call in message.tool_calls
    ]
    calls += [
        _wire_call(broken["id"], broken["name"] or "", _repaired(broken["args"]))
        for broken in message.invalid_tool_calls
        if broken["id"] in answered
    ]
    known = {call["id"] for call in calls} | {call["id"] for call in message.invalid_tool_calls}
    calls += [call for call in _calls_in_content(message.content) if call["id"] not in known]
    return calls


def unanswered_notes(message: AIMessage, answered: frozenset[str]) -> list[str]:
    """Return a sentence for each broken call that nobody answered, so that none is lost."""
    return [
        f"[A call of the tool `{broken['name']}` was not carried out, as its arguments were not "
        f"valid JSON: {broken['args']}]"
        for broken in message.invalid_tool_calls
        if broken["id"] not in answered
    ]


def _wire_call(identifier: str | None, name: str, arguments: str) -> dict[str, Any]:
    return {
        "id": identifier or "",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _calls_in_content(content: str | list[Any]) -> list[dict[str, Any]]:
    """Return calls that stand in the content alone, as in hand-made messages of other formats."""
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
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        calls.append(_wire_call(identifier, name, _repaired(text)))
    return calls


def _parsed(arguments: Any) -> tuple[dict[str, Any] | None, str | None]:
    if arguments is None or arguments == "":
        return {}, None
    if isinstance(arguments, dict):
        return arguments, None
    try:
        # Models put line breaks into strings, which strict JSON does not allow.
        value = json.loads(arguments, strict=False)
    except (TypeError, ValueError, RecursionError) as error:
        return None, f"The arguments are not valid JSON: {error}."
    if isinstance(value, dict):
        return value, None
    return None, f"The arguments are a JSON {type(value).__name__}, not an object."


def _repaired(arguments: str | None) -> str:
    parsed, _ = _parsed(arguments)
    return json.dumps({"invalid_json": arguments} if parsed is None else parsed, ensure_ascii=False)
