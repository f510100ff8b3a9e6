"""Bodies of jobs and groups; every bad field is a 422 (official SDK 0.5.0)."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from runcrate_emulator.bodies import OUT_OF_RANGE, Body, Name, Text, must, parse_body, refuse
from runcrate_emulator.infrastructure.catalogue import REGIONS
from runcrate_emulator.infrastructure.instances import (
    EnvironmentVariables,
    TemplateId,
    Wanted,
    types_that_fit,
)
from runcrate_emulator.infrastructure.webhooks import WebhookEvent, is_acceptable

_MAX_COMMAND_BYTES = 64 * 1024
_MAX_JOBS_IN_GROUP = 100  # the emulator's own
_CANDIDATE = re.compile(r"(?P<type>[^:]+)(?::(?P<count>[1-8]))?")


RegionName = Annotated[
    Text,
    must(
        lambda name: any(place.answers_to(name) for place in REGIONS),
        "is not a region id, start of one, city or country",
    ),
]


class _JobBody(Body):
    shape_status: ClassVar[int] = OUT_OF_RANGE


class Git(_JobBody):
    """A repository over https."""

    url: Annotated[str, Field(pattern="^https://")]
    ref: Text | None = None
    token_env: Text | None = None


class Code(_JobBody):
    """The source of a job's code: an upload or a git repository."""

    upload_id: str | None = None
    git: Git | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "Code":
        if (self.upload_id is None) == (self.git is None):
            raise ValueError('must be {"upload_id"} or {"git": {"url", "ref", "token_env"}}')
        return self


class RegistryAuth(_JobBody):
    """Names of the variables that hold a registry's credentials."""

    username_env: str
    password_env: str


class JobSpec(_JobBody):
    """One job."""

    command: Annotated[
        Text, must(lambda text: len(text.encode()) <= _MAX_COMMAND_BYTES, "must be at most 64 KB")
    ]
    gpu_type: str | list[str]
    gpu_count: int = Field(1, ge=1, le=8)
    max_runtime_minutes: int = Field(ge=1, le=10_080)
    name: Name | None = None
    template: TemplateId | None = None
    image: Text | None = None
    image_registry_auth: RegistryAuth | None = None
    env: EnvironmentVariables = Field({}, repr=False)
    storage_id: Text | None = None
    region: RegionName | None = None
    capacity_wait_minutes: int = Field(30, ge=0, le=1_440)
    max_retries: int = Field(0, ge=0, le=10)
    retry_on: list[Literal["machine_failure", "nonzero_exit"]] = Field([])
    retry_exit_codes: list[int] = Field([])
    tags: dict[str, str] = Field({})
    webhook_url: Annotated[Text, must(is_acceptable, "must be an https URL")] | None = Field(
        None, repr=False
    )
    webhook_events: list[WebhookEvent] = Field([])
    code: Code | None = None
    allow_cpu_container: bool = False

    @model_validator(mode="after")
    def _offered(self) -> "JobSpec":
        if not self.candidates:
            refuse("gpu_type", "must be a GPU or a list of GPUs", OUT_OF_RANGE)
        for wanted in self.candidates:
            if not types_that_fit(wanted):
                name = f"{wanted.gpu_type}:{wanted.gpu_count}"
                refuse("gpu_type", f"has `{name}`, which is not offered; list the types", 422)
        return self

    @cached_property
    def candidates(self) -> tuple[Wanted, ...]:
        """The GPUs that it may run on, in the order to try."""
        candidates: list[Wanted] = []
        for entry in [self.gpu_type] if isinstance(self.gpu_type, str) else self.gpu_type:
            match = _CANDIDATE.fullmatch(entry)
            if match is None:
                refuse("gpu_type", "has an entry that is not like `A100` or `A100-80GB:2`", 422)
            count = int(match["count"] or self.gpu_count)
            kind = match["type"]
            candidates.append(
                Wanted.model_construct(gpu_type=kind, gpu_count=count, region=self.region)
            )
        return tuple(candidates)


class _Group(_JobBody):
    count: int | None = Field(None, ge=1, le=_MAX_JOBS_IN_GROUP)
    params: list[dict[str, str]] | None = Field(None, min_length=1, max_length=_MAX_JOBS_IN_GROUP)
    max_parallel: int | None = Field(None, ge=1, le=_MAX_JOBS_IN_GROUP)


def is_group(body: Mapping[str, Any]) -> bool:
    """True if a submit body means a group."""
    return any(body.get(field) is not None for field in _Group.model_fields)


def parse_group(body: Mapping[str, Any]) -> tuple[list[JobSpec], int]:
    """Read a group: `count` copies, or one job per entry of `params`, merged over `env`.

    Returns its jobs, and how many of them may run at once.
    """
    group = parse_body(_Group, {k: v for k, v in body.items() if k in _Group.model_fields})
    if (group.count is None) == (group.params is None):
        refuse("count", "or `params` is required, and only one of them", OUT_OF_RANGE)
    variants = group.params or [{}] * (group.count or 0)
    rest = {k: v for k, v in body.items() if k not in _Group.model_fields}
    env = parse_body(JobSpec, rest).env
    jobs = [parse_body(JobSpec, {**rest, "env": {**env, **variant}}) for variant in variants]
    return jobs, group.max_parallel or len(jobs)
