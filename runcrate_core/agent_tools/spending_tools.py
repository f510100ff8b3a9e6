"""Spending tool: the ledger of this agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from runcrate_core.agent_tools.annotations import READ_ONLY
from runcrate_core.agent_tools.arguments import NoArguments
from runcrate_core.agent_tools.result_views import amount, budget_view, known
from runcrate_core.agent_tools.results import BudgetResult, Result, Usd
from runcrate_core.agent_tools.tool import agent_tool

if TYPE_CHECKING:
    from runcrate_core.agent_tools.tool import ToolContext
    from runcrate_core.protocol.steps import Flow
    from runcrate_core.spending.ledger_entry import LedgerEntry


class EntryResult(Result):
    """An instance or job of the ledger."""

    kind: str
    name: str | None = None
    id: str | None = None
    state: str
    cost_usd: Usd | None = None
    at_most_usd: Usd | None = Field(default=None, description="Worst case, until it has ended.")


class SpendingResult(BudgetResult):
    """The budget and the ledger."""

    started: list[EntryResult]


@agent_tool(
    NoArguments,
    READ_ONLY,
    "Show what was started here, what it cost or may cost, and how much of the budget is left. "
    "Free and quick.",
    result=SpendingResult,
)
def get_spending(context: ToolContext, _: NoArguments) -> Flow[dict[str, Any]]:
    """Show what was started and what it costs."""
    if context.guard is not None:
        yield from context.guard.settle()
    return {
        **budget_view(context),
        "started": [_entry_view(entry, context) for entry in context.ledger.entries],
    }


def _entry_view(entry: LedgerEntry, context: ToolContext) -> dict[str, Any]:
    return known(
        kind=entry.kind,
        name=context.sanitizer.name(entry.name),
        id=context.sanitizer.name(entry.id),
        state=entry.state,
        cost_usd=amount(entry.cost_usd),
        at_most_usd=None if entry.cost_usd is not None else amount(entry.at_most_usd),
    )


TOOLS: Final = (get_spending,)
