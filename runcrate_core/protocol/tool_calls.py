"""Tool calls from their streamed pieces, for servers that number the pieces badly or not at all.

OpenAI's form is: every piece has the `index` of its call; `id` and the function's name come once,
in the first piece; arguments are pieces of JSON text. Servers leave the index out, send null or
always 0, repeat ids and names, change the id from piece to piece, or send arguments as an object.
`ToolCallAssembler` rewrites each piece into OpenAI's form, so that everything behind it may rely on
the index alone. Each call gets an id of its own (`CallIds`), as a result names its call by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from runcrate_core.protocol.tool_arguments import unique_call_id

# Members of a piece that merely continues a call: `index` and `function`.
_CONTINUATION_SIZE: Final = 2
# Nobody makes so many calls; `int` refuses text of thousands of digits.
_MAX_INDEX_DIGITS: Final = 9
# Keeps the indices of several sources apart.
_SOURCE_SIZE: Final = 10**_MAX_INDEX_DIGITS


class CallIds:
    """Makes the identifiers of the calls of one response unlike each other and earlier ones.

    Some servers name parallel calls alike, number them from 0 in each response, or name none.

    Args:
        completion_id: Identifier of the response, if it has one.
        messages: The conversation that the response continues; not read before the first call.
        body: The request, which distinguishes responses without an identifier.
    """

    __slots__ = ("_body", "_completion_id", "_created", "_messages", "_taken")

    def __init__(self, completion_id: str = "", messages: Any = (), body: Any = b"") -> None:
        self._completion_id = completion_id
        self._messages = messages
        self._body = body
        self._taken: set[Any] = set()
        self._created = 0

    def of(self, sent: str | None) -> str:
        """Return the identifier of a call that has the given one, or none, from its server."""
        if not sent:
            # Not random: the next request, which holds it, is the same each time it is recorded.
            if not self._completion_id:
                self._completion_id = hashlib.sha256(self._body).hexdigest()[:24]
            sent = f"call_{self._completion_id}_{self._created}"
            self._created += 1
        if not self._taken:
            self._taken.update(_call_ids(self._messages))
        unique = unique_call_id(sent, self._taken)
        self._taken.add(unique)
        return unique


def _call_ids(messages: Any) -> Iterator[str]:
    """Yield the identifiers of the tool calls in a conversation."""
    for message in messages if isinstance(messages, list | tuple) else ():
        if isinstance(message, dict):
            calls = message.get("tool_calls")
            calls = calls if isinstance(calls, list | tuple) else ()
            named = [it.get("id") for it in calls if isinstance(it, dict)]
            named.append(message.get("tool_call_id"))
            yield from (name for name in named if isinstance(name, str))


class _Marks(NamedTuple):
    """The key that assigns a fragment to a tool call."""

    sent_index: int | None
    id: str
    name: str


_UNMARKED: Final = _Marks(None, "", "")


class _Call:
    """One call as far as its pieces have come.

    Attributes:
        id: The identifier that is handed on; unlike that of any other call.
        sent_id: The identifier that the server gives it.
        index: The index that is handed on; unlike that of any other call.
        sent_index: The index that the server gives it, if it gives one.
        members: What else the pieces have, such as `type`; the last value wins.
    """

    __slots__ = (
        "arguments",
        "function_members",
        "id",
        "index",
        "members",
        "name",
        "sent_id",
        "sent_index",
    )

    def __init__(self, index: int, sent_index: int | None) -> None:
        self.index = index
        self.sent_index = sent_index
        self.id = ""
        self.sent_id = ""
        self.name = ""
        self.arguments: list[str] = []
        self.members: dict[str, Any] = {}
        self.function_members: dict[str, Any] = {}

    def collect(self, delta: dict[str, Any], function: dict[str, Any], marks: _Marks) -> None:
        """Add a repaired piece, and take out of it what an earlier piece has said."""
        if marks.name and marks.name != self.name:
            self.name += marks.name
        elif self.name:
            function.pop("name", None)
        if arguments := function.get("arguments"):
            self.arguments.append(arguments)
        _keep(delta, self.members, besides=("index", "id", "function"))
        _keep(function, self.function_members, besides=("name", "arguments"))

    def is_over(self, name: str, function: dict[str, Any]) -> bool:
        """True if a piece with this name and without an id starts another call.

        A server may repeat the name in every piece, and may send a name in pieces as long as no
        arguments have come.
        """
        if name == self.name:
            return bool(function.get("arguments")) and self._has_whole_arguments()
        return bool(name and self.name and self.arguments)

    def is_continued(self, name: str) -> bool:
        """True if a piece with this name and a new id belongs to the call nevertheless."""
        return not (name and (self.name or self.id))

    def is_repeated(self, name: str, function: dict[str, Any]) -> bool:
        """True if a fragment repeats the complete call, as some servers do at its end."""
        is_same = name == self.name and function.get("arguments") == "".join(self.arguments)
        return is_same and self._has_whole_arguments()

    def _has_whole_arguments(self) -> bool:
        if not self.arguments or not self.arguments[-1].rstrip().endswith("}"):
            return False  # spares parsing half-sent arguments
        try:
            json.loads("".join(self.arguments))
        except (ValueError, RecursionError):
            return False
        return True

    def assembled(self) -> dict[str, Any]:
        """Return the call in the form of a complete response."""
        return {
            "id": self.id or None,
            "type": "function",
            **self.members,
            "function": {
                **self.function_members,
                "name": self.name,
                "arguments": "".join(self.arguments),
            },
        }


class ToolCallAssembler:
    """Repairs and collects the tool calls of one choice of one stream.

    Args:
        ids: Names the calls. Without it those that come without an identifier have none.
    """

    __slots__ = (
        "_by_id",
        "_by_sent_index",
        "_calls",
        "_ids",
        "_names_all",
        "_next_index",
        "_taken",
    )

    def __init__(self, ids: CallIds | None = None) -> None:
        self._ids = CallIds() if ids is None else ids
        self._names_all = ids is not None
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_sent_index: dict[int, _Call] = {}
        self._taken: set[int] = set()
        self._next_index = 0  # above all taken ones

    def repair(self, deltas: list[Any], source: int = 0) -> None:
        """Bring the tool call pieces of one chunk into OpenAI's form, and collect them.

        Afterwards each has an integer `index` that no other call has, a call's `id` and name
        are in one piece only, and arguments are text.

        Args:
            deltas: The `delta.tool_calls` of a chunk; changed in place. Items that are not
                objects are left alone.
            source: The number of the source that counts these calls, of several whose calls
                become one list.
        """
        for delta in deltas if source else ():
            if isinstance(delta, dict):
                delta["index"] = source * _SOURCE_SIZE + (_marks_of(delta).sent_index or 0)
        # As many unmarked pieces in one chunk as there are calls: they are in the calls' order.
        aligned = 1 < len(deltas) == len(self._calls) and all(map(_is_unmarked, deltas))
        for position, delta in enumerate(deltas):
            if isinstance(delta, dict) and not self._continue(delta):
                self._repair_one(delta, position if aligned else -1)

    def assembled(self) -> list[dict[str, Any]]:
        """Return the calls in the form of a complete response, ordered by index.

        Arguments are the text that came, which may be empty and, in a cut stream, unfinished.
        """
        calls = sorted(self._calls, key=lambda call: call.index)
        for call in calls if self._names_all else ():
            call.id = call.id or self._ids.of(None)
        return [call.assembled() for call in calls]

    def _continue(self, delta: dict[str, Any]) -> bool:
        """Collect a piece that has an index and more arguments: most are as they should be."""
        index = delta.get("index")
        function = delta.get("function")
        if type(index) is not int or type(function) is not dict:
            return False
        if len(delta) != _CONTINUATION_SIZE or len(function) != 1:
            return False
        call = self._by_sent_index.get(index)
        arguments = function.get("arguments")
        if call is None or type(arguments) is not str:
            return False
        delta["index"] = call.index
        if arguments:
            call.arguments.append(arguments)
        return True

    def _repair_one(self, delta: dict[str, Any], unmarked_position: int) -> None:
        function = delta.get("function")
        if not isinstance(function, dict):
            function = delta["function"] = {}
        _make_texts(function)
        marks = _marks_of(delta)
        if marks.id:
            call = self._call_with_id(marks, function)
        elif marks.sent_index is not None:
            call = self._call_with_index(marks, function)
        elif marks.name:
            call = self._call_with_name(marks, function)
        else:
            call = self._calls[unmarked_position] if self._calls else None
        if call is None:
            call = self._start(marks.sent_index)
        if call.sent_index is None:
            call.sent_index = marks.sent_index
        if marks.sent_index is not None:
            self._by_sent_index[marks.sent_index] = call
        if marks.id and call.sent_id in ("", marks.id):
            self._by_id[marks.id] = call
            call.sent_id = marks.id
        delta.pop("id", None)
        # Its name comes with its first piece. An identifier that comes still later is not needed.
        if not call.id and (marks.id or (marks.name and self._names_all)):
            call.id = delta["id"] = self._ids.of(marks.id)
        delta["index"] = call.index
        call.collect(delta, function, marks)

    def _call_with_id(self, marks: _Marks, function: dict[str, Any]) -> _Call | None:
        numbered = None if marks.sent_index is None else self._by_sent_index.get(marks.sent_index)
        known = self._by_id.get(marks.id)
        if known is not None:
            if numbered is not None and numbered.sent_id == marks.id:
                known = numbered
            # Two parallel calls under one id: the index, which is the documented mark, decides.
            renumbered = marks.sent_index is not None and known.sent_index not in (
                None,
                marks.sent_index,
            )
            if not renumbered and known.is_repeated(marks.name, function):
                function["arguments"] = ""
            elif marks.name and (renumbered or known.is_over(marks.name, function)):
                return None
            return known
        if marks.sent_index is None and self._calls:
            numbered = self._calls[-1]
        # A new id is a new call, unless it is the late id of a call that has none yet, or the piece
        # continues a call: some servers (vLLM, Poolside) send another id with each piece.
        if numbered is not None and numbered.is_continued(marks.name):
            return numbered
        return None

    def _call_with_index(self, marks: _Marks, function: dict[str, Any]) -> _Call | None:
        call = self._by_sent_index.get(marks.sent_index or 0)
        if call is None and not marks.name and self._calls and self._calls[-1].sent_index is None:
            return self._calls[-1]  # its first piece had no index
        return None if call is None or call.is_over(marks.name, function) else call

    def _call_with_name(self, marks: _Marks, function: dict[str, Any]) -> _Call | None:
        last = self._calls[-1] if self._calls else None
        return None if last is None or last.is_over(marks.name, function) else last

    def _start(self, sent_index: int | None) -> _Call:
        index = sent_index
        if index is None or index in self._taken or index >= _SOURCE_SIZE:
            index = self._next_index
        call = _Call(index, sent_index)
        self._taken.add(index)
        self._next_index = max(self._next_index, index + 1)
        self._calls.append(call)
        return call


def _make_texts(function: dict[str, Any]) -> None:
    """Make the arguments text, and drop a name that is not."""
    if not isinstance(function.get("name", ""), str):
        del function["name"]
    arguments = function.get("arguments", "")
    if arguments is None:
        function["arguments"] = ""
    elif not isinstance(arguments, str):
        function["arguments"] = json.dumps(arguments, ensure_ascii=False)


def _marks_of(delta: dict[str, Any]) -> _Marks:
    index = delta.get("index")
    function = delta.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if isinstance(index, str) and index.isascii() and index.isdigit():
        index = int(index[:_MAX_INDEX_DIGITS])
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        index = None
    return _Marks(index, _text(delta.get("id")), _text(name))


def _is_unmarked(delta: Any) -> bool:
    return isinstance(delta, dict) and _marks_of(delta) == _UNMARKED


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _keep(source: dict[str, Any], target: dict[str, Any], *, besides: tuple[str, ...]) -> None:
    target.update(
        (name, value) for name, value in source.items() if value is not None and name not in besides
    )
