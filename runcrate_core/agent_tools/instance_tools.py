"""Tools about instances: looking, planning, launching, changing, ending."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runcrate_core.agent_tools.rendering import (
    amount,
    entry_view,
    instance_type_view,
    instance_view,
    listed,
    running_view,
    spending_view,
)
from runcrate_core.agent_tools.tool import given
from runcrate_core.api import instances
from runcrate_core.errors import APITimeoutError
from runcrate_core.spending.cleanup import note_if_ended

if TYPE_CHECKING:
    from runcrate_core.agent_tools import arguments
    from runcrate_core.agent_tools.tool import ToolContext
    from runcrate_core.protocol.steps import Flow

    Result = Flow[dict[str, Any]]

WAIT = "runcrate_wait_for_instance"


def list_instance_types(context: ToolContext, args: arguments.ListInstanceTypes) -> Result:
    """List the machines that can be rented, the cheapest first."""
    found = yield from instances.list_types(
        gpu_type=args.gpu_type, region=args.region, gpu_count=args.gpu_count
    )
    most = None if args.max_price_per_hour is None else Decimal(str(args.max_price_per_hour))
    priced = [
        (item.hourly_rate, item.id, item)
        for item in found
        if item.hourly_rate is not None and (most is None or item.hourly_rate <= most)
    ]
    cheapest_first = [item for *_, item in sorted(priced, key=lambda entry: entry[:2])]
    return listed(
        cheapest_first, instance_type_view, context, limit=args.limit, what="instance_types"
    )


def list_instances(context: ToolContext, args: arguments.ListInstances) -> Result:
    """List the instances of the environment."""
    found = yield from instances.list_instances(search=args.search)
    wanted = [item for item in found if args.include_ended or not item.has_ended]
    return listed(wanted, instance_view, context, limit=args.limit, what="instances")


def get_instance(context: ToolContext, args: arguments.OneInstance) -> Result:
    """Show an instance."""
    instance = yield from instances.get(args.instance_id)
    note_if_ended(context.ledger, instance)
    return instance_view(instance, context)


def wait_for_instance(context: ToolContext, args: arguments.WaitForInstance) -> Result:
    """Wait until an instance runs; not for longer than was asked for."""
    try:
        instance = yield from instances.wait_until_running(
            args.instance_id,
            timeout=args.timeout_seconds,
            poll_interval=context.poll_interval,
            on_status=context.telling(WAIT),
        )
    except APITimeoutError as error:
        if error.attempts:  # a request had no answer; it is not that the time is over
            raise
        instance = yield from instances.get(args.instance_id)
        return {
            **instance_view(instance, context),
            "next": "It does not run yet. Wait again, or terminate it.",
        }
    return instance_view(instance, context)


def plan_instance(context: ToolContext, args: arguments.PlanInstance) -> Result:
    """Choose a machine and show what launching it would cost."""
    plan = yield from context.spending.plan(**args.model_dump(exclude_none=True))
    return given(
        plan_token=plan.token,
        name=plan.name,
        gpu_type=plan.gpu_type,
        gpu_count=plan.gpu_count,
        region=plan.region,
        usd_per_hour=amount(plan.price_per_hour),
        max_runtime_minutes=plan.max_runtime_minutes,
        worst_case_usd=amount(plan.worst_case_usd),
        running_already=[running_view(item, context) for item in plan.running],
        budget=spending_view(context),
        next="Nothing is started yet. Call runcrate_launch_instance with this plan_token within "
        "10 minutes.",
    )


def launch_instance(context: ToolContext, args: arguments.LaunchInstance) -> Result:
    """Carry out a plan."""
    instance = yield from context.spending.launch(args.plan_token)
    return {
        **instance_view(instance, context),
        "budget": spending_view(context),
        "next": f"It costs money now. Call {WAIT}; terminate it as soon as it is not needed.",
    }


def update_instance_limits(context: ToolContext, args: arguments.UpdateInstanceLimits) -> Result:
    """Change how long an instance lives."""
    instance = yield from context.spending.update(
        args.instance_id, max_runtime_minutes=args.max_runtime_minutes
    )
    return {**instance_view(instance, context), "budget": spending_view(context)}


def terminate_instance(context: ToolContext, args: arguments.TerminateInstance) -> Result:
    """End an instance."""
    instance = yield from context.spending.terminate(
        args.instance_id, expected_name=args.expected_name
    )
    entry = context.ledger.find(instance.id)
    return given(
        **instance_view(instance, context),
        cost_usd=None if entry is None else amount(entry.cost_usd),
        budget=spending_view(context),
    )


def get_spending(context: ToolContext, _: arguments.NoArguments) -> Result:
    """Show what was started and what it costs."""
    if context.guard is not None:
        yield from context.guard.settle()
    return {
        **spending_view(context),
        "started": [entry_view(entry) for entry in context.ledger.entries],
    }
