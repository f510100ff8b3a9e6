"""Job records: spec, attempts and events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from runcrate_emulator.infrastructure.job_trace import Trace

JobStatus = Literal[
    "queued", "starting", "running", "succeeded", "failed", "cancelled", "timed_out"
]
QueueReason = Literal["no_capacity", "budget", "max_parallel", "volume_busy"]

STATUSES: tuple[JobStatus, ...] = (
    "queued",
    "starting",
    "running",
    "succeeded",
    "failed",
    "cancelled",
    "timed_out",
)
LIVE_STATUSES: frozenset[JobStatus] = frozenset({"queued", "starting", "running"})
OUTPUTS_KEPT_FOR = timedelta(days=30)  # after the end (official SDK 0.5.0)


@dataclass(frozen=True)
class GpuCandidate:
    """One GPU that a job may run on."""

    gpu_type: str
    gpu_count: int


@dataclass(frozen=True)
class JobSpec:
    """A validated job.

    Attributes:
        body: What was sent, for a rerun.
    """

    body: Mapping[str, Any] = field(repr=False)
    command: str
    candidates: tuple[GpuCandidate, ...]
    max_runtime_minutes: int
    name: str | None
    template: str | None
    image: str | None
    image_registry_auth: Mapping[str, str] | None
    env: Mapping[str, str] = field(repr=False)
    storage_id: str | None
    region: str | None
    capacity_wait_minutes: int
    max_retries: int
    retry_on: tuple[str, ...]
    retry_exit_codes: tuple[int, ...]
    tags: Mapping[str, str]
    webhook_url: str | None = field(repr=False)
    webhook_events: tuple[str, ...]
    code: Mapping[str, Any] | None
    allow_cpu_container: bool


@dataclass(frozen=True)
class Attempt:
    """One run on one machine."""

    number: int
    machine_id: str
    gpu: GpuCandidate
    region: str
    status: JobStatus
    trace: Trace = field(repr=False)
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class JobEvent:
    """A moment in a job's life."""

    at: datetime
    kind: str
    detail: str | None = None
    attempt: int | None = None


@dataclass(frozen=True)
class Artifact:
    """A file that the command left in `$RUNCRATE_OUTPUT_DIR`."""

    path: str
    file_id: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Job:
    """One command on its own fresh machine.

    Attributes:
        waits_since: Since when it waits for a machine; its capacity wait is counted from here.
        next_attempt_at: When a launch is tried next; None while it has a machine, or while its
            group runs as many jobs as it may.
    """

    id: str
    spec: JobSpec
    environment_id: str
    status: JobStatus
    created_at: datetime
    waits_since: datetime
    next_attempt_at: datetime | None
    queue_reason: QueueReason | None = None
    attempts: tuple[Attempt, ...] = ()
    events: tuple[JobEvent, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    ended_at: datetime | None = None
    error: str | None = None
    group_id: str | None = None
    job_index: int = 0
    rerun_of: str | None = None

    @property
    def name(self) -> str:
        """The name that was given, or one made of the id."""
        return self.spec.name or f"job-{self.id[-8:]}"

    @property
    def is_live(self) -> bool:
        """True if it still waits, starts or runs."""
        return self.status in LIVE_STATUSES

    @property
    def attempt(self) -> Attempt | None:
        """The latest attempt; None before the first machine."""
        return self.attempts[-1] if self.attempts else None
