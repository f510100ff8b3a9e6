"""Tool calls of a model's response: which may be run, and why the others may not.

A call is run only when its arguments are a complete JSON object. A call that was cut at the token
limit is never repaired: completing `rm -rf /data/ol` gives a valid call of something else. The
finish reason does not decide, as some servers report `tool_calls` for calls that were cut.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Never

from pydantic_core import to_jsonable_python

from runcrate_core.protocol.unicode_text import valid_json, valid_text

# Finish reasons of a response that was cut at the token limit: OpenAI's, Anthropic's and Gemini's,
# and Mistral's.
_LIMIT_REASONS: Final = frozenset({"length", "max_tokens", "model_length"})

_CUT: Final = "They were cut off at the token limit; raise `max_tokens`, or ask for less."


# Members of a call that count only when they come back with it: signatures of the reasoning behind
# the call, without which Gemini refuses the conversation. The second name is LiteLLM's.
_SENT_BACK: Final = ("extra_content", "provider_specific_fields")


def ended_at_limit(finish_reason: object) -> bool:
    """Return whether a response was cut at the token limit, in whichever server's words."""
    return isinstance(finish_reason, str) and finish_reason.lower() in _LIMIT_REASONS


class ToolArgumentsError(ValueError):
    """The arguments of a tool call are not a complete JSON object; the message says why."""


@dataclass(frozen=True, slots=True)
class ParsedToolCall:
    """A tool call of a model.

    Attributes:
        id: Identifier, unlike that of the other calls of the message.
        name: Name of the tool.
        text: The arguments as the model wrote them.
        arguments: The arguments, or None when they are incomplete or not a JSON object. Such a
            call must not be run.
        problem: Why there are no arguments; empty when there are.
        extras: Members of the call that have to be sent back with it.
    """

    id: str
    name: str
    text: str
    arguments: dict[str, Any] | None
    problem: str = ""
    extras: dict[str, Any] = field(default_factory=dict)


def parse_tool_calls(
    calls: Iterable[Any],
    *,
    finish_reason: str | None = None,
    tools: Sequence[Mapping[str, Any]] = (),
    forced: bool = False,
) -> list[ParsedToolCall]:
    """Return the tool calls of a message, each with its arguments or the reason for none.

    Args:
        calls: `message.tool_calls`, complete or accumulated from a stream. Items that are not
            objects are left out. The client has named those of responses; others that have no
            identifier are numbered.
        finish_reason: Why the response ended. At the token limit, missing arguments were cut.
        tools: The tools of the request. A call of a tool with required parameters that has no
            arguments at all, not even `{}`, was cut before the first of them. Where all are
            optional, servers (vLLM) send nothing for an empty object.
        forced: The request demanded a call, as for structured output: an object in which
            everything is optional is not taken from nothing.
    """
    taken: set[str] = set()
    parsed = []
    cut = ended_at_limit(finish_reason)
    needed = {name: _needs_arguments(tool, forced) for tool in tools if (name := _name_of(tool))}
    for number, call in enumerate(calls):
        if not isinstance(call, dict):
            continue
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        name = valid_text(str(function.get("name") or ""))
        sent = _without_placeholder(function.get("arguments"))
        identifier = unique_call_id(str(call.get("id") or f"call_{number}"), taken)
        taken.add(identifier)
        arguments, problem = None, ""
        if not name:
            problem = "It names no tool."
        elif _is_blank(sent) and (cut or needed.get(name)):
            problem = "The arguments are missing."
        else:
            try:
                arguments = parse_tool_arguments(sent)
            except ToolArgumentsError as error:
                problem = str(error)
        if problem and cut:
            problem = f"{problem} {_CUT}"
        extras = {member: call[member] for member in _SENT_BACK if call.get(member)}
        parsed.append(ParsedToolCall(identifier, name, _as_text(sent), arguments, problem, extras))
    return parsed


def parse_tool_arguments(arguments: Any) -> dict[str, Any]:
    """Return the arguments of a tool call.

    Line breaks inside strings are accepted, as models write them; everything else is strict JSON.
    No arguments at all, and `null`, are an empty object.

    Args:
        arguments: JSON text, an object (some servers send that), or None.

    Raises:
        ToolArgumentsError: They are not a complete JSON object, or hold NaN or an infinity.
    """
    if _is_blank(arguments):
        return {}
    value = arguments
    if isinstance(arguments, str):
        try:
            value = strict_json(arguments)
            if isinstance(value, str):  # some models write the object as text inside of a text
                value = strict_json(value)
        except (ValueError, RecursionError) as error:
            raise ToolArgumentsError(f"The arguments are not valid JSON: {error}.") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        kind = type(value).__name__
        raise ToolArgumentsError(f"The arguments are a JSON {kind}, not an object.")
    return valid_json(value)  # type: ignore[no-any-return] # a dict becomes a dict


def strict_json(text: str) -> Any:
    """Return the value of a JSON text in which strings may hold line breaks.

    Raises:
        ValueError: It is not JSON, or holds NaN or an infinity, which JSON does not have.
    """
    return json.loads(
        text, strict=False, parse_constant=_refuse_constant, parse_float=_finite_number
    )


def json_text(value: Any) -> str:
    """Return the JSON text of a value that a program put into a conversation.

    Dates, decimals, sets, pydantic objects and the like become what pydantic makes of them; NaN and
    the infinities, which JSON does not have, become text.

    Raises:
        ValueError: It holds something that has no JSON form; its class is named.
    """
    try:
        text = _to_json(value)
    except ValueError:
        text = _to_json(_finite(value))
    return valid_text(text)


_to_json: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, default=to_jsonable_python
).encode


def _finite(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {name: _finite(item) for name, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value


def unique_call_id(identifier: str, taken: Iterable[str]) -> str:
    """Return the identifier, with a number behind it where another call has it."""
    known = set(taken)
    if identifier not in known:
        return identifier
    number = 2
    while f"{identifier}_{number}" in known:
        number += 1
    return f"{identifier}_{number}"


def _without_placeholder(arguments: Any) -> Any:
    """Return arguments without the empty object that some gateways put before those they stream."""
    if isinstance(arguments, str) and arguments.lstrip().startswith("{}"):
        following = arguments.lstrip()[2:].lstrip()
        return following if following.startswith("{") else arguments
    return arguments


def _is_blank(arguments: Any) -> bool:
    return arguments is None or (isinstance(arguments, str) and not arguments.strip())


def _as_text(arguments: Any) -> str:
    if isinstance(arguments, str):
        return valid_text(arguments)
    return "" if arguments is None else json.dumps(valid_json(arguments), ensure_ascii=False)


def _name_of(tool: Mapping[str, Any]) -> str:
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else ""


def _needs_arguments(tool: Mapping[str, Any], forced: bool) -> bool:  # noqa: FBT001 - private
    parameters = tool["function"].get("parameters")
    member = "properties" if forced else "required"
    return isinstance(parameters, dict) and bool(parameters.get(member))


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not a JSON number")


def _finite_number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number
