"""Approval prompts: effect and worst-case cost of a tool call, for the person who approves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from runcrate_core.errors import SpendRefusedError
from runcrate_core.spending.money import cents
from runcrate_core.spending.plans import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runcrate_core.agent_tools.tool import AgentTool
    from runcrate_core.spending.guard import SpendGuard


def describe_call(
    guard: SpendGuard | None, name: str, tool: AgentTool | None, arguments: Mapping[str, Any]
) -> str:
    """Return effect and worst-case cost of a call, as far as known without a request.

    Args:
        guard: The guard that keeps the limits.
        name: Name of the tool.
        tool: The tool, if there is one of this name.
        arguments: Arguments as the model wrote them; nothing of them is trusted.
    """
    if guard is None:
        return f"{name}: nothing can be started without spending limits."
    prompt = f"Call {name}."
    if tool is not None and tool.approval_prompt is not None:
        try:
            prompt = tool.approval_prompt(guard, tool.arguments.model_validate(dict(arguments)))
        except (ValidationError, SpendRefusedError):
            prompt = f"Call {name} with arguments that are wrong: it will be refused."
    spent = cents(guard.ledger.total_usd)
    return f"{prompt} Spent or reserved so far: {spent} of {guard.limits.budget_usd} USD."


def ledger_entry(guard: SpendGuard, identifier: str) -> str:
    """Return the ledger's entry of an instance or job as a sentence."""
    entry = guard.ledger.find(identifier)
    if entry is None:
        return " It was not started here."
    return (
        f" It is {plain(entry.name)}, at {entry.price_per_hour} USD an hour for at most "
        f"{entry.max_runtime_minutes} minutes: at most {cents(entry.at_most_usd)} USD."
    )
