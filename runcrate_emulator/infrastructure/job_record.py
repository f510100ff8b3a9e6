"""Job records: spec, attempts with their course, events and outputs."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from runcrate_emulator.infrastructure.catalogue import InstanceType
from runcrate_emulator.infrastructure.instance_life import Instance
from runcrate_emulator.infrastructure.instances import Wanted
from runcrate_emulator.infrastructure.job_spec import JobSpec

JobStatus = Literal[
    "queued", "starting", "running", "succeeded", "failed", "cancelled", "timed_out"
]
QueueReason = Literal["no_capacity", "budget", "max_parallel", "volume_busy"]

STATUSES: tuple[JobStatus, ...] = get_args(JobStatus)
OUTPUTS_KEPT_FOR = timedelta(days=30)  # after the end (official SDK 0.5.0)


MIN_RUN_S = 1.0
"""No command ends at the moment at which it started."""


@dataclass
class Trace:
    """The course of an attempt: decided at its launch, or followed while a command runs.

    Attributes:
        lines: The log: seconds after the start, and a line.
        files: The output files: seconds after the start, path in the output directory, content.
        exit_code: The exit code; 0 as long as there is none.
        duration_s: Emulated seconds that it takes.
    """

    lines: list[tuple[float, str]] = field(default_factory=list)
    files: list[tuple[float, str, bytes]] = field(default_factory=list)
    exit_code: int = 0
    duration_s: float = MIN_RUN_S

    def start(self) -> None:
        """Start, as the instance runs; nothing runs in a decided course."""

    def stop(self) -> None:
        """Stop, as the attempt has ended for whatever reason."""


@dataclass
class Attempt:
    """One run on one instance."""

    number: int
    instance: Instance
    status: JobStatus
    trace: Trace = field(repr=False)
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    error: str | None = None

    def ran_s(self, now: datetime) -> float:
        """Seconds that it has run until a moment; 0 before it starts."""
        return 0.0 if self.started_at is None else (now - self.started_at).total_seconds()


@dataclass(frozen=True)
class Artifact:
    """A file that the command left in `$RUNCRATE_OUTPUT_DIR`."""

    path: str
    file_id: str
    bytes: int
    sha256: str


@dataclass
class Job:
    """One command on its own fresh instance.

    Attributes:
        waits_since: Since when it waits for an instance; its capacity wait is counted from here.
        next_attempt_at: When a launch is tried next; None while it has an instance, or while its
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
    attempts: list[Attempt] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
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
        return self.ended_at is None

    @property
    def attempt(self) -> Attempt | None:
        """The latest attempt; None before the first instance."""
        return self.attempts[-1] if self.attempts else None

    @property
    def gpus(self) -> tuple[Wanted | InstanceType, ...]:
        """The GPU of the latest attempt; before the first, those that it may run on."""
        return self.spec.candidates if self.attempt is None else (self.attempt.instance.type,)

    def note(
        self, at: datetime, kind: str, detail: str | None = None, attempt: int | None = None
    ) -> None:
        """Add an event."""
        self.events.append({"at": at, "kind": kind, "detail": detail, "attempt": attempt})
