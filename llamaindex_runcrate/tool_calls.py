"""Tool calls: from the service's form to LlamaIndex's and back, complete and in pieces.

Arguments that are not a complete JSON object, as at the end of a response that was cut at the token
limit, stay text in their `ToolCallBlock`: a call with them is never a call with other arguments,
or with none. Agents look the tool of such a call up under a name that no tool has, so that it is
not run and the model learns why.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.llms.llm import ToolSelection
from pydantic import BaseModel

from llamaindex_runcrate.partial_json import PartialJson
from runcrate_core.toolkit import (
    ToolArgumentsError,
    ToolNames,
    construct,
    json_text,
    parse_tool_arguments,
    parse_tool_calls,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from llama_index.core.base.llms.types import ChatMessage

    from runcrate_core.toolkit import ParsedToolCall

# Where messages carry their calls a second time, in the service's form: LlamaIndex's streaming
# programs look only there.
CALLS_KEY: Final = "tool_calls"
# Of a request without tools.
NO_NAMES: Final = ToolNames()
# The argument that holds unreadable arguments, in selections and in what is sent back.
UNREADABLE_KEY: Final = "invalid_json"

_MEMBERS: Final = frozenset({"id", "type", "function"})  # of a call in the service's form

_NOT_RUN: Final = " was not run: its arguments could not be read. "
_NEXT_STEP: Final = " Call it again with complete JSON arguments."
# The text that LlamaIndex's agents put behind the name of a tool that they do not have.
_NOT_FOUND: Final = " not found. Please select a tool that is available."
_MAX_SHOWN: Final = 200  # characters of unreadable arguments


def call_blocks(calls: Iterable[ParsedToolCall], names: ToolNames) -> list[ToolCallBlock]:
    """Return the blocks of the calls of a complete response.

    Args:
        calls: The calls.
        names: The tools' names on the wire.
    """
    return [
        _block(
            call.id,
            names.from_wire(call.name),
            call.text if call.arguments is None else call.arguments,
        )
        for call in calls
    ]


def legacy_calls(calls: Iterable[ParsedToolCall]) -> list[dict[str, Any]]:
    """Return the calls of a complete response in the service's form."""
    return [
        call.extras
        | _wire_call(
            call.id,
            call.name,
            call.text
            if call.arguments is None or call.text.lstrip().startswith("{")
            else json.dumps(call.arguments, ensure_ascii=False),
        )
        for call in calls
    ]


def selections_of(message: ChatMessage, *, cut: bool = False) -> list[ToolSelection]:
    """Return the calls of a message: its blocks, or in older messages `additional_kwargs`.

    A call whose arguments cannot be read has a tool name that states this and belongs to no tool.

    Args:
        message: The message.
        cut: The response ended at the token limit, which is then the reason.
    """
    selections = []
    for identifier, name, arguments in _calls_of(message):
        tool_name = name
        try:
            kwargs = _read(arguments)
        except ToolArgumentsError as error:
            limit = " The response ended at the token limit." if cut else ""
            tool_name = f"{name}{_NOT_RUN}{error}{limit}{_NEXT_STEP}"
            kwargs = {UNREADABLE_KEY: str(arguments)[:_MAX_SHOWN]}
        selection = ToolSelection(tool_id=identifier, tool_name=tool_name, tool_kwargs=kwargs)
        selections.append(selection)
    return selections


def unreadable_call(selections: Iterable[ToolSelection]) -> str | None:
    """Return the reason why a selected tool is not run; None where every call can be read."""
    names = (selection.tool_name for selection in selections)
    return next((name for name in names if _NOT_RUN in name), None)


def tool_result_text(text: str) -> str:
    """Return the result of a tool, where it is one of a call that could not be read in plain words.

    Agents answer such a call with the text for tools that they do not have.
    """
    return text.removesuffix(_NOT_FOUND) if _NOT_RUN in text else text


def wire_calls(message: ChatMessage, names: ToolNames) -> list[dict[str, Any]]:
    """Return the calls of a message in the service's form, to be sent back to it.

    Arguments are always a JSON object: chat templates and strict servers read them.

    Args:
        message: The message.
        names: The tools' names on the wire.
    """
    extras = _extras_of(message)
    return [
        extras.get(identifier, {})
        | _wire_call(identifier, names.to_wire(name), _sendable(arguments))
        for identifier, name, arguments in _calls_of(message)
    ]


def _calls_of(message: ChatMessage) -> list[tuple[str, str, dict[str, Any] | str]]:
    """Return identifier, name and arguments of each call of a message."""
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if blocks:
        # LlamaIndex's integrations of Ollama and Gemini name the result of such a call by its tool.
        return [
            (block.tool_call_id or block.tool_name, block.tool_name, block.tool_kwargs)
            for block in blocks
        ]
    return [
        (call.id, call.name, call.text if call.arguments is None else call.arguments)
        for call in _legacy_calls_of(message)
    ]


def _legacy_calls_of(message: ChatMessage) -> list[ParsedToolCall]:
    legacy = message.additional_kwargs.get(CALLS_KEY)
    if not isinstance(legacy, list):
        return []
    # Other integrations leave models of their vendor's client there.
    calls = [call.model_dump() if isinstance(call, BaseModel) else call for call in legacy]
    return parse_tool_calls(calls)


def _extras_of(message: ChatMessage) -> dict[str, dict[str, Any]]:
    """Return the members that blocks have no place for, by the identifiers of their calls."""
    legacy = message.additional_kwargs.get(CALLS_KEY)
    if not legacy or not isinstance(legacy, list):
        return {}
    if all(isinstance(call, dict) and call.keys() <= _MEMBERS for call in legacy):
        return {}  # spares parsing the arguments
    return {call.id: call.extras for call in _legacy_calls_of(message) if call.extras}


@dataclass(slots=True)
class _StreamedCall:
    """A call as far as its pieces have come."""

    id: str = ""
    name: str = ""
    arguments: str = ""
    parsed: PartialJson = field(default_factory=PartialJson)

    def add(self, delta: Mapping[str, Any]) -> None:
        self.id = delta.get("id") or self.id
        function = delta.get("function")
        if not isinstance(function, dict):
            return
        self.name += function.get("name") or ""
        if piece := function.get("arguments"):
            self.arguments += piece
            self.parsed.feed(piece)

    def wire(self) -> dict[str, Any]:
        return _wire_call(self.id, self.name, self.arguments)

    def block(self, names: ToolNames) -> ToolCallBlock:
        value = self.parsed.value()
        arguments = value if isinstance(value, dict) else {}
        return _block(self.id, names.from_wire(self.name), arguments)


class StreamedCalls:
    """The tool calls of a stream, as far as they have come.

    `blocks` and `wire` hold new objects for every call that a piece has changed, so that those
    returned before stay what they were. What came before a piece is copied and not parsed again.

    Args:
        single: Only the first call is shown.
        names: The tools' names on the wire.

    Attributes:
        blocks: A block for each call. Its arguments are for display: only the last chunk of a
            stream, which `call_blocks` makes, decides whether they are complete.
        wire: The calls in the service's form.
    """

    __slots__ = ("_blocks", "_calls", "_names", "_single", "_wire", "blocks", "wire")

    def __init__(self, *, single: bool, names: ToolNames) -> None:
        self._single = single
        self._names = names
        self._calls: dict[int, _StreamedCall] = {}
        # The shown form of each call, in the order of their indexes.
        self._blocks: dict[int, ToolCallBlock] = {}
        self._wire: dict[int, dict[str, Any]] = {}
        self.blocks: list[ToolCallBlock] = []
        self.wire: list[dict[str, Any]] = []

    def add(self, deltas: Sequence[Mapping[str, Any]]) -> None:
        """Read the `delta.tool_calls` of a chunk, which the client has put right."""
        for delta in deltas:
            index = delta.get("index") if isinstance(delta, dict) else None
            if not isinstance(index, int):
                continue
            call = self._calls.get(index)
            if call is None:
                call = self._calls[index] = _StreamedCall()
            call.add(delta)
            is_late = index not in self._blocks and any(index < known for known in self._blocks)
            self._blocks[index] = call.block(self._names)
            self._wire[index] = call.wire()
            if is_late:
                self._blocks = dict(sorted(self._blocks.items(), key=_index_of))
                self._wire = dict(sorted(self._wire.items(), key=_index_of))
        self.blocks = list(self._blocks.values())
        self.wire = list(self._wire.values())
        if self._single:
            del self.blocks[1:], self.wire[1:]


def _index_of(shown: tuple[int, Any]) -> int:
    return shown[0]


def _block(identifier: str, name: str, arguments: dict[str, Any] | str) -> ToolCallBlock:
    return construct(
        ToolCallBlock,
        {
            "block_type": "tool_call",
            "tool_call_id": identifier,
            "tool_name": name,
            "tool_kwargs": arguments,
        },
    )


def _wire_call(identifier: str, name: str, arguments: str) -> dict[str, Any]:
    return {
        "id": identifier,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _read(arguments: dict[str, Any] | str) -> dict[str, Any]:
    """Return arguments as an object.

    Raises:
        ToolArgumentsError: They are text that holds none.
    """
    if isinstance(arguments, str) and not arguments.strip():
        raise ToolArgumentsError("The arguments are missing.")
    return parse_tool_arguments(arguments)


def _sendable(arguments: dict[str, Any] | str) -> str:
    if isinstance(arguments, dict):
        return json_text(arguments)
    try:
        return json_text(parse_tool_arguments(arguments))
    except ToolArgumentsError:
        return json_text({UNREADABLE_KEY: arguments})
