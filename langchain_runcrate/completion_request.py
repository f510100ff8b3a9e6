"""The request of a call: settings of the model, bound parameters, arguments of the call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_runcrate.tools_binding import NO_NAMES, wire_response_format, with_wire_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runcrate_core.toolkit import ToolNames

# Arguments of calls that are not for the API.
_NOT_SENT: Final = frozenset(
    {
        "ls_structured_output_format",
        "stream",
        "stream_usage",
        "strict",
        "structured_output_format",
    }
)
# Fields that make no sense, and are refused, without tools.
_WITH_TOOLS: Final = ("tool_choice", "parallel_tool_calls")


def completion_request(
    wire_messages: Sequence[Mapping[str, Any]],
    defaults: Mapping[str, Any],
    call: Mapping[str, Any],
    stop: Sequence[str] | None = None,
    names: ToolNames = NO_NAMES,
    disabled: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the arguments of `client.chat.completions.create` for a call.

    Args:
        wire_messages: The conversation, in the API's form.
        defaults: What the model was made with; `extra_body` is joined with the call's.
        call: Bound parameters and arguments of the call, which win.
        stop: The call's stop sequences.
        names: The names of the tools.
        disabled: Parameters that the server does not know: left out when the value is `None` or
            holds the parameter's value.
    """
    request = {**defaults, **{name: call[name] for name in call if name not in _NOT_SENT}}
    request.pop("stream_options", None)
    if stop is not None:
        request["stop"] = stop
    if not request.get("stop"):
        request.pop("stop", None)
    max_tokens = request.pop("max_completion_tokens", None)
    if max_tokens is not None:
        request["max_tokens"] = max_tokens
    tools = request.get("tools")
    if not tools:
        for name in ("tools", *_WITH_TOOLS):
            request.pop(name, None)
    if (response_format := request.get("response_format")) is not None:
        request["response_format"] = wire_response_format(
            response_format, strict=call.get("strict")
        )
    if "extra_body" in request:
        request["extra_body"] = {
            **(defaults.get("extra_body") or {}),
            **(call.get("extra_body") or {}),
        } or None
    for name, values in (disabled or {}).items():
        if name in request and (values is None or request[name] in values):
            del request[name]
    if tools or response_format is not None:
        request = with_wire_names(request, names)
    request["messages"] = wire_messages
    return {name: value for name, value in request.items() if value is not None}
