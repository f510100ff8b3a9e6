"""What a call of a tool would do, for a person who is asked to approve it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcrate_core.agent_tools.arguments import RunJob
from runcrate_core.errors import SpendRefusedError
from runcrate_core.spending.instance_selection import candidates_of
from runcrate_core.spending.money import cents
from runcrate_core.spending.plans import JobPlan, plain, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runcrate_core.spending.guard import SpendGuard


def describe_call(guard: SpendGuard | None, name: str, arguments: Mapping[str, Any]) -> str:
    """Return what a call would do and cost at worst, as far as that is known without a request.

    Args:
        guard: What keeps the limits.
        name: Name of the tool.
        arguments: What the model gave; nothing of it is trusted.
    """
    if guard is None:
        return f"{name}: nothing can be started without spending limits."
    match name:
        case "runcrate_launch_instance":
            what = _launch(guard, arguments)
        case "runcrate_run_job":
            what = _job(guard, arguments)
        case "runcrate_update_instance_limits":
            what = _update(guard, arguments)
        case "runcrate_terminate_instance":
            what = (
                f"End the instance {_shown(arguments, 'instance_id')} called "
                f"{_shown(arguments, 'expected_name')}; its disk is lost.{_entry(guard, arguments)}"
            )
        case "runcrate_cancel_job":
            what = f"Cancel the job {_shown(arguments, 'job_id')}.{_entry(guard, arguments)}"
        case _:
            what = f"Call {name}."
    spent = cents(guard.ledger.total_usd)
    return f"{what} Spent or reserved so far: {spent} of {guard.limits.budget_usd} USD."


def _launch(guard: SpendGuard, arguments: Mapping[str, Any]) -> str:
    plan = guard.plan_of(str(arguments.get("plan_token")))
    if plan is None:
        return (
            f"Launch the plan {_shown(arguments, 'plan_token')}, which is not known or was carried "
            "out already: it will be refused."
        )
    running = ", ".join(plain(machine.name) for machine in plan.running) or "nothing"
    return f"Launch {plan.describe()}. Running already: {running}."


def _job(guard: SpendGuard, arguments: Mapping[str, Any]) -> str:
    try:
        args = RunJob.model_validate(dict(arguments))
        gpus = candidates_of(args.gpu_type, args.gpu_count)
    except (ValueError, SpendRefusedError):
        return "Run a job with arguments that are wrong: it will be refused."
    plan = JobPlan(
        name=plain(args.name or "a job"),
        command=args.command,
        gpu_types=tuple(gpu.spelled for gpu in gpus),
        gpu_count=args.gpu_count,
        region=args.region,
        # Its true price is looked up when it is submitted, and cannot be higher than this.
        price_per_hour=guard.limits.price_limit_usd,
        max_runtime_minutes=args.max_runtime_minutes,
        attempts=1 + args.max_retries,
        options=args.model_dump(),
    )
    return f"Run {plan.describe()}."


def _update(guard: SpendGuard, arguments: Mapping[str, Any]) -> str:
    return (
        f"Let the instance {_shown(arguments, 'instance_id')} live for "
        f"{_shown(arguments, 'max_runtime_minutes')} minutes.{_entry(guard, arguments)}"
    )


def _entry(guard: SpendGuard, arguments: Mapping[str, Any]) -> str:
    """Return what the ledger knows of what is meant."""
    identifier = arguments.get("instance_id", arguments.get("job_id"))
    entry = guard.ledger.find(str(identifier))
    if entry is None:
        return " It was not started here."
    return (
        f" It is {entry.name}, at {entry.price_per_hour} USD an hour for at most "
        f"{entry.max_runtime_minutes} minutes: at most {cents(entry.at_most_usd)} USD."
    )


def _shown(arguments: Mapping[str, Any], name: str) -> str:
    return quoted(str(arguments.get(name)))
