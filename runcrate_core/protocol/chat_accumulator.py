"""Folding the chunks of a streamed chat response into the response that was streamed.

What becomes of a member that comes more than once:

* texts (`content`, `refusal` and the reasoning fields) are joined under their own names;
* tool calls are assembled by `ToolCallAssembler`, the older `function_call` likewise;
* lists (`annotations`, `executed_tools`, ...) are joined, but items with the same `type`, `index`
  and `id` are one item: its later members replace earlier ones, texts in `reasoning_details` are
  joined; the lists in `logprobs` are joined;
* so are texts in `audio`;
* of `id`, `created`, `model` and `finish_reason` the first counts (some servers send a new id with
  each chunk, or finish twice);
* of anything else, at whatever level, the last value that is not null, as in `role`, `provider`
  or `channel`: a label that is repeated with each chunk must not become a text of repetitions.

Where one response was asked for, tool calls in choices of their own, as some gateways send them
beside the text, are moved to the first choice, and so is the text if no other has any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from runcrate_core.protocol.chat_types import REASONING_FIELDS, extract_usage
from runcrate_core.protocol.tool_arguments import ended_at_limit
from runcrate_core.protocol.tool_calls import CallIds, ToolCallAssembler

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXT_FIELDS: Final = ("content", "refusal", *REASONING_FIELDS)
_FIRST_COUNTS: Final = ("id", "created", "model")
# Texts of `reasoning_details` items, and of `audio`, that are streamed in pieces.
_DETAIL_TEXTS: Final = frozenset({"text", "summary"})
_AUDIO_TEXTS: Final = frozenset({"data", "transcript"})


class CompletionContext(NamedTuple):
    """The parts of a request that decide how its response is read.

    Attributes:
        is_single: One response was asked for, as nearly always.
        messages: The conversation that was sent.
        body: The request as it was sent.
    """

    is_single: bool = False
    messages: Any = ()
    body: Any = b""


class ChatAccumulator:
    """Folds chunks as they arrive, keeping only what the complete response needs.

    A chunk folded costs less than parsing its JSON; its dicts would take ten times the memory.
    """

    __slots__ = ("_choices", "_context", "_first", "_is_split", "_members", "_speaker")

    def __init__(self, context: CompletionContext | None = None) -> None:
        self._context = context or CompletionContext()
        self._choices: dict[int, _ChoiceFold] = {}
        self._first: dict[str, Any] = {}
        self._members: dict[str, Any] = {}
        self._is_split = False  # one response comes in several choices, or not in choice 0
        self._speaker: int | None = None  # the choice of a split response that had text first

    @property
    def has_choices(self) -> bool:
        """True if any choice has come."""
        return bool(self._choices)

    @property
    def finished(self) -> bool:
        """True if there are choices, and each has a finish reason."""
        choices = self._choices.values()
        return bool(choices) and all(choice.finish_reason is not None for choice in choices)

    def add(self, chunk: dict[str, Any]) -> bool:
        """Fold the next chunk, after repairing its tool calls and choices in place.

        Args:
            chunk: A chunk in OpenAI's shape. Parts of other types than expected are ignored.

        Returns:
            Whether it carries anything of a response. A role alone, empty texts and an empty
            delta, which servers send to keep a connection open, do not count.
        """
        carries = False
        members = self._members
        if len(self._first) < len(_FIRST_COUNTS):
            for name in _FIRST_COUNTS:
                if name not in self._first and (value := chunk.get(name)):
                    self._first[name] = value
        for name, value in chunk.items():
            if value is None:
                continue
            if name != "choices":
                members[name] = value
            elif type(value) is list:
                for choice in value:
                    if isinstance(choice, dict) and self._fold_of(choice).add(choice):
                        carries = True
        if self._is_split and type(choices := chunk.get("choices")) is list:
            chunk["choices"] = self._joined_pieces([it for it in choices if isinstance(it, dict)])
        return carries

    def add_complete(self, response: dict[str, Any]) -> None:
        """Fold a complete response as the only chunk; its choices are numbered as they stand."""
        choices = [choice for choice in response["choices"] if isinstance(choice, dict)]
        numbered = [choice | {"index": number} for number, choice in enumerate(choices)]
        self.add({**response, "choices": numbered})

    def completion(self, *, partial: bool = False) -> dict[str, Any]:
        """Return the folded completion, in the form of a response without streaming.

        Args:
            partial: The stream did not come to its end. The tool calls of a choice without a
                finish reason are then named `incomplete_tool_calls`, so that nobody runs
                half a call; its `finish_reason` is None.
        """
        if self._is_split:
            choices = self._joined_choices(partial=partial)
        else:
            choices = [
                fold.choice(number, fold.finish_reason, fold.calls.assembled(), partial=partial)
                for number, fold in sorted(self._choices.items())
            ]
        folded = {
            **self._members,
            **self._first,
            "object": "chat.completion",
            "choices": choices,
        }
        folded.pop("usage", None)
        if usage := extract_usage({**folded, "usage": self._members.get("usage")}):
            folded["usage"] = usage
        for choice in choices:
            choice.pop("usage", None)  # Moonshot's place for the usage of all choices
        return folded

    def _fold_of(self, choice: dict[str, Any]) -> _ChoiceFold:
        number = _number_of(choice)
        fold = self._choices.get(number)
        if fold is None:
            fold = self._choices[number] = self._new_fold(number)
        return fold

    def _new_fold(self, number: int) -> _ChoiceFold:
        if self._context.is_single:
            self._is_split |= number != 0
            if self._choices:
                return _ChoiceFold(next(iter(self._choices.values())).calls, number)
        is_single, messages, body = self._context
        identifier = self._first.get("id")
        ids = CallIds(identifier if isinstance(identifier, str) else "", messages, body)
        return _ChoiceFold(ToolCallAssembler(ids), number if is_single else 0)

    @property
    def _first_number(self) -> int:
        """The number of the choice that becomes the first of a split response."""
        if self._speaker is None:
            speakers = (number for number, fold in self._choices.items() if fold.speaks)
            self._speaker = next(speakers, None)
        return min(self._choices) if self._speaker is None else self._speaker

    def _joined_pieces(self, choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the choices of a chunk with all calls, and the text, in choice 0."""
        first_number, first = self._first_number, None
        others: list[dict[str, Any]] = []
        calls: list[Any] = []
        for choice in choices:
            number, delta = _number_of(choice), choice.get("delta")
            if isinstance(delta, dict) and isinstance(delta.get("tool_calls"), list):
                calls += delta.pop("tool_calls")
            if number == first_number:
                first = choice
            else:
                others.append(choice)
            choice["index"] = {first_number: 0, 0: first_number}.get(number, number)
        if calls:
            first = first or {"index": 0, "finish_reason": None}
            first["delta"] = {**(first.get("delta") or {}), "tool_calls": calls}
        return others if first is None else [first, *others]

    def _joined_choices(self, *, partial: bool) -> list[dict[str, Any]]:
        """Return a split response with all calls in choice 0; others that have text follow."""
        first_number = self._first_number
        first = self._choices[first_number]
        folds = [first, *(fold for fold in self._choices.values() if fold is not first)]
        ends = [fold.finish_reason for fold in folds if fold is first or fold.has_calls]
        reason = next(filter(ended_at_limit, ends), ends[-1] or ends[0])
        if partial and any(fold.finish_reason is None for fold in folds):
            reason = None
        return [
            first.choice(0, reason, first.calls.assembled(), partial=partial),
            *(
                fold.choice(number or first_number, fold.finish_reason, [], partial=partial)
                for number, fold in sorted(self._choices.items())
                if fold is not first and fold.speaks
            ),
        ]


def has_message(response: Mapping[str, Any]) -> bool:
    """Return whether a complete response holds a message, or text as in the older API."""
    choices = response.get("choices")
    return any(
        isinstance(choice, dict)
        and (isinstance(choice.get("message"), dict) or isinstance(choice.get("text"), str))
        for choice in (choices if isinstance(choices, list) else ())
    )


def _numbered(message: dict[str, Any]) -> dict[str, Any]:
    """Return a complete message as a delta: each of its tool calls has an index."""
    calls = message.get("tool_calls")
    for number, call in enumerate(calls if isinstance(calls, list) else ()):
        if isinstance(call, dict):
            call.setdefault("index", number)
    return message


def _number_of(choice: dict[str, Any]) -> int:
    number = choice.get("index")
    return number if type(number) is int else 0


class _ChoiceFold:
    """One choice as far as its chunks have come.

    Args:
        calls: Its tool calls, and in a split response those of the other choices.
        source: Its number where the calls may be those of several choices.
    """

    __slots__ = (
        "calls",
        "finish_reason",
        "function_call",
        "has_calls",
        "has_deltas",
        "items",
        "logprobs",
        "members",
        "message",
        "source",
        "texts",
    )

    def __init__(self, calls: ToolCallAssembler, source: int) -> None:
        self.calls = calls
        self.source = source
        self.has_calls = False
        self.function_call: ToolCallAssembler | None = None
        self.finish_reason: Any = None
        self.has_deltas = False
        self.texts: dict[str, list[str]] = {name: [] for name in _TEXT_FIELDS}
        self.items: dict[str, _ItemsFold] = {}
        self.logprobs: dict[str, Any] = {}
        self.message: dict[str, Any] = {}  # other members of the deltas
        self.members: dict[str, Any] = {}  # other members of the choice

    def add(self, choice: dict[str, Any]) -> bool:
        carries = False
        if choice.get("delta") is not None:
            self.has_deltas = True
        elif not self.has_deltas and isinstance(choice.get("message"), dict):
            # NeMo's name for it, or the complete response in one event; not a summary at the end.
            choice["delta"] = _numbered(choice.pop("message"))
        elif not self.has_deltas and isinstance(choice.get("text"), str):
            choice["delta"] = {"content": choice.pop("text")}  # as in the older completions API
        for name, value in choice.items():
            if value is None:
                continue
            if name == "delta":
                if isinstance(value, dict):
                    carries = self._add_delta(value)
            elif name == "finish_reason":
                if value and self.finish_reason is None:
                    self.finish_reason = value
                    carries = True
            elif name == "logprobs" and isinstance(value, dict):
                self._add_logprobs(value)
            elif name != "index":
                self.members[name] = value
        return carries

    def _add_delta(self, delta: dict[str, Any]) -> bool:
        carries = False
        texts = self.texts
        for name, value in delta.items():
            if value is None:
                continue
            pieces = texts.get(name)
            if pieces is not None and type(value) is str:
                pieces.append(value)
                if value:
                    carries = True
            elif name == "role":
                self.message[name] = value
            elif self._add_other(name, value):
                carries = True
        return carries

    def _add_other(self, name: str, value: Any) -> bool:
        """Fold a member that is not text; False when it is empty."""
        if name == "tool_calls":
            if isinstance(value, list):
                self.has_calls |= bool(value)
                self.calls.repair(value, self.source)
        elif name == "function_call" and isinstance(value, dict):
            self.function_call = self.function_call or ToolCallAssembler()
            self.function_call.repair([{"index": 0, "function": value}])
        elif isinstance(value, list):
            if pieces := self.texts.get(name):
                # Text before these parts stays before them.
                text = {"type": "text", "text": "".join(pieces)}
                self.items.setdefault(name, _ItemsFold(frozenset())).add([text])
                pieces.clear()
            texts = _DETAIL_TEXTS if name == "reasoning_details" else frozenset[str]()
            self.items.setdefault(name, _ItemsFold(texts)).add(value)
        elif name == "audio" and isinstance(value, dict):
            known = self.message.get(name)
            if not isinstance(known, dict):
                known = self.message[name] = {}
            _add_members(value, known, _AUDIO_TEXTS)
        else:
            self.message[name] = value
        return bool(value)

    def _add_logprobs(self, logprobs: dict[str, Any]) -> None:
        for name, value in logprobs.items():
            known = self.logprobs.get(name)
            if isinstance(value, list) and isinstance(known, list):
                known.extend(value)
            elif value is not None or known is None:
                self.logprobs[name] = list(value) if isinstance(value, list) else value

    @property
    def speaks(self) -> bool:
        """True if anything but tool calls has come."""
        has_text = any(any(pieces) for pieces in self.texts.values())
        return has_text or bool(self.items or self.function_call or self.message.keys() - {"role"})

    def choice(
        self, number: int, finish_reason: Any, calls: list[dict[str, Any]], *, partial: bool
    ) -> dict[str, Any]:
        """Return the choice in the form of a complete response, with the given calls."""
        message: dict[str, Any] = {"role": "assistant", "content": None, **self.message}
        if isinstance(audio := message.get("audio"), dict):
            message["audio"] = _joined(audio)
        message.update((name, items.folded()) for name, items in self.items.items())
        for name, pieces in self.texts.items():
            if pieces:
                text, parts = "".join(pieces), message.get(name)
                # Content that came as parts and as text becomes parts, as in a complete response.
                message[name] = (
                    [*parts, {"type": "text", "text": text}] if isinstance(parts, list) else text
                )
        prefix = "incomplete_" if partial and finish_reason is None else ""
        if calls:
            message[f"{prefix}tool_calls"] = calls
        if self.function_call is not None:
            [function_call] = self.function_call.assembled()
            message[f"{prefix}function_call"] = function_call["function"]
        choice = {
            **self.members,
            "index": number,
            "message": message,
            "finish_reason": finish_reason,
        }
        if self.logprobs:
            choice["logprobs"] = {
                name: list(value) if isinstance(value, list) else value
                for name, value in self.logprobs.items()
            }
        return choice


class _ItemsFold:
    """A list whose items arrive complete or in fragments."""

    __slots__ = ("_entries", "_numbered", "_text_names")

    def __init__(self, text_names: frozenset[str]) -> None:
        self._text_names = text_names
        self._entries: list[Any] = []
        self._numbered: dict[tuple[str, int, str], dict[str, Any]] = {}

    def add(self, items: list[Any]) -> None:
        for item in items:
            index = item.get("index") if isinstance(item, dict) else None
            if type(index) is not int:
                self._entries.append(item)
                continue
            key = (str(item.get("type")), index, str(item.get("id")))
            entry = self._numbered.get(key)
            if entry is None:
                entry = self._numbered[key] = {}
                self._entries.append(entry)
            _add_members(item, entry, self._text_names)

    def folded(self) -> list[Any]:
        return [_joined(entry) if isinstance(entry, dict) else entry for entry in self._entries]


def _add_members(item: dict[str, Any], entry: dict[str, Any], text_names: frozenset[str]) -> None:
    """Add the members of a piece; pieces of texts are kept apart until they are joined."""
    for name, value in item.items():
        if name in text_names and isinstance(value, str):
            pieces = entry.get(name)
            if isinstance(pieces, _Pieces):
                pieces.append(value)
            else:
                entry[name] = _Pieces([value])
        elif value is not None or name not in entry:
            entry[name] = value


def _joined(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        name: "".join(value) if isinstance(value, _Pieces) else value
        for name, value in entry.items()
    }


class _Pieces(list[str]):
    """Pieces of a text inside an item."""

    __slots__ = ()
