"""Instance selection: the cheapest to launch, and the most expensive that a job may get."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from runcrate_core.spending.limits import folded, refused
from runcrate_core.spending.money import known_price

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcrate_core.api.instance_types import InstanceType
    from runcrate_core.spending.limits import SpendLimits

# `A100-80GB:2` names a GPU and how many of it (official SDK 0.5.0).
_CANDIDATE: Final = re.compile(r"(?P<type>[^:]+)(?::(?P<count>[0-9]{1,3}))?")
# A job of more would only be one that takes whatever there is.
MAX_CANDIDATES: Final = 8


@dataclass(frozen=True)
class Candidate:
    """A GPU that a job may run on, and how many of it."""

    gpu_type: str
    gpu_count: int

    @property
    def spelled(self) -> str:
        """As the API reads it."""
        return f"{self.gpu_type}:{self.gpu_count}"


def candidates_of(gpu_type: str | Sequence[str], gpu_count: int) -> tuple[Candidate, ...]:
    """Return the GPUs of a job's `gpu_type`, each with its count.

    Raises:
        SpendRefusedError: There are none or too many, or one is not like `A100` or `A100-80GB:2`.
    """
    entries = [gpu_type] if isinstance(gpu_type, str) else list(gpu_type)
    if not 1 <= len(entries) <= MAX_CANDIDATES:
        raise refused(f"{len(entries)} GPU types were given", f"Give 1 to {MAX_CANDIDATES}")
    found = [_CANDIDATE.fullmatch(entry.strip()) for entry in entries]
    if not all(found):
        raise refused(f"{gpu_type!r} is not a GPU type", "Give one such as `A100` or `A100-80GB:2`")
    return tuple(
        Candidate(match["type"], int(match["count"] or gpu_count)) for match in found if match
    )


def cheapest(
    offered: Sequence[InstanceType],
    limits: SpendLimits,
    *,
    gpu_count: int,
    gpu_type: str | None = None,
    instance_type_id: str | None = None,
) -> InstanceType:
    """Return the cheapest instance type that the limits allow.

    Args:
        offered: The instance types that the API lists.
        limits: The limits.
        gpu_count: How many GPUs it must have, unless it is asked for by its own name. A type
            without GPU is only chosen by a name.
        gpu_type: The GPU that was asked for, if any.
        instance_type_id: The type that was asked for, if any.

    Raises:
        SpendRefusedError: There is none; the message lists the offers.
    """
    by_name = gpu_type is not None or instance_type_id is not None
    fitting = [
        item
        for item in offered
        if known_price(item.hourly_rate) is not None
        and (
            item.gpu_count == gpu_count or (item.gpu_count == 0 and by_name)
            if instance_type_id is None
            else item.id == instance_type_id and item.gpu_count <= limits.max_gpus
        )
        and limits.allows_gpu(item.gpu_type)
        and limits.allows_region(item.region)
    ]
    if not fitting:
        named = f"has {gpu_count} GPU" if instance_type_id is None else "is"
        which = "" if instance_type_id is None else f" `{instance_type_id}`, with GPUs"
        raise refused(
            f"none of the {len(offered)} instance types offered {named}{which} "
            "of an allowed type and number in an allowed region",
            "List the instance types and choose another",
        )
    return min(fitting, key=lambda item: (item.hourly_rate or Decimal(), item.id))


def most_expensive_for_job(
    offered: Sequence[InstanceType], limits: SpendLimits, wanted: Candidate, region: str | None
) -> InstanceType:
    """Return the most expensive instance type that a job may get, after checking all it may get.

    The API chooses the instance type of a job, so each that fits must be within the limits.

    Args:
        offered: The instance types that the API lists for the GPU.
        limits: The limits.
        wanted: The GPU.
        region: Where the job must run.

    Raises:
        SpendRefusedError: None fits, or one that fits is not allowed.
    """
    fitting = [item for item in offered if item.gpu_count in (wanted.gpu_count, 0)]
    here = [item for item in fitting if region is not None and _is_in(item, region)]
    # A city or a country is not recognised here: then the types of all regions count.
    fitting = here or fitting
    if not fitting:
        raise refused(
            f"no instance type with {wanted.gpu_count} x {wanted.gpu_type} is offered",
            "List the instance types and choose another",
        )
    for item in fitting:
        label = f"the instance type `{item.id}` ({item.gpu_type}), which the job may get,"
        limits.check_price(item.hourly_rate, label)
        if not limits.allows_gpu(item.gpu_type):
            raise refused(
                f"{label} has a GPU type that is not allowed", "Name a region or another GPU"
            )
    return max(fitting, key=lambda item: (item.hourly_rate or Decimal(), item.id))


def price_of(offered: Sequence[InstanceType], instance_type_id: str) -> Decimal | None:
    """Return the present price of an instance type, or `None` when it is not offered any more."""
    return next((item.hourly_rate for item in offered if item.id == instance_type_id), None)


def _is_in(item: InstanceType, region: str) -> bool:
    """True if an instance type is in a region, named by its id or the start of it (`us-east`)."""
    ours, wanted = folded(item.region or ""), folded(region)
    return bool(wanted) and ours.startswith(wanted)
