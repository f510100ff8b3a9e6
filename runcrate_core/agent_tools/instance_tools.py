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
from runcrate_core.spending.ending import note_if_ended

if TYPE_CHECKING:
    from runcrate_core.agent_tools import arguments
    from runcrate_core.agent_tools.tool import Surroundings
    from runcrate_core.protocol.steps import Flow

    Result = Flow[dict[str, Any]]

WAIT = "runcrate_wait_for_instance"


def list_instance_types(around: Surroundings, asked: arguments.ListInstanceTypes) -> Result:
    """List the machines that can be rented, the cheapest first."""
    found = yield from instances.list_types(
        gpu_type=asked.gpu_type, region=asked.region, gpu_count=asked.gpu_count
    )
    most = None if asked.max_price_per_hour is None else Decimal(str(asked.max_price_per_hour))
    priced = [
        (item.hourly_rate, item.id, item)
        for item in found
        if item.hourly_rate is not None and (most is None or item.hourly_rate <= most)
    ]
    cheapest_first = [item for *_, item in sorted(priced, key=lambda entry: entry[:2])]
    return listed(
        cheapest_first, instance_type_view, around, limit=asked.limit, what="instance_types"
    )


def list_instances(around: Surroundings, asked: arguments.ListInstances) -> Result:
    """List the instances of the environment."""
    found = yield from instances.list_instances(search=asked.search)
    wanted = [item for item in found if asked.include_ended or not item.has_ended]
    return listed(wanted, instance_view, around, limit=asked.limit, what="instances")


def get_instance(around: Surroundings, asked: arguments.OneInstance) -> Result:
    """Show an instance."""
    instance = yield from instances.get(asked.instance_id)
    note_if_ended(around.ledger, instance)
    return instance_view(instance, around)


def wait_for_instance(around: Surroundings, asked: arguments.WaitForInstance) -> Result:
    """Wait until an instance runs; not for longer than was asked for."""
    try:
        instance = yield from instances.wait_until_running(
            asked.instance_id,
            timeout=asked.timeout_seconds,
            poll_interval=around.poll_interval,
            on_status=around.telling(WAIT),
        )
    except APITimeoutError as error:
        if error.attempts:  # a request had no answer; it is not that the time is over
            raise
        instance = yield from instances.get(asked.instance_id)
        return {
            **instance_view(instance, around),
            "next": "It does not run yet. Wait again, or terminate it.",
        }
    return instance_view(instance, around)


def plan_instance(around: Surroundings, asked: arguments.PlanInstance) -> Result:
    """Choose a machine and show what launching it would cost."""
    plan = yield from around.spending.plan(**asked.model_dump(exclude_none=True))
    return given(
        plan_token=plan.token,
        name=plan.name,
        gpu_type=plan.gpu_type,
        gpu_count=plan.gpu_count,
        region=plan.region,
        usd_per_hour=amount(plan.price_per_hour),
        max_runtime_minutes=plan.max_runtime_minutes,
        worst_case_usd=amount(plan.worst_case_usd),
        running_already=[running_view(item, around) for item in plan.running],
        budget=spending_view(around),
        next="Nothing is started yet. Call runcrate_launch_instance with this plan_token within "
        "10 minutes.",
    )


def launch_instance(around: Surroundings, asked: arguments.LaunchInstance) -> Result:
    """Carry out a plan."""
    instance = yield from around.spending.launch(asked.plan_token)
    return {
        **instance_view(instance, around),
        "budget": spending_view(around),
        "next": f"It costs money now. Call {WAIT}; terminate it as soon as it is not needed.",
    }


def update_instance_limits(around: Surroundings, asked: arguments.UpdateInstanceLimits) -> Result:
    """Change how long an instance lives."""
    instance = yield from around.spending.update(
        asked.instance_id, max_runtime_minutes=asked.max_runtime_minutes
    )
    return {**instance_view(instance, around), "budget": spending_view(around)}


def terminate_instance(around: Surroundings, asked: arguments.TerminateInstance) -> Result:
    """End an instance."""
    instance = yield from around.spending.terminate(
        asked.instance_id, expected_name=asked.expected_name
    )
    entry = around.ledger.find(instance.id)
    return given(
        **instance_view(instance, around),
        cost_usd=None if entry is None else amount(entry.cost_usd),
        budget=spending_view(around),
    )


def get_spending(around: Surroundings, _: arguments.NoArguments) -> Result:
    """Show what was started and what it costs."""
    if around.guard is not None:
        yield from around.guard.settle()
    return {
        **spending_view(around),
        "started": [entry_view(entry) for entry in around.ledger.entries],
    }
