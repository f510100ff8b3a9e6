"""What tools brought, told to the user: values quoted from results, step by step."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from runcrate_emulator.simulation import arithmetic, records
from runcrate_emulator.simulation.clauses import Clause
from runcrate_emulator.simulation.extraction import find_answer
from runcrate_emulator.simulation.outcomes import Outcome
from runcrate_emulator.simulation.prompt import Prompt
from runcrate_emulator.simulation.records import Record, field_stems, fields_about, parsed
from runcrate_emulator.simulation.steps import Plan, Step, Undone
from runcrate_emulator.simulation.words import stem_set

_LONG: Final = 280
"""Characters from which a text result is searched rather than quoted whole."""
_MOST_FIELDS: Final = 6
_MOST_ROWS: Final = 8
_SELECTS: Final = re.compile(
    r"\b(?:cheapest|most|least|lowest|highest|largest|biggest|smallest|newest|oldest|latest|fastest|"
    r"best)\b",
    re.IGNORECASE,
)


def report(plan: Plan, request: str) -> str:
    """The final answer after all calls, quoting what they brought."""
    steps = [step for step in plan.steps if not all(one.hands_over for one in step.outcomes)]
    steps = steps or plan.steps
    if len(steps) == 1 and not plan.reports and not plan.undone:
        return _told(steps[0], request).strip("\n")
    lines = [f"- {_headed(step, request)}" for step in steps]
    lines += [f"- {_not_done(one)}" for one in plan.undone]
    lines += [f"- {line}" for clause in plan.reports if (line := _reported(clause, plan))]
    if len(lines) == 1:
        return lines[0].removeprefix("- ").strip("\n")
    failed = any(outcome.failed for step in steps for outcome in step.outcomes)
    whole = not plan.undone and not failed
    heading = "Here is what was done:" if whole else "Here is what was done, and what was not:"
    return "\n".join([heading, *lines])


def _not_done(undone: Undone) -> str:
    text = undone.clause.text.rstrip(" .,;!?")
    return f"{text[:1].upper()}{text[1:]}: this was not done. {undone.reason}"


def _headed(step: Step, request: str) -> str:
    text = step.clause.text.rstrip(" .,;!?")
    told = _told(step, request)
    return told if text.lower() in told.lower() else f"{text[:1].upper()}{text[1:]}: {told}"


def _told(step: Step, request: str) -> str:
    if len(step.outcomes) == 1:
        return told(step.outcomes[0], step.clause.text, request)
    if all(_is_operation(outcome) for outcome in step.outcomes):
        return ", ".join(told(outcome, step.clause.text, request) for outcome in step.outcomes)
    parts = [
        f"{_difference(outcome, step.outcomes)}: {told(outcome, step.clause.text, request)}"
        for outcome in step.outcomes
    ]
    return (
        "\n".join(parts)
        if any("\n" in part for part in parts)
        else " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts)
    )


def _difference(outcome: Outcome, others: Sequence[Outcome]) -> str:
    """The arguments by which a call differs from its siblings."""
    values = [
        str(value)
        for name, value in outcome.call.arguments.items()
        if any(other.call.arguments.get(name) != value for other in others)
    ]
    return ", ".join(values) or outcome.call.name


def told(outcome: Outcome, clause: str, request: str) -> str:
    """One result in words."""
    text = outcome.text.strip()
    if outcome.failed:
        return f"{outcome.call.name} did not work: {_error(text)}"
    if not text or text in {"null", "None", "[]", "{}"}:
        return f"{outcome.call.name} brought no result."
    value = parsed(text)
    if isinstance(value, (Mapping, list)):
        return _structured(text, clause, request)
    number = outcome.number
    if number is not None and value is not None:
        return _computed(outcome, number)
    plain = str(value) if isinstance(value, str) else text
    if len(plain) > _LONG:
        found = find_answer(Prompt("", request, (plain,)), request)
        return found.text if found.grounded else plain[:_LONG].rstrip() + " …"
    return plain


def _is_operation(outcome: Outcome) -> bool:
    values = outcome.call.arguments.values()
    return (
        not outcome.failed
        and outcome.number is not None
        and len(values) == 2  # noqa: PLR2004 - two operands
        and all(isinstance(value, (int, float)) for value in values)
    )


def _computed(outcome: Outcome, number: float) -> str:
    values = list(outcome.call.arguments.values())
    shown = arithmetic.plain(number)
    if _is_operation(outcome):
        return f"{outcome.call.name}({values[0]}, {values[1]}) = {shown}"
    return f"The result of {outcome.call.name} is {shown}."


def _error(text: str) -> str:
    value = parsed(text)
    if isinstance(value, Mapping):
        error = value.get("error") or value.get("message") or value
        if isinstance(error, Mapping):
            error = error.get("message") or error
        return str(error)
    return text


def _structured(text: str, clause: str, request: str) -> str:
    value = parsed(text)
    every = records.rows(text)
    if isinstance(value, Mapping) and records.lists_nothing(value):
        return "Nothing was found."
    if not every:
        return ", ".join(map(str, value)) if isinstance(value, list) else text
    chosen = records.selected(every, clause)
    if len(chosen) == 1 or (len(every) > 1 and _SELECTS.search(clause)):
        return _record_told(chosen[0], f"{clause} {request}")
    return "\n".join(
        ["", *(f"  - {_record_told(row, clause)}" for row in chosen[:_MOST_ROWS])]
        + ([f"  - and {len(chosen) - _MOST_ROWS} more"] if len(chosen) > _MOST_ROWS else [])
    )


def _record_told(record: Record, asked: str) -> str:
    """The fields of a record that a request asks about, its name first."""
    scalar = {name: value for name, value in record.items() if _is_telling(value)}
    wanted = fields_about(stem_set(asked), scalar)
    naming = [
        name for name in scalar if field_stems(name) & field_stems("id name type title status")
    ]
    order = list(dict.fromkeys([*naming[:3], *wanted, *scalar]))[:_MOST_FIELDS]
    if len(scalar) == 1:
        return f"The {_spoken(order[0])} is {_shown(scalar[order[0]])}."
    return ", ".join(f"{_spoken(name)} {_shown(scalar[name])}" for name in order)


def _is_telling(value: Any) -> bool:
    return value is not None and not isinstance(value, (dict, list)) and value != ""


def _spoken(name: str) -> str:
    return name.rpartition(".")[2].replace("_", " ")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _reported(clause: Clause, plan: Plan) -> str:
    """What a clause such as `tell me its price` wants, from the records found on the way."""
    asked = stem_set(clause.text)
    for step in reversed(plan.steps):
        for outcome in reversed(step.outcomes):
            if outcome.failed:
                continue
            for record in outcome.rows(f"{step.clause.text} {clause.text}")[:1]:
                scalar = {name: value for name, value in record.items() if _is_telling(value)}
                wanted = fields_about(asked, scalar)
                if wanted:
                    return f"The {_spoken(wanted[0])} is {_shown(scalar[wanted[0]])}."
    texts = tuple(outcome.text for step in plan.steps for outcome in step.outcomes)
    found = find_answer(Prompt("", clause.text, texts), clause.text)
    return found.text if found.grounded else ""
