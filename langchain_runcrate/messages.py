"""Messages between LangChain and the API, both ways; pure, total, and the same for every call.

What becomes of a message of each class, on its way to the API:

| LangChain | API |
|---|---|
| `SystemMessage` | `system` (also when it is marked as `developer`, a role Runcrate lacks) |
| `HumanMessage` | `user`; Anthropic's `tool_result` blocks in it become `tool` messages |
| `AIMessage` | `assistant` with text, tool calls, refusal and, by policy, its reasoning |
| `ToolMessage` | `tool`; images and files are lifted into a `user` message where need be |
| `FunctionMessage` | `function` |
| `ChatMessage` | its role, translated where LangChain calls it otherwise |

Chunks are treated like the messages they are parts of. Calls that a provider ran itself
(web search, code execution) are left out, like the reasoning of another provider, and like blocks
of kinds that only that provider knows: nobody else can use them. Any other unknown block, and an
unknown class, is an error that names it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_runcrate.content_parts import (
    WireContent,
    as_text,
    joined_content,
    text_part,
    unknown_block,
    wire_content,
    wire_parts,
)
from langchain_runcrate.reasoning import PROVIDER, REASONING_BLOCKS, ReasoningPolicy, wire_reasoning
from langchain_runcrate.responses import assistant_message
from langchain_runcrate.tool_calls import CALL_BLOCKS, unanswered_notes, wire_calls
from langchain_runcrate.tools_binding import NO_NAMES
from runcrate_core.toolkit import ToolNames, wire_author_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ToolMedia = Literal["auto", "native", "lift"]

_ROLES: Final = {
    "ai": "assistant",
    "developer": "system",
    "human": "user",
}
# Calls that a provider ran itself during a response.
_PROVIDER_EXECUTED: Final = re.compile(
    r"server_tool_.+|.+_tool_result|(?:web_search|file_search|computer|code_interpreter|mcp"
    r"|image_generation|tool_search)_call|mcp_(?:tool_use|list_tools|approval_request)"
    r"|executable_code|code_execution_result"
)


class WirePolicy(NamedTuple):
    """Choices in which servers differ.

    Attributes:
        reasoning: Reasoning that is sent back to the model.
        native_tool_images: The model reads images in tool messages; where not, they go
            into a user's message behind them.
        native_tool_files: The same for other media.
        names: The names of the request's tools.
    """

    reasoning: ReasoningPolicy = "auto"
    native_tool_images: bool = False
    native_tool_files: bool = False
    names: ToolNames = NO_NAMES


def to_wire(
    messages: Sequence[BaseMessage], policy: WirePolicy | None = None
) -> list[dict[str, Any]]:
    """Return a conversation for the API. The same conversation always gives the same result.

    Args:
        messages: The conversation.
        policy: Choices in which servers differ.

    Raises:
        TypeError: A message is of a class that cannot be sent; it is named.
        ValueError: A content block cannot be sent; it is named.
    """
    policy = policy or WirePolicy()
    answered = frozenset([m.tool_call_id for m in messages if isinstance(m, ToolMessage)])
    questions = [place for place, m in enumerate(messages) if isinstance(m, HumanMessage)]
    last_question = questions[-1] if questions else -1
    wire: list[dict[str, Any]] = []
    lifted: list[dict[str, Any]] = []
    for place, message in enumerate(messages):
        if lifted and not isinstance(message, ToolMessage):
            # Results of parallel calls must stay together, so this waits for the last of them.
            wire.append({"role": "user", "content": lifted})
            lifted = []
        match message:
            case SystemMessage():
                _add_system_message(wire, _named("system", message))
            case HumanMessage():
                wire += _user_messages(message, policy)
            case AIMessage():
                in_tool_loop = place > last_question
                wire.append(_assistant(message, policy, answered, in_tool_loop))
            case ToolMessage():
                sent, media = _tool_result(message, policy)
                wire.append(sent)
                lifted += media
            case FunctionMessage():
                wire.append(_named("function", message))
            case ChatMessage():
                wire.append(_named(_ROLES.get(message.role, message.role), message))
            case _:
                raise TypeError(
                    f"A message of class `{type(message).__name__}` cannot be sent to a model. "
                    "Nothing was sent."
                )
    if lifted:
        wire.append({"role": "user", "content": lifted})
    return wire


def from_wire(message: Mapping[str, Any]) -> BaseMessage:
    """Return a message of the API as LangChain's.

    Raises:
        TypeError: Its role is not text.
    """
    content, name = message.get("content"), message.get("name")
    content = "" if content is None else content
    match message.get("role"):
        case "assistant":
            return assistant_message(message)
        case "user":
            return HumanMessage(content, name=name)
        case "system":
            return SystemMessage(content, name=name)
        case "tool":
            return ToolMessage(content, tool_call_id=str(message.get("tool_call_id") or ""))
        case "function":
            return FunctionMessage(content=content, name=name or "")
        case str(role):
            return ChatMessage(content=content, role=role, name=name)
        case role:
            raise TypeError(f"A message has the role {role!r}, which is not text.")


def _add_system_message(wire: list[dict[str, Any]], message: dict[str, Any]) -> None:
    """Append a system message. At the start there is one: many models refuse a second."""
    match wire:
        case [{"role": "system", "content": before}] if "name" not in wire[0] | message:
            wire[0] = {"role": "system", "content": joined_content(before, message["content"])}
        case _:
            wire.append(message)


def _named(role: str, message: BaseMessage) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": role, "content": wire_content(message.content, role)}
    name = message.name or message.additional_kwargs.get("name")
    if name:
        wire["name"] = wire_author_name(str(name))
    return wire


def _user_messages(message: HumanMessage, policy: WirePolicy) -> list[dict[str, Any]]:
    if isinstance(message.content, str):
        return [_named("user", message)]
    results: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    rest: list[Any] = []
    for block in message.content:
        match block:
            case {"type": "tool_result", "tool_use_id": str(identifier)} if isinstance(block, dict):
                result = ToolMessage(block.get("content") or "", tool_call_id=identifier)
                sent, lifted = _tool_result(result, policy)
                results.append(sent)
                parts += lifted
            case _:
                rest.append(block)
    if not results:
        return [_named("user", message)]
    if rest:
        own = _named("user", HumanMessage(rest, name=message.name))
        return [*results, own | {"content": joined_content(parts or "", own["content"])}]
    return [*results, {"role": "user", "content": parts}] if parts else results


def _assistant(
    message: AIMessage,
    policy: WirePolicy,
    answered: frozenset[str],
    in_tool_loop: bool,  # noqa: FBT001 - private
) -> dict[str, Any]:
    content = message.content
    blocks = [content] if isinstance(content, str) else content
    of_another = message.response_metadata.get("model_provider", PROVIDER) != PROVIDER
    parts = [part for block in blocks for part in _spoken_parts(block, of_another=of_another)]
    parts += [text_part(note) for note in unanswered_notes(message, answered)]
    calls = wire_calls(message, answered, policy.names)
    # `null` beside calls is OpenAI's form, and what the official wrapper sends.
    wire: dict[str, Any] = {
        "role": "assistant",
        "content": _joined(parts) or (None if calls else ""),
    }
    if message.name:
        wire["name"] = wire_author_name(message.name)
    wire |= wire_reasoning(message, policy.reasoning, in_tool_loop=in_tool_loop)
    if refusal := _refusal(message):
        wire["refusal"] = refusal
    if calls:
        wire["tool_calls"] = calls
    elif function_call := message.additional_kwargs.get("function_call"):
        wire["function_call"] = function_call
    match message.additional_kwargs.get("audio"):
        case {"id": str(identifier)}:
            wire["audio"] = {"id": identifier}
    return wire


def _spoken_parts(block: Any, *, of_another: bool) -> list[dict[str, Any]]:
    """Return what of a block the model said, without what is sent in fields of its own.

    Args:
        block: A block of content.
        of_another: Another provider's model made it: what only that one knows is left out.
    """
    match block:
        case {"type": "non_standard", "value": {"type": str()} as value}:
            return _spoken_parts(value, of_another=of_another)
        case {"type": "non_standard"}:
            if of_another:
                return []
            raise unknown_block(block, "assistant")
        case {"type": "refusal"}:
            return []
        case {"type": str(kind)} if kind in REASONING_BLOCKS or kind in CALL_BLOCKS:
            return []
        case {"type": str(kind)} if _PROVIDER_EXECUTED.fullmatch(kind):
            return []
        case {"type": "compaction", "content": str(summary)}:  # of what was said before
            return [text_part(f"{summary}\n\n")]
        case _:
            try:
                return wire_parts(block, "assistant")
            except ValueError:
                if of_another:
                    return []
                raise


def _joined(parts: list[dict[str, Any]]) -> WireContent:
    """Join what a model said: pieces of one response, which many servers read as text alone."""
    if all(part.keys() == {"type", "text"} for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _refusal(message: AIMessage) -> str:
    known = message.additional_kwargs.get("refusal")
    if isinstance(known, str):
        return known
    blocks = [] if isinstance(message.content, str) else message.content
    for block in blocks:
        match block:
            case {"type": "refusal", "refusal": str(text)}:
                return text
            case {"type": "non_standard", "value": {"refusal": str(text)}}:
                return text
    return ""


def _tool_result(
    message: ToolMessage, policy: WirePolicy
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a tool message for the API, and the parts that have to go behind it."""
    wire: dict[str, Any] = {"role": "tool", "tool_call_id": message.tool_call_id}
    if isinstance(message.content, str):
        return wire | {"content": wire_content(message.content, "tool")}, []
    kept: list[dict[str, Any]] = []
    lifted: list[dict[str, Any]] = []
    for block in message.content:
        for part in wire_parts(block, "tool"):
            image = part["type"] == "image_url"
            native = policy.native_tool_images if image else policy.native_tool_files
            (kept if native or part["type"] == "text" else lifted).append(part)
    if not lifted:
        return wire | {"content": as_text(kept)}, []
    kept.append(text_part("[What this call returned is attached to the next message.]"))
    # A label and no sentence, so that no model takes it for a new request.
    head = text_part(f"[Attachment of the result of call `{message.tool_call_id}`]")
    return wire | {"content": as_text(kept)}, [head, *lifted]
