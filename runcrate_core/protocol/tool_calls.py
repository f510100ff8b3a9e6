"""Tool calls from their streamed pieces, for servers that number the pieces badly or not at all.

OpenAI's form is: every piece has the `index` of its call; `id` and the function's name come once,
in the first piece; arguments are pieces of JSON text. Servers leave the index out, send null or
always 0, repeat ids and names, or send arguments as an object. `ToolCallAssembler` rewrites each
piece into OpenAI's form, so that everything behind it may rely on the index alone.
"""

from __future__ import annotations

import json
from typing import Any, Final

_MERGED_BY_RULE: Final = frozenset({"index", "id", "function"})


class _Call:
    """One call as far as its pieces have come."""

    __slots__ = ("arguments", "extra", "function_extra", "id", "index", "name", "sent_index")

    def __init__(self, index: int, sent_index: int | None) -> None:
        self.index = index
        self.sent_index = sent_index
        self.id: str | None = None
        self.name = ""
        self.arguments: list[str] = []
        self.extra: dict[str, Any] = {}
        self.function_extra: dict[str, Any] = {}

    @property
    def has_whole_arguments(self) -> bool:
        """Whether nothing can follow the arguments."""
        text = "".join(self.arguments).strip() if self.arguments else ""
        if not text.endswith("}"):  # spares parsing half-sent arguments
            return False
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return False
        return True


class ToolCallAssembler:
    """Repairs and collects the tool calls of one choice of one stream."""

    __slots__ = ("_by_id", "_by_sent_index", "_calls", "_indexes")

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_sent_index: dict[int, _Call] = {}
        self._indexes: set[int] = set()

    def repair(self, deltas: list[Any]) -> None:
        """Bring the tool call pieces of one chunk into OpenAI's form and collect them.

        Afterwards each has an integer `index` of its own call, a call's `id` and name stand in
        one piece only, and arguments are text.

        Args:
            deltas: The `delta.tool_calls` of a chunk; changed in place. Items that are not
                objects are left alone.
        """
        pieces = [delta for delta in deltas if isinstance(delta, dict)]
        for position, delta in enumerate(pieces):
            function = delta.get("function")
            if not isinstance(function, dict):
                function = {}
            _make_arguments_text(function)
            sent_index = _index_of(delta)
            call_id = _text(delta.get("id"))
            name = _text(function.get("name"))
            arguments = function.get("arguments", "")
            call = self._call_of(sent_index, call_id, name, arguments)
            if call is None and not (sent_index is not None or call_id or name):
                call = self._unmarked(position, len(pieces))
            if call is None:
                call = self._start(sent_index)
            elif call.sent_index is None and sent_index is not None:
                call.sent_index = sent_index
                self._by_sent_index[sent_index] = call
            delta["index"] = call.index
            self._collect(call, delta, function, call_id, name)

    def assembled(self) -> list[dict[str, Any]]:
        """Return the calls in the form of a whole answer, ordered by index.

        Arguments are the text that came, which may be empty or, in a cut stream, incomplete.
        """
        return [
            {
                "id": call.id,
                "type": "function",
                **call.extra,
                "function": {
                    "name": call.name,
                    "arguments": "".join(call.arguments),
                    **call.function_extra,
                },
            }
            for call in sorted(self._calls, key=lambda call: call.index)
        ]

    def _call_of(
        self, sent_index: int | None, call_id: str | None, name: str | None, arguments: str
    ) -> _Call | None:
        """Find the call that a marked piece belongs to; None when it starts one."""
        if call_id is not None:
            return self._call_with_id(sent_index, call_id, name)
        if sent_index is not None:
            call = self._by_sent_index.get(sent_index)
            if call is None and not name and self._calls and self._calls[-1].sent_index is None:
                return self._calls[-1]  # its first piece had no index
        else:
            call = self._calls[-1] if name and self._calls else None
        if call is None or name is None or not _starts_another(call, name, arguments):
            return call
        return None

    def _call_with_id(self, sent_index: int | None, call_id: str, name: str | None) -> _Call | None:
        call = self._by_id.get(call_id)
        if call is not None:
            # Two parallel calls under one id: the index, which is the documented mark, decides.
            both_numbered = sent_index is not None and call.sent_index is not None
            return None if both_numbered and sent_index != call.sent_index and name else call
        if sent_index is not None:
            call = self._by_sent_index.get(sent_index)
        elif self._calls:
            call = self._calls[-1]
        # A new id is a new call, unless it is the late id of a call that has none.
        if call is not None and call.id is None and not (name and call.name):
            return call
        return None

    def _unmarked(self, position: int, pieces: int) -> _Call | None:
        """Find the call of a piece that has arguments alone."""
        if not self._calls:
            return None
        # As many pieces in one chunk as there are calls: they stand in the calls' order.
        return self._calls[position if pieces == len(self._calls) else -1]

    def _start(self, sent_index: int | None) -> _Call:
        taken = self._indexes
        if sent_index is None or sent_index in taken:
            index = max(taken) + 1 if taken else 0
        else:
            index = sent_index
        call = _Call(index, sent_index)
        taken.add(index)
        self._calls.append(call)
        if sent_index is not None:
            self._by_sent_index[sent_index] = call
        return call

    def _collect(
        self,
        call: _Call,
        delta: dict[str, Any],
        function: dict[str, Any],
        call_id: str | None,
        name: str | None,
    ) -> None:
        if call.id is None and call_id is not None:
            call.id = call_id
            self._by_id.setdefault(call_id, call)
        else:
            delta.pop("id", None)
        if name is not None and name != call.name:
            call.name += name
        elif call.name:
            function.pop("name", None)
        if arguments := function.get("arguments"):
            call.arguments.append(arguments)
        for field, value in delta.items():
            if value is not None and field not in _MERGED_BY_RULE:
                call.extra[field] = value
        for field, value in function.items():
            if value is not None and field not in {"name", "arguments"}:
                call.function_extra[field] = value


def _starts_another(call: _Call, name: str, arguments: str) -> bool:
    """Whether a piece with a name but without an id starts a call after `call`.

    The same name may be repeated with each piece, and a name may come in pieces as long as no
    arguments have come.
    """
    if name == call.name:
        return bool(arguments) and call.has_whole_arguments
    return bool(call.arguments)


def _make_arguments_text(function: dict[str, Any]) -> None:
    arguments = function.get("arguments", "")
    if arguments is None:
        function["arguments"] = ""
    elif not isinstance(arguments, str):
        function["arguments"] = json.dumps(arguments, ensure_ascii=False)


def _index_of(delta: dict[str, Any]) -> int | None:
    index = delta.get("index")
    if isinstance(index, str) and index.isascii() and index.isdigit():
        return int(index)
    return index if isinstance(index, int) and not isinstance(index, bool) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
