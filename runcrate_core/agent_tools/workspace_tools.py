"""Tools that look at the rest of the workspace: money, volumes, keys, templates, environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcrate_core.agent_tools.rendering import amount, listed
from runcrate_core.agent_tools.tool import given
from runcrate_core.api import billing, environments, ssh_keys, storage, templates

if TYPE_CHECKING:
    from runcrate_core.agent_tools import arguments
    from runcrate_core.agent_tools.tool import ToolContext
    from runcrate_core.api.environments import Environment
    from runcrate_core.api.ssh_keys import SSHKey
    from runcrate_core.api.storage import Volume
    from runcrate_core.api.templates import Template
    from runcrate_core.protocol.steps import Flow

    Result = Flow[dict[str, Any]]


def get_balance(_: ToolContext, __: arguments.NoArguments) -> Result:
    """Show what is left, and how fast it goes."""
    balance = yield from billing.get_balance()
    return given(
        balance_usd=amount(balance.credits_balance),
        balance_after_running_usage_usd=amount(balance.floating_balance_usd),
        burn_usd_per_hour=amount(balance.burn_usd_per_hour),
        hours_left=balance.runway_hours,
    )


def get_usage(_: ToolContext, args: arguments.GetUsage) -> Result:
    """Show what inference has cost."""
    usage = yield from billing.usage(from_date=args.from_date, to_date=args.to_date)
    return given(
        cost_usd=amount(usage.total_cost),
        requests=usage.total_requests,
        prompt_tokens=usage.total_prompt_tokens,
        completion_tokens=usage.total_completion_tokens,
    )


def list_storage(context: ToolContext, args: arguments.Listing) -> Result:
    """List volumes."""
    found = yield from storage.list_volumes(search=args.search)
    return listed(found, _volume, context, limit=args.limit, what="volumes")


def list_ssh_keys(context: ToolContext, args: arguments.Few) -> Result:
    """List SSH keys: their names, never their content."""
    found = yield from ssh_keys.list_ssh_keys()
    return listed(found, _key, context, limit=args.limit, what="ssh_keys")


def list_templates(context: ToolContext, args: arguments.Listing) -> Result:
    """List templates."""
    page = yield from templates.list_templates(page_size=args.limit, search=args.search)
    shown = listed(page.items, _template, context, limit=args.limit, what="templates")
    return {**shown, "count": len(page.items) if page.total is None else page.total}


def list_environments(context: ToolContext, args: arguments.Few) -> Result:
    """List environments and their budgets."""
    found = yield from environments.list_environments()
    return listed(found, _environment, context, limit=args.limit, what="environments")


def _volume(item: Volume, context: ToolContext) -> dict[str, Any]:
    return given(
        id=item.id,
        name=context.clean.name(item.name),
        size_gb=item.size_gb,
        status=context.clean.name(item.status),
        region=item.region,
        attached_to=item.deployment_id,
    )


def _key(item: SSHKey, context: ToolContext) -> dict[str, Any]:
    return given(
        id=item.id,
        name=context.clean.name(item.name),
        type=item.type,
        fingerprint=item.fingerprint,
    )


def _template(item: Template, context: ToolContext) -> dict[str, Any]:
    return given(
        id=item.id,
        name=context.clean.name(item.name),
        category=context.clean.name(item.category),
        description=context.clean.name(item.description),
    )


def _environment(item: Environment, context: ToolContext) -> dict[str, Any]:
    return given(
        id=item.id,
        name=context.clean.name(item.name),
        is_default=item.is_default,
        monthly_budget_usd=amount(item.monthly_budget_usd),
        spent_this_month_usd=amount(item.month_to_date_usd),
        budget_left_usd=amount(item.budget_remaining_usd),
    )
