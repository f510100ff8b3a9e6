"""Job types: fields to send, and state in responses.

Facts: the official SDK 0.5.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypedDict

from pydantic import Field

from runcrate_core.api.envelope import ApiModel, Identifier, LenientModel, UtcDatetime
from runcrate_core.api.known_values import JobStatus, QueueReason

# Any other status, also one that is not known, may yet change.
JOB_TERMINAL_STATUSES: Final = frozenset({"succeeded", "failed", "cancelled", "timed_out"})


class JobOptions(TypedDict, total=False):
    """Options of a job in addition to command, GPU and maximum runtime.

    Attributes:
        gpu_count: GPUs an instance, 1 to 8, for entries of `gpu_type` without a count.
        name: Name by which people know it.
        template: Template id, such as `ubuntu-train`.
        image: Container image to run the command in, such as `pytorch/pytorch:latest`.
        image_registry_auth: `{"username_env", "password_env"}`: the variables of `env` with the
            login for a private image.
        env: Environment variables. They can never be read back; a job shows only their names.
        storage_id: A volume to mount at `/workspace`.
        region: Only run here: a region id, the start of one (`us-east`), a city or a country.
        capacity_wait_minutes: How long to wait for a free GPU, 0 to 1440 (30 when not given).
        max_retries: Further attempts after a failed one, 0 to 10.
        retry_on: What counts as failed: `machine_failure`, `nonzero_exit`.
        retry_exit_codes: Exit codes after which to try again.
        tags: Labels to find it by.
        webhook_url: An https URL that is called with a signed POST when the job finishes.
        webhook_events: When it is called: `started`, `finished`.
        code: What to unpack to `/workspace/code`: `{"upload_id": ...}` of an upload, or
            `{"git": {"url", "ref", "token_env"}}`.
        allow_cpu_container: Whether it may run without a GPU.
    """

    gpu_count: int | None
    name: str | None
    template: str | None
    image: str | None
    image_registry_auth: Mapping[str, str] | None
    env: Mapping[str, str] | None
    storage_id: str | None
    region: str | None
    capacity_wait_minutes: int | None
    max_retries: int | None
    retry_on: Sequence[str] | None
    retry_exit_codes: Sequence[int] | None
    tags: Mapping[str, str] | None
    webhook_url: str | None
    webhook_events: Sequence[str] | None
    code: Mapping[str, Any] | None
    allow_cpu_container: bool | None


class JobChanges(JobOptions, total=False):
    """Fields that a rerun may change.

    Attributes:
        command: Another shell command.
        gpu_type: Another GPU, or several to try in order.
        max_runtime_minutes: Another longest runtime.
    """

    command: str
    gpu_type: str | Sequence[str]
    max_runtime_minutes: int


class JobFilters(TypedDict, total=False):
    """Filters of a list of jobs.

    Attributes:
        status: Only those in this state, or in one of these.
        tags: Only those with all of these labels.
        group_id: Only those of this group.
        q: Only those in whose id, name or command this occurs.
        gpu_type: Only those on this GPU.
        created_after: Only those created later; with a time zone.
    """

    status: JobStatus | Sequence[JobStatus] | None
    tags: Mapping[str, str] | None
    group_id: str | None
    q: str | None
    gpu_type: str | None
    created_after: datetime | str | None


class GpuCandidate(ApiModel):
    """A GPU that a job may run on."""

    gpu_type: str = ""
    gpu_count: int = 1


class JobAttempt(ApiModel):
    """One run of a job's command, on an instance of its own."""

    attempt: int
    status: JobStatus = ""
    deployment_id: str | None = None
    exit_code: int | None = None
    error: str | None = None
    started_at: UtcDatetime | None = None
    ended_at: UtcDatetime | None = None
    cost_usd: Decimal | None = None
    gpu_type: str | None = None
    gpu_count: int | None = None
    region: str | None = None


class Job(LenientModel):
    """A command on its own new instance, which terminates with the command.

    Attributes:
        status: `queued`, `starting`, `running` (live), `succeeded`, `failed`, `cancelled`,
            `timed_out` (final) or new.
        gpu_type: The GPU it runs or last ran on; the first candidate before that.
        env_keys: Names of its environment variables; values are never shown.
        queue_reason: Why it waits: `no_capacity`, `budget`, `max_parallel`, `volume_busy` or new.
        instance_id: The instance of the present attempt.
        webhook_url: The URL that is called, masked.
        webhook_secret: Key of the webhook's signature; only on the response that created the job.
        cost_per_hour: USD.
        cost_usd: USD of all attempts together.
        logs_truncated: Whether a part of the output was not kept.
        code: `{"source": "upload", "ref", "sha256"}` or `{"source": "git", "url", ...}`.
        artifacts_count: How many outputs it has.
    """

    id: Identifier
    name: str = ""
    status: JobStatus = ""
    command: str = ""
    gpu_type: str | None = None
    gpu_count: int | None = None
    gpu_candidates: list[GpuCandidate] = Field(default_factory=list)
    template: str | None = None
    image: str | None = None
    env_keys: list[str] = Field(default_factory=list)
    storage_id: str | None = None
    max_runtime_minutes: int | None = None
    capacity_wait_minutes: int | None = None
    queue_reason: QueueReason | None = None
    next_attempt_at: UtcDatetime | None = None
    attempt: int | None = None
    max_retries: int | None = None
    retry_on: list[str] = Field(default_factory=list)
    retry_exit_codes: list[int] = Field(default_factory=list)
    attempts: list[JobAttempt] = Field(default_factory=list)
    exit_code: int | None = None
    error: str | None = None
    instance_id: str | None = None
    environment_id: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    group_id: str | None = None
    job_index: int | None = None
    rerun_of: str | None = None
    webhook_url: str | None = None
    webhook_events: list[str] = Field(default_factory=list)
    webhook_secret: str | None = Field(default=None, repr=False)
    created_at: UtcDatetime | None = None
    started_at: UtcDatetime | None = None
    ended_at: UtcDatetime | None = None
    cost_per_hour: Decimal | None = None
    cost_usd: Decimal | None = None
    log_bytes: int | None = None
    logs_truncated: bool = False
    code: dict[str, Any] | None = None
    allow_cpu_container: bool | None = None
    image_registry_auth: dict[str, str] | None = None
    artifacts_count: int | None = None
    gpu_util_avg: float | None = None
    gpu_mem_peak_mb: float | None = None

    @property
    def has_ended(self) -> bool:
        """True if it succeeded, failed, was cancelled or timed out."""
        return self.status.lower() in JOB_TERMINAL_STATUSES


class JobGroup(ApiModel):
    """Jobs that were submitted together; they are listed with `jobs.list(group_id=...)`.

    Attributes:
        status_counts: How many jobs are in each state.
        cost_usd: USD of all of them together.
    """

    id: str
    count: int | None = None
    max_parallel: int | None = None
    status_counts: dict[str, int] = Field(default_factory=dict)
    cost_usd: Decimal | None = None
    created_at: UtcDatetime | None = None


class SubmittedJobGroup(JobGroup):
    """A group as the response to its submission shows it.

    Attributes:
        jobs: Its jobs.
        webhook_secret: Key of the webhook's signature; never shown again.
    """

    jobs: list[Job] = Field(default_factory=list)
    webhook_secret: str | None = Field(default=None, repr=False)


class JobEvent(ApiModel):
    """A change of a job's state, with its time.

    Attributes:
        kind: `created`, `queued`, `launch_attempt`, `started`, `exited` or new.
        attempt: The attempt it belongs to.
    """

    at: UtcDatetime
    kind: str = ""
    detail: str | None = None
    attempt: int | None = None


class GpuSample(ApiModel):
    """Use of one GPU: percent of its time, and megabytes of its memory."""

    util: float | None = None
    mem_used_mb: float | None = None
    mem_total_mb: float | None = None


class JobMetricPoint(ApiModel):
    """Use of a job's GPUs over one step: the average of their time, the peak of their memory."""

    at: UtcDatetime
    gpus: list[GpuSample] = Field(default_factory=list)
