"""What the tools take: described for a model, and bounded."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from runcrate_core.agent_tools.left_out import drop_empty_optionals
from runcrate_core.spending.instance_selection import MAX_CANDIDATES
from runcrate_core.spending.limits import MAX_RUNTIME_MINUTES, MIN_RUNTIME_MINUTES


class Arguments(BaseModel):
    """Base of all arguments: nothing but what is described is taken."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_not_given(cls, values: Any) -> Any:
        return drop_empty_optionals(cls, values)


def _text(description: str, most: int = 128) -> object:
    return Field(min_length=1, max_length=most, description=description)


InstanceId = Annotated[str, _text("Identifier of the instance, as the lists show it.")]
JobId = Annotated[str, _text("Identifier of the job, as the lists show it.")]
GpuType = Annotated[str, _text("GPU, such as A100, H100 or RTX4090.", 64)]
Region = Annotated[str, _text("Region id, such as us-east-1.", 64)]
Search = Annotated[str, _text("Only those whose name contains this.")]
Name = Annotated[
    str, _text("Short name, such as `training`; a prefix and a unique end are added.", 40)
]
Lifetime = Annotated[
    int,
    Field(
        ge=MIN_RUNTIME_MINUTES,
        le=MAX_RUNTIME_MINUTES,
        description="Minutes after its first start at which the machine ends by itself. Choose "
        "as few as the work needs: the whole time is reserved from the budget.",
    ),
]
Most = Annotated[int, Field(ge=1, le=50, description="Most entries to return.")]
GpuCount = Annotated[int, Field(ge=1, le=8, description="GPUs of one machine.")]
Seconds = Annotated[int, Field(ge=1, le=900, description="Most seconds to wait in this call.")]


class NoArguments(Arguments):
    """Nothing."""


class ListInstanceTypes(Arguments):
    """Filters of machines that can be rented."""

    gpu_type: GpuType | None = None
    region: Region | None = None
    gpu_count: GpuCount | None = None
    max_price_per_hour: float | None = Field(
        default=None, gt=0, description="Only machines of at most this price in USD an hour."
    )
    limit: Most = 15


class ListInstances(Arguments):
    """Filters of instances."""

    search: Search | None = None
    include_ended: bool = Field(
        default=False, description="Whether to list instances that have ended, too."
    )
    limit: Most = 20


class OneInstance(Arguments):
    """One instance."""

    instance_id: InstanceId


class WaitForInstance(OneInstance):
    """One instance, and how long to wait for it."""

    timeout_seconds: Seconds = 300


class GetUsage(Arguments):
    """A period."""

    from_date: str | None = Field(
        default=None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="First day, YYYY-MM-DD."
    )
    to_date: str | None = Field(
        default=None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="Last day, YYYY-MM-DD."
    )


class Listing(Arguments):
    """A search in a list."""

    search: Search | None = None
    limit: Most = 20


class Few(Arguments):
    """A list without a search."""

    limit: Most = 20


class ListJobs(Arguments):
    """Filters of jobs."""

    status: (
        Literal["queued", "starting", "running", "succeeded", "failed", "cancelled", "timed_out"]
        | None
    ) = Field(default=None, description="Only jobs in this state.")
    search: Annotated[str, _text("Only jobs in whose name or command this occurs.")] | None = None
    limit: Most = 20


class OneJob(Arguments):
    """One job."""

    job_id: JobId


class GetJobLogs(OneJob):
    """A part of a job's output."""

    after: int = Field(
        default=0,
        ge=0,
        description="Only output after this `cursor` of an earlier call; 0 for all.",
    )
    max_characters: int = Field(
        default=4000, ge=200, le=20_000, description="Most characters; the newest are kept."
    )


class WaitForJob(OneJob):
    """One job, and how long to wait for it."""

    timeout_seconds: Seconds = 300


class DownloadJobArtifact(OneJob):
    """One output of a job."""

    path: Annotated[str, _text("Path of the output, as the list of outputs shows it.", 512)]


class PlanInstance(Arguments):
    """A machine to launch."""

    max_runtime_minutes: Lifetime
    gpu_type: GpuType | None = None
    region: Region | None = None
    gpu_count: GpuCount = 1
    instance_type_id: (
        Annotated[str, _text("A machine of the list, instead of the cheapest that fits.")] | None
    ) = None
    name: Name | None = None
    template: Annotated[str, _text("Template id of the list of templates.")] | None = None
    ssh_key_id: Annotated[str, _text("SSH key id of the list, to log in with.")] | None = None
    storage_id: Annotated[str, _text("A volume to mount at /workspace.")] | None = None
    startup_commands: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=4000)]],
            Field(min_length=1, max_length=20, description="Shell commands for the first start."),
        ]
        | None
    ) = None
    idle_shutdown_minutes: int | None = Field(
        default=None, ge=5, le=1440, description="Minutes of idling after which it ends sooner."
    )


class LaunchInstance(Arguments):
    """A plan to carry out."""

    plan_token: Annotated[str, _text("The `plan_token` of a plan that was just made.", 64)]


class UpdateInstanceLimits(OneInstance):
    """Another lifetime."""

    max_runtime_minutes: Lifetime


class TerminateInstance(OneInstance):
    """An instance to end."""

    expected_name: Annotated[
        str, _text("The name of the instance, as a check against a mistaken identifier.")
    ]


class RunJob(Arguments):
    """A job to run."""

    command: Annotated[
        str,
        _text(
            "Shell command, run with bash in /workspace. Files written to $RUNCRATE_OUTPUT_DIR "
            "are kept.",
            16_000,
        ),
    ]
    gpu_type: (
        GpuType
        | Annotated[
            list[GpuType],
            Field(min_length=1, max_length=MAX_CANDIDATES, description="GPUs to try in order."),
        ]
    ) = Field(description="GPU, such as A100, or several to try in order.")
    max_runtime_minutes: int = Field(
        ge=1,
        le=MAX_RUNTIME_MINUTES,
        description="Minutes after which an attempt is ended. Choose as few as the work needs: "
        "the whole time is reserved from the budget, for each attempt.",
    )
    gpu_count: GpuCount = 1
    region: Region | None = None
    max_retries: int = Field(
        default=0, ge=0, le=10, description="Further attempts if it fails; each is reserved too."
    )
    name: Name | None = None
    template: Annotated[str, _text("Template id of the list of templates.")] | None = None
    image: Annotated[str, _text("Container image to run the command in.", 256)] | None = None
    storage_id: Annotated[str, _text("A volume to mount at /workspace.")] | None = None
    capacity_wait_minutes: int | None = Field(
        default=None, ge=0, le=1440, description="Minutes to wait for a free GPU."
    )


class CancelJob(OneJob):
    """A job to end."""
