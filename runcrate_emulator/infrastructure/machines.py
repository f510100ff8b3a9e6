"""A machine's life as pure functions of the time: status, cost, and when and why it stops.

An instance is a machine that a client launched; a job runs on a machine of its own.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from runcrate_emulator.infrastructure.catalogue import CPU, InstanceType

StopReason = Literal["user", "max_runtime", "idle", "budget", "low_balance", "failed", "system"]
MachineStatus = Literal["pending", "running", "terminated", "failed"]

BOOT_TIME = timedelta(seconds=20)  # the emulator's own; a real machine takes a minute or more
SOONEST_STOP = timedelta(minutes=2)  # a change never stops a machine sooner (official SDK 0.5.0)
POSTING_INTERVAL = timedelta(hours=1)  # how often usage of a running machine becomes a transaction
_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Machine:
    """One machine, running or not.

    Attributes:
        usage_from: Start of what has not been posted as a transaction yet.
        active_at: When somebody was last connected to it, as far as known.
        runtime_not_before: Earliest stop for max runtime after a change of that limit.
        idle_not_before: Earliest stop for being idle after a change of that limit.
        ssh_port: Port of its SSH server; None where there is none.
        job_id: The job that it runs for; None for an instance.
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
        """When it is ready, and begins to cost."""
        return self.created_at + BOOT_TIME

    @property
    def has_gpu(self) -> bool:
        """True if idle stop is possible at all."""
        return self.type.gpu_type != CPU

    @property
    def is_live(self) -> bool:
        """True if it still starts or runs."""
        return self.stopped_at is None


def status_at(machine: Machine, now: datetime) -> MachineStatus:
    """The status at a moment up to which the world has been settled."""
    if machine.stopped_at is not None:
        return "failed" if machine.stop_reason == "failed" else "terminated"
    return "running" if now >= machine.runs_from else "pending"


def auto_stop_at(machine: Machine, now: datetime) -> datetime | None:
    """When max runtime will stop it; None without one, and before it first runs."""
    return _runtime_stop(machine) if status_at(machine, now) == "running" else None


def planned_stop(machine: Machine) -> tuple[datetime, StopReason] | None:
    """When and why a live machine stops if nothing else happens."""
    stops: list[tuple[datetime, StopReason]] = []
    runtime_stop = _runtime_stop(machine)
    if runtime_stop is not None:
        stops.append((runtime_stop, "max_runtime"))
    if machine.idle_shutdown_minutes is not None:
        idle_from = max(machine.runs_from, machine.active_at)
        limit = timedelta(minutes=machine.idle_shutdown_minutes)
        stops.append((max(idle_from + limit, machine.idle_not_before or idle_from), "idle"))
    return min(stops, default=None)


def _runtime_stop(machine: Machine) -> datetime | None:
    if machine.max_runtime_minutes is None:
        return None
    stop = machine.runs_from + timedelta(minutes=machine.max_runtime_minutes)
    return max(stop, machine.runtime_not_before or stop)


def cost_between(machine: Machine, start: datetime, end: datetime) -> Decimal:
    """Exact cost of the full seconds that it ran between two times."""
    start = max(start, machine.runs_from)
    end = end if machine.stopped_at is None else min(end, machine.stopped_at)
    seconds = max(math.floor((end - start).total_seconds()), 0)
    return machine.type.hourly_rate * seconds / _SECONDS_PER_HOUR


def unposted_cost(machine: Machine, now: datetime) -> Decimal:
    """Cost since its last usage transaction."""
    return cost_between(machine, machine.usage_from, now)


def next_posting(machine: Machine) -> datetime:
    """When its usage next becomes a transaction: hourly, and at the end of a UTC month."""
    start = max(machine.usage_from, machine.runs_from)
    return min(start + POSTING_INTERVAL, start_of_next_month(start))


def start_of_next_month(moment: datetime) -> datetime:
    """Midnight UTC on the first of the following month."""
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def stopped(machine: Machine, at: datetime, reason: StopReason) -> Machine:
    """The machine after it was stopped."""
    return replace(machine, stopped_at=at, stop_reason=reason, updated_at=at)
