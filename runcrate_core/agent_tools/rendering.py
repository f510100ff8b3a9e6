"""What of a value a model is shown: little, in order, cleaned where others wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runcrate_core.agent_tools.tool import given
from runcrate_core.agent_tools.untrusted_text import UNTRUSTED_NOTE
from runcrate_core.spending.money import cents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from decimal import Decimal

    from runcrate_core.agent_tools.tool import ToolContext
    from runcrate_core.api.instance_types import Instance, InstanceType
    from runcrate_core.api.job_types import Job
    from runcrate_core.spending.ledger import LedgerEntry
    from runcrate_core.spending.plans import RunningResource

# Decimals of an amount: a millionth of a dollar is the finest that is billed.
_DIGITS: Final = 6


def amount(value: Decimal | None) -> float | None:
    """Return USD as a JSON number."""
    return None if value is None else round(float(value), _DIGITS)


def moment(value: datetime | None) -> str | None:
    """Return a time to the second."""
    return None if value is None else value.isoformat(timespec="seconds")


def untrusted(text: str | None) -> dict[str, str] | None:
    """Return a cleaned text of others so that it is recognised as such."""
    return None if not text else {"untrusted_text": text}


def instance_type_view(item: InstanceType, context: ToolContext) -> dict[str, Any]:
    """Return a machine that can be rented."""
    limits = None if context.guard is None else context.guard.limits
    allowed = None
    if limits is not None:
        allowed = (
            item.hourly_rate is not None
            and item.hourly_rate <= limits.price_limit_usd
            and item.gpu_count <= limits.max_gpus
            and limits.allows_gpu(item.gpu_type)
            and limits.allows_region(item.region)
        )
    return given(
        instance_type_id=item.id,
        gpu_type=item.gpu_type,
        gpu_count=item.gpu_count,
        usd_per_hour=amount(item.hourly_rate),
        region=item.region,
        cpu_cores=item.cpu_cores,
        memory_gb=item.memory_gb,
        storage_gb=item.storage_gb,
        within_limits=allowed,
    )


def instance_view(item: Instance, context: ToolContext) -> dict[str, Any]:
    """Return an instance; never its environment variables, its address only where allowed."""
    return given(
        id=item.id,
        name=context.clean.name(item.name),
        status=context.clean.name(item.status),
        gpu_type=item.gpu_type,
        gpu_count=item.gpu_count,
        usd_per_hour=amount(item.cost_per_hour),
        region=item.region,
        max_runtime_minutes=item.max_runtime_minutes,
        ends_by_itself_at=moment(item.auto_stop_at),
        stop_reason=context.clean.name(item.stop_reason),
        ip=item.ip if context.show_addresses else None,
        started_by_this_agent=context.ledger.find(item.id) is not None or None,
    )


def job_view(item: Job, context: ToolContext) -> dict[str, Any]:
    """Return a job, without its command and its environment variables."""
    error = untrusted(context.clean.remark(item.error))
    return given(
        id=item.id,
        name=context.clean.name(item.name),
        status=context.clean.name(item.status),
        exit_code=item.exit_code,
        error=error,
        note=UNTRUSTED_NOTE if error else None,
        queue_reason=context.clean.name(item.queue_reason),
        gpu_type=item.gpu_type,
        gpu_count=item.gpu_count,
        attempt=item.attempt,
        usd_per_hour=amount(item.cost_per_hour),
        cost_usd=amount(item.cost_usd),
        max_runtime_minutes=item.max_runtime_minutes,
        started_at=moment(item.started_at),
        ended_at=moment(item.ended_at),
        artifacts=item.artifacts_count,
    )


def running_view(item: RunningResource, context: ToolContext) -> dict[str, Any]:
    """Return a machine that runs already."""
    return given(
        id=item.id,
        name=context.clean.name(item.name),
        status=context.clean.name(item.status),
        usd_per_hour=amount(item.price_per_hour),
    )


def entry_view(entry: LedgerEntry) -> dict[str, Any]:
    """Return an entry of the ledger."""
    return given(
        kind=entry.kind,
        name=entry.name,
        id=entry.id,
        state=entry.state,
        cost_usd=amount(entry.cost_usd),
        at_most_usd=None if entry.cost_usd is not None else amount(entry.at_most_usd),
    )


def spending_view(context: ToolContext) -> dict[str, Any]:
    """Return what is spent and left, to the cent."""
    spent = context.ledger.total_usd
    if context.guard is None:
        return {"spent_or_reserved_usd": amount(cents(spent))}
    budget = context.guard.limits.budget_usd
    return {
        "spent_or_reserved_usd": amount(cents(spent)),
        "left_usd": amount(cents(max(budget - spent, budget * 0))),
        "limit_usd": amount(budget),
    }


def listed(
    items: Iterable[Any],
    view: Callable[[Any, ToolContext], dict[str, Any]],
    context: ToolContext,
    *,
    limit: int,
    what: str,
) -> dict[str, Any]:
    """Return a list, cut to its first entries, which says how many there are."""
    found = list(items)
    shown = [view(item, context) for item in found[:limit]]
    cut = None
    if len(found) > len(shown):
        cut = f"{len(found) - len(shown)} more are not shown: narrow the search or raise `limit`."
    return given(**{"count": len(found), what: shown}, more=cut)
