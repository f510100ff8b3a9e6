"""Instance lifecycle as pure functions of the time: status, cost, time and reason of its stop.

A client launches it, or a job has it for itself.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from runcrate_emulator.infrastructure.catalogue import CPU, InstanceType

StopReason = Literal["user", "max_runtime", "idle", "budget", "low_balance", "failed", "system"]
InstanceStatus = Literal["pending", "running", "terminated", "failed"]

BOOT_TIME = timedelta(seconds=20)  # the emulator's own; a real instance takes a minute or more
SOONEST_STOP = timedelta(minutes=2)  # a change never stops an instance sooner (official SDK 0.5.0)
POSTING_INTERVAL = timedelta(hours=1)  # how often usage of a running instance becomes a transaction
_SECONDS_PER_HOUR = 3600


@dataclass
class Instance:
    """One instance, running or not.

    Attributes:
        usage_from: Start of what has not been posted as a transaction yet.
        active_at: When somebody was last connected to it, as far as known.
        runtime_not_before: Earliest stop for max runtime after a change of that limit.
        idle_not_before: Earliest stop for being idle after a change of that limit.
        ssh_port: Port of its SSH server; None where there is none.
        job_id: The job that it runs for; None for one that a client launched.
    """

    id: str
    name: str
    environment_id: str
    type: InstanceType
    ip: str
    os_image: str
    created_at: datetime
    updated_at: datetime
    usage_from: datetime
    active_at: datetime
    max_runtime_minutes: int | None = None
    idle_shutdown_minutes: int | None = None
    runtime_not_before: datetime | None = None
    idle_not_before: datetime | None = None
    ssh_key_id: str | None = None
    ssh_port: int | None = None
    storage_id: str | None = None
    job_id: str | None = None
    stopped_at: datetime | None = None
    stop_reason: StopReason | None = None

    @property
    def runs_from(self) -> datetime:
        """Time from which it is ready and billed."""
        return self.created_at + BOOT_TIME

    @property
    def has_gpu(self) -> bool:
        """True if idle stop is possible at all."""
        return self.type.gpu_type != CPU

    @property
    def is_live(self) -> bool:
        """True if it still starts or runs."""
        return self.stopped_at is None


def status_at(instance: Instance, now: datetime) -> InstanceStatus:
    """The status at a moment up to which the world has been settled."""
    if instance.stopped_at is not None:
        return "failed" if instance.stop_reason == "failed" else "terminated"
    return "running" if now >= instance.runs_from else "pending"


def auto_stop_at(instance: Instance, now: datetime) -> datetime | None:
    """Time at which max runtime stops it; None without one, and before it first runs."""
    return _runtime_stop(instance) if status_at(instance, now) == "running" else None


def planned_stop(instance: Instance) -> tuple[datetime, StopReason] | None:
    """Time and reason of a live instance's stop if nothing else happens."""
    stops: list[tuple[datetime, StopReason]] = []
    runtime_stop = _runtime_stop(instance)
    if runtime_stop is not None:
        stops.append((runtime_stop, "max_runtime"))
    if instance.idle_shutdown_minutes is not None:
        idle_from = max(instance.runs_from, instance.active_at)
        limit = timedelta(minutes=instance.idle_shutdown_minutes)
        stops.append((max(idle_from + limit, instance.idle_not_before or idle_from), "idle"))
    return min(stops, default=None)


def _runtime_stop(instance: Instance) -> datetime | None:
    if instance.max_runtime_minutes is None:
        return None
    stop = instance.runs_from + timedelta(minutes=instance.max_runtime_minutes)
    return max(stop, instance.runtime_not_before or stop)


def cost_between(instance: Instance, start: datetime, end: datetime) -> Decimal:
    """Exact cost of the full seconds that it ran between two times."""
    start = max(start, instance.runs_from)
    end = end if instance.stopped_at is None else min(end, instance.stopped_at)
    seconds = max(math.floor((end - start).total_seconds()), 0)
    return instance.type.hourly_rate * seconds / _SECONDS_PER_HOUR


def next_posting(instance: Instance) -> datetime:
    """Time of its next transaction: hourly, and at the end of a UTC month."""
    start = max(instance.usage_from, instance.runs_from)
    first = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return min(start + POSTING_INTERVAL, (first + timedelta(days=32)).replace(day=1))
