"""Tool calls: from the service's form to LlamaIndex's and back, whole and in pieces."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.llms.llm import ToolSelection
from pydantic import BaseModel

from llamaindex_runcrate.partial_json import PartialJson
from runcrate_core.toolkit import construct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from llama_index.core.base.llms.types import ChatMessage
    from llama_index.core.tools.types import BaseTool

# Where messages carry their calls a second time, in the service's form: LlamaIndex's streaming
# programs look only there.
CALLS_KEY: Final = "tool_calls"

_CHOICES: Final = {"auto": "auto", "none": "none", "required": "required", "any": "required"}


def wire_tools(tools: Sequence[BaseTool], *, strict: bool | None = None) -> list[dict[str, Any]]:
    """Return tools in the service's form.

    Args:
        tools: The tools.
        strict: Whether arguments must follow the schema to the letter; not sent when None, since
            some servers refuse the field.
    """
    wire = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
    if strict is not None:
        for tool in wire:
            tool["function"]["strict"] = strict
            tool["function"]["parameters"]["additionalProperties"] = False
    return wire


def wire_tool_choice(
    choice: str | Mapping[str, Any] | None, *, required: bool = False
) -> str | dict[str, Any] | None:
    """Return a tool choice in the service's form; None where its default is meant.

    Args:
        choice: `auto`, `none`, `required`, `any`, the name of a tool, or the service's own form.
        required: What is meant by no choice: that some tool must be called.
    """
    match choice:
        case None:
            return "required" if required else None
        case str():
            return _CHOICES.get(choice) or {"type": "function", "function": {"name": choice}}
        case _:
            return dict(choice)


def arguments_of(text: Any) -> dict[str, Any]:
    """Return the arguments that a model wrote; nothing, if they are not a whole JSON object.

    Half-written arguments count as none: a tool is better called with too few arguments, and
    says so, than with one that is cut in the middle.
    """
    if isinstance(text, str):
        try:
            text = json.loads(text, strict=False)
            if isinstance(text, str):  # some models write the object as text in the text
                text = json.loads(text, strict=False)
        except (ValueError, RecursionError):
            return {}
    return text if isinstance(text, dict) else {}


def call_id(answer_id: str, position: int) -> str:
    """Return an identifier for a call that came without one; the same for the same call."""
    return f"call_{answer_id}_{position}"


def identified_calls(calls: Iterable[Any], answer_id: str) -> list[dict[str, Any]]:
    """Return the calls of a whole answer, each with an identifier, a name and arguments as text."""
    found = []
    for position, call in enumerate(call for call in calls if isinstance(call, dict)):
        function = call.get("function")
        function = dict(function) if isinstance(function, dict) else {}
        function["name"] = function.get("name") or ""
        function["arguments"] = _text_of(function.get("arguments"))
        found.append(
            {
                **call,
                "id": call.get("id") or call_id(answer_id, position),
                "type": call.get("type") or "function",
                "function": function,
            }
        )
    return found


def call_blocks(calls: Iterable[Mapping[str, Any]]) -> list[ToolCallBlock]:
    """Return the blocks of calls in the form of `identified_calls`."""
    return [
        _block(call["id"], call["function"]["name"], arguments_of(call["function"]["arguments"]))
        for call in calls
    ]


def selections_of(message: ChatMessage) -> list[ToolSelection]:
    """Return the calls of a message: its blocks, or in older messages `additional_kwargs`."""
    return [
        ToolSelection(tool_id=identifier, tool_name=name, tool_kwargs=_kwargs_of(arguments))
        for identifier, name, arguments in _calls_of(message)
    ]


def wire_calls(message: ChatMessage) -> list[dict[str, Any]]:
    """Return the calls of a message in the service's form, to be sent back to it."""
    return [
        {
            "id": identifier,
            "type": "function",
            "function": {"name": name, "arguments": _text_of(arguments)},
        }
        for identifier, name, arguments in _calls_of(message)
    ]


def _calls_of(message: ChatMessage) -> list[tuple[str, str, dict[str, Any] | str]]:
    """Return identifier, name and arguments of each call of a message."""
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if blocks:
        return [
            (block.tool_call_id or call_id("", position), block.tool_name, block.tool_kwargs)
            for position, block in enumerate(blocks)
        ]
    legacy = message.additional_kwargs.get(CALLS_KEY)
    if not isinstance(legacy, list):
        return []
    # Other integrations leave models of their vendor's client there.
    calls = [call.model_dump() if isinstance(call, BaseModel) else call for call in legacy]
    return [
        (call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in identified_calls(calls, "")
    ]


@dataclass(slots=True)
class _StreamedCall:
    """A call as far as its pieces have come."""

    id: str
    name: str = ""
    arguments: str = ""
    parsed: PartialJson = field(default_factory=PartialJson)

    def add(self, delta: Mapping[str, Any]) -> None:
        if identifier := delta.get("id"):
            self.id = identifier
        function = delta.get("function")
        if not isinstance(function, dict):
            return
        self.name += function.get("name") or ""
        if piece := function.get("arguments"):
            self.arguments += piece
            self.parsed.feed(piece)

    def wire(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": self.arguments},
        }

    def block(self) -> ToolCallBlock:
        value = self.parsed.value()
        return _block(self.id, self.name, value if isinstance(value, dict) else {})


class StreamedCalls:
    """The tool calls of a stream, as far as they have come.

    `blocks` and `wire` hold new objects for every call that a piece has changed, so that those
    handed out before stay what they were. What came before a piece is copied and not parsed again.

    Attributes:
        blocks: A block for each call.
        wire: The calls in the service's form.
    """

    __slots__ = ("_blocks", "_calls", "_single", "_wire", "blocks", "wire")

    def __init__(self, *, single: bool) -> None:
        self._single = single
        self._calls: dict[int, _StreamedCall] = {}
        # What is shown of each call, in the order of their indexes.
        self._blocks: dict[int, ToolCallBlock] = {}
        self._wire: dict[int, dict[str, Any]] = {}
        self.blocks: list[ToolCallBlock] = []
        self.wire: list[dict[str, Any]] = []

    def add(self, deltas: Sequence[Mapping[str, Any]], answer_id: str) -> None:
        """Read the `delta.tool_calls` of a chunk, whose `index` members the client has put right.

        Args:
            deltas: The pieces.
            answer_id: Identifier of the answer, for calls that come without one.
        """
        for delta in deltas:
            index = delta.get("index") if isinstance(delta, dict) else None
            if not isinstance(index, int):
                continue
            call = self._calls.get(index)
            if call is None:
                call = self._calls[index] = _StreamedCall(call_id(answer_id, len(self._calls)))
            call.add(delta)
            is_late = index not in self._blocks and any(index < known for known in self._blocks)
            self._blocks[index] = call.block()
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


def _block(identifier: str, name: str, kwargs: dict[str, Any]) -> ToolCallBlock:
    return construct(
        ToolCallBlock,
        {
            "block_type": "tool_call",
            "tool_call_id": identifier,
            "tool_name": name,
            "tool_kwargs": kwargs,
        },
    )


def _kwargs_of(arguments: dict[str, Any] | str) -> dict[str, Any]:
    """Return arguments as an object; as far as they go, where they are unfinished text."""
    if isinstance(arguments, dict):
        return arguments
    if whole := arguments_of(arguments):
        return whole
    partial = PartialJson()
    partial.feed(arguments)
    value = partial.value()
    return value if isinstance(value, dict) else {}


def _text_of(arguments: Any) -> str:
    """Return arguments as the text that the service expects; an empty object for none."""
    if isinstance(arguments, str):
        text = arguments.strip()
        return text if text not in ("", "null") else "{}"
    return json.dumps(arguments or {}, ensure_ascii=False)
