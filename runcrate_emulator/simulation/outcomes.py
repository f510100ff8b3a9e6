"""What earlier tool calls brought: records, numbers, or a failure."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runcrate_emulator.simulation import records, spans
from runcrate_emulator.simulation.condensing import follow_up
from runcrate_emulator.simulation.conversation import Message, ToolCall
from runcrate_emulator.simulation.records import Record

_FAILURE: Final = re.compile(
    r"^\W*(?:[\w.]*error|[\w.]*exception|traceback|failed|failure|invalid|refused|rejected|denied|"
    r"cannot|could not|unable|missing|not allowed|user rejected|tool .{1,80} (?:failed|not found)|"
    r"\d{3} (?:client|server) error)\b",
    re.IGNORECASE,
)
_REFUSAL: Final = re.compile(
    r"^there is no\b|\bwas (?:refused|not found)\b|\bnothing was (?:\w+ed|done|sent|run)\b|"
    r"\bdoes not exist\b",
    re.IGNORECASE,
)
_REFUSAL_REACH: Final = 200
"""Characters at the start of a text in which it says that it is a refusal."""
_HANDS_OVER: Final = re.compile(
    r"^(?:hand_?off|transfer_(?:back_)?to_|delegate_to_)", re.IGNORECASE
)
_CONFIRMS: Final = re.compile(
    r"^\W*(?:yes|yep|ok|okay|sure|go ahead|do it|please do|"
    r"continue|proceed|confirm(?:ed)?|approved?)"
    r"\b.{0,40}$",
    re.IGNORECASE,
)
_MOST_ROWS: Final = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """One finished call and what came back."""

    call: ToolCall
    text: str

    @property
    def failed(self) -> bool:
        """Whether the result speaks of an error."""
        value = records.parsed(self.text)
        if isinstance(value, Mapping):
            return (
                bool(value.get("error"))
                or value.get("success") is False
                or (value.get("ok") is False or value.get("status") in {"error", "failed"})
            )
        return bool(_FAILURE.match(self.text) or _REFUSAL.search(self.text[:_REFUSAL_REACH]))

    @property
    def hands_over(self) -> bool:
        """Whether the call only passed the request on to another agent."""
        return bool(_HANDS_OVER.search(self.call.name)) or "to_agent" in self.call.arguments

    @property
    def number(self) -> float | None:
        """The one number that the result consists of or names `result`, if there is one."""
        value = records.parsed(self.text)
        if isinstance(value, Mapping):
            if len(value) == 1:
                return records.as_number(next(iter(value.values())))
            return records.as_number(value.get("result"))
        if value is not None:
            return records.as_number(value)
        found = spans.numbers(self.text)
        return found[-1].value if len(found) == 1 else None

    def rows(self, about: str) -> list[Record]:
        """The records of the result that a text speaks of, best first."""
        found = records.selected(records.rows(self.text), about)[:_MOST_ROWS]
        if found or self.failed:
            return found
        made: dict[str, Any] = {}
        if mentioned := next(spans.found(spans.IDENTIFIER, self.text), None):
            made["id"] = mentioned.text
        if (number := self.number) is not None:
            made["result"] = number
        return [made] if made else []


@dataclass(frozen=True, slots=True)
class Turn:
    """A request of the user and what was done for it so far.

    Attributes:
        request: What the user asked.
        outcomes: Calls made for it, with their results, in order.
        earlier: Outcomes of earlier turns.
    """

    request: str
    outcomes: tuple[Outcome, ...] = ()
    earlier: tuple[Outcome, ...] = ()


def turn_of(messages: Sequence[Message]) -> Turn:
    """The turn that a conversation is in; a mere `yes, go ahead` continues the one before."""
    asked = [at for at, message in enumerate(messages) if message.role == "user"]
    start = asked[-1] if asked else 0
    request = messages[start].text if asked else ""
    if len(asked) > 1 and _CONFIRMS.match(request):
        start = asked[-2]
        request = messages[start].text
    earlier = [messages[at].text for at in asked if at < start]
    request = follow_up(request, earlier)
    return Turn(request, tuple(_outcomes(messages[start:])), tuple(_outcomes(messages[:start])))


def _outcomes(messages: Sequence[Message]) -> Iterator[Outcome]:
    calls = {call.id: call for message in messages for call in message.tool_calls}
    for message in messages:
        if message.role == "tool" and message.tool_call_id in calls:
            yield Outcome(calls[message.tool_call_id], message.text)


def same_call(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two sets of arguments are the same."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
