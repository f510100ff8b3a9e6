"""Instance types: state in responses, and rentable hardware.

Facts: the official SDK 0.5.0 and the reference pages of the endpoints.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from runcrate_core.api.envelope import Identifier, LenientModel, UtcDatetime

RUNNING: Final = "running"
# `running`, `pending`, `provisioning`, `terminating`: states that are not an end.
_IN_PROGRESS_SUFFIX: Final = "ing"
# There is no published list of statuses; these are known to be ends.
TERMINAL_STATUSES: Final = frozenset({"terminated", "failed", "error", "deleted", "stopped"})


def has_terminated(status: str, stop_reason: str | None) -> bool:
    """Return whether an instance in this state is over and costs nothing more."""
    word = status.lower()
    if word in TERMINAL_STATUSES:
        return True
    return bool(stop_reason) and not word.endswith(_IN_PROGRESS_SUFFIX)


class Instance(LenientModel):
    """An instance.

    Attributes:
        status: Open text; seen are `pending`, `provisioning`, `deploying`, `running`,
            `terminated` and `failed`.
        ip: Address for SSH (user `root`), once it runs.
        memory: Memory in GB.
        storage: Disk in GB.
        cost_per_hour: USD.
        auto_stop_at: When the server will end it by itself.
        stop_reason: Why it ended: `user`, `max_runtime`, `idle`, `budget`, `low_balance`,
            `failed`, `system` or new; `None` while it runs.
        recovered: Whether the answer to its launch was lost and it was found again by its name.
    """

    id: Identifier
    name: str = ""
    status: str = ""
    gpu_type: str | None = None
    gpu_count: int | None = None
    cpu_cores: int | None = None
    memory: int | float | None = None
    storage: int | float | None = None
    region: str | None = None
    ip: str | None = None
    os_image: str | None = None
    cost_per_hour: Decimal | None = None
    deployed_at: UtcDatetime | None = None
    created_at: UtcDatetime | None = None
    updated_at: UtcDatetime | None = None
    max_runtime_minutes: int | None = None
    idle_shutdown_minutes: int | None = None
    auto_stop_at: UtcDatetime | None = None
    stop_reason: str | None = None
    recovered: bool = False

    @property
    def is_running(self) -> bool:
        """True if it can be reached."""
        return self.status.lower() == RUNNING

    @property
    def has_ended(self) -> bool:
        """It is over and costs nothing more.

        A status that is not known is an end when there is a `stop_reason`, unless it names
        something in progress (`terminating`).
        """
        return has_terminated(self.status, self.stop_reason)


class InstanceStatus(LenientModel):
    """The short form of an instance: where it stands."""

    id: Identifier
    status: str = ""
    ip: str | None = None


class InstanceType(LenientModel):
    """An instance type that can be rented; being listed does not promise that one is free now.

    Attributes:
        hourly_rate: USD an hour for the complete instance.
        memory_gb: Memory in GB.
        storage_gb: Disk in GB.
    """

    id: Identifier
    gpu_type: str = ""
    gpu_count: int = 0
    cpu_cores: int | None = None
    memory_gb: int | float | None = None
    storage_gb: int | float | None = None
    region: str | None = None
    deployment_type: str | None = None
    hourly_rate: Decimal | None = None
