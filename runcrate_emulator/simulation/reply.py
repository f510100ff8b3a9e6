"""What the simulated model does with a request: it speaks, calls tools, or fills a schema."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from runcrate_emulator.simulation import react, tool_report
from runcrate_emulator.simulation.answering import answer
from runcrate_emulator.simulation.attached import Reading, read
from runcrate_emulator.simulation.conversation import ChatRequest, Message, Tool
from runcrate_emulator.simulation.evidence import Evidence, Style
from runcrate_emulator.simulation.filler import fill
from runcrate_emulator.simulation.form_wishes import without_form
from runcrate_emulator.simulation.json_forms import ANY_ANSWER, schema_in, without_wish
from runcrate_emulator.simulation.judging import verdict
from runcrate_emulator.simulation.options import ranked_options
from runcrate_emulator.simulation.outcomes import turn_of
from runcrate_emulator.simulation.plan import forced_call, plan
from runcrate_emulator.simulation.prompt import Prompt, joined
from runcrate_emulator.simulation.reasoning import thoughts
from runcrate_emulator.simulation.refusals import invalid
from runcrate_emulator.simulation.smallest import Unsatisfiable
from runcrate_emulator.simulation.steps import Plan, PlannedCall

if TYPE_CHECKING:
    from runcrate_emulator.simulation.schema import Json

_LOOKS: Final = re.compile(
    r"\b(?:describe|description|caption|what(?:'s| is| do you see| does)|show|see|look|transcri\w+|"
    r"listen|hear|title)\b",
    re.IGNORECASE,
)
_BLANK_LINES: Final = re.compile(r"\n{4,}")


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of a request, before limits and stop texts are applied.

    Attributes:
        text: What is said; "" when tools are called.
        calls: Tools to call.
        thoughts: How the reply came about, for models that show it.
    """

    text: str
    calls: tuple[PlannedCall, ...] = ()
    thoughts: str = ""


def reply(request: ChatRequest) -> Reply:
    """Reply to a request.

    Raises:
        ApiError: 400, if `response_format` holds a schema that no value satisfies.
    """
    return _Replier(request).reply()


def _prompt_of(messages: Sequence[Message], readings: Sequence[Reading]) -> Prompt:
    asked = [at for at, message in enumerate(messages) if message.role == "user"]
    last = asked[-1] if asked else len(messages)
    return Prompt(
        _BLANK_LINES.sub("\n\n\n", joined([m.text for m in messages if m.role == "system"])),
        _BLANK_LINES.sub("\n\n\n", messages[last].text if asked else messages[-1].text),
        tuple(reading.told for reading in readings),
        tuple(message.text for message in messages[:last] if message.role == "user"),
        tuple(m.text for m in messages[:last] if m.role == "assistant" and m.text),
    )


class _Replier:
    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._readings = [
            read(attachment) for message in request.messages for attachment in message.attachments
        ]
        self._prompt = _prompt_of(request.messages, self._readings)
        self._turn = turn_of(request.messages)

    def reply(self) -> Reply:
        request = self._request
        if request.tools and request.tool_choice.mode != "none":
            plan_made, calls = self._tool_calls()
            if calls:
                names = " and ".join(dict.fromkeys(call.name for call in calls))
                return self._reply("", f"The tool {names} fits this step.", calls)
        else:
            plan_made = Plan()
        if request.response_schema is not None:
            return self._structured(request.response_schema)
        if script := react.script_of(request.messages):
            return self._scripted(script)
        if self._turn.outcomes or any(one.asks for one in plan_made.undone):
            text = self._report(plan_made)
            return self._reply(text, "The tools have answered; their results say it.")
        schema = schema_in(self._prompt)
        if schema is None and request.json_mode:
            schema = ANY_ANSWER
        if schema is not None:
            return self._structured(schema)
        return self._spoken()

    def _reply(self, text: str, note: str, calls: Sequence[PlannedCall] = ()) -> Reply:
        return Reply(text, tuple(calls), thoughts(self._turn.request or self._prompt.text, [note]))

    # Tools

    def _tool_calls(self) -> tuple[Plan, list[PlannedCall]]:
        choice = self._request.tool_choice
        offered: tuple[Tool, ...] = self._request.tools
        if choice.name:
            offered = tuple(tool for tool in offered if tool.name == choice.name)
        forced = choice.mode == "required"
        base = self._evidence("forced" if forced else "call")
        # A call that is demanded is often a structured answer, whose prompt asks for JSON, too.
        turn = replace(self._turn, request=without_form(self._turn.request))
        made = plan(turn if forced else self._turn, offered, base)
        calls = made.calls
        if not calls and forced:
            calls = [forced_call(turn, offered, base)]
        return made, calls if self._request.parallel_tool_calls else calls[:1]

    def _report(self, made: Plan) -> str:
        if not made.steps and not made.undone:
            made = plan(self._turn, self._request.tools, Evidence(""))
        pictured = [reading.told for reading in self._readings]
        told = tool_report.report(made, self._turn.request)
        return joined([told, *pictured])

    # Words

    def _spoken(self) -> Reply:
        if self._readings:
            return self._described()
        found = answer(self._prompt)
        return self._reply(found.text, found.note)

    def _described(self) -> Reply:
        """A reply about attached files: what is asked of their words, or what they are."""
        told = "\n".join(reading.told for reading in self._readings)
        with_text = any(reading.text for reading in self._readings)
        if with_text or not _LOOKS.search(self._prompt.text):
            found = answer(self._prompt)
            if found.grounded:
                return self._reply(found.text, found.note)
        return self._reply(told, "The attached files tell this.")

    def _scripted(self, script: react.Script) -> Reply:
        base = Evidence("", material=self._evidence("call").material)
        made = plan(script.turn, script.tools, base)
        if made.calls:
            call = made.calls[0]
            return self._reply(
                react.action(script, call.name, dict(call.arguments)), "A tool fits."
            )
        if script.turn.outcomes:
            text, known = tool_report.report(made, script.turn.request), True
        else:
            found = answer(Prompt("", script.turn.request, told=self._prompt.told))
            text, known = found.text, found.grounded
        return self._reply(react.conclusion(script, text, known=known), "Nothing more to look up.")

    # Structures

    def _structured(self, schema: Mapping[str, Any]) -> Reply:
        try:
            value: Json = fill(schema, self._evidence("written"))
        except Unsatisfiable:
            field = "response_format.json_schema.schema"
            raise invalid(field, "allows no value that the simulation can find.") from None
        return self._reply(json.dumps(value, ensure_ascii=False), "The answer must fit a schema.")

    def _evidence(self, style: Style) -> Evidence:
        prompt = self._prompt if style == "call" else without_wish(self._prompt)
        results = [outcome.text for outcome in self._turn.outcomes if not outcome.failed]
        material = joined([*prompt.context, *results])
        if style == "call":
            return Evidence("", material=joined([*prompt.told[-3:], *prompt.facts]))
        asked = replace(prompt, attached=(*prompt.attached, *results)) if results else prompt
        found = answer(asked)
        judged = verdict(asked) if material else None
        request = prompt.question if prompt.context else prompt.text
        rows = [row for outcome in self._turn.outcomes for row in outcome.rows(request)]
        return Evidence(
            request,
            request,
            material or joined(prompt.facts),
            tuple(rows),
            question=prompt.question,
            answer=found.text,
            answered=judged.holds if judged else found.grounded,
            reason=judged.reason if judged else found.note,
            style=style,
            options=tuple(ranked_options(joined(prompt.context), prompt.question)),
        )
