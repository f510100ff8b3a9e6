"""Submitting jobs: the checks against the workspace, and the first launch."""

from dataclasses import replace
from datetime import datetime

from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure.credit import require_launch_credit
from runcrate_emulator.infrastructure.job_life import try_launch
from runcrate_emulator.infrastructure.job_record import Job, JobEvent
from runcrate_emulator.infrastructure.job_spec import GroupSpec, JobSpec
from runcrate_emulator.infrastructure.records import Environment, JobGroup
from runcrate_emulator.workspace import Workspace


def submit_job(
    world: Workspace,
    environment: Environment,
    spec: JobSpec,
    *,
    rerun_of: str | None = None,
) -> Job:
    """Create a job and try to launch it at once.

    Raises:
        ApiError: 402 or 422; nothing was created.
    """
    at = world.moment
    check_against_workspace(world, environment, spec)
    require_launch_credit(world, environment, at)
    job = _new_job(world, environment, spec, at)
    return try_launch(world, replace(job, rerun_of=rerun_of), at)


def submit_group(world: Workspace, environment: Environment, spec: GroupSpec) -> JobGroup:
    """Create a group and launch as many of its jobs as may run at once.

    Raises:
        ApiError: 402 or 422; nothing was created.
    """
    at = world.moment
    for job_spec in spec.jobs:
        check_against_workspace(world, environment, job_spec)
    require_launch_credit(world, environment, at)
    jobs = [_new_job(world, environment, job_spec, at) for job_spec in spec.jobs]
    group = JobGroup(
        id=world.new_id("group"),
        environment_id=environment.id,
        max_parallel=spec.max_parallel,
        created_at=at,
        job_ids=tuple(job.id for job in jobs),
    )
    world.job_groups[group.id] = group
    for index, job in enumerate(jobs):
        world.keep_job(replace(job, group_id=group.id, job_index=index))
    for job_id in group.job_ids:
        try_launch(world, world.jobs[job_id], at)
    return group


def check_against_workspace(world: Workspace, environment: Environment, spec: JobSpec) -> None:
    """Check what a spec refers to.

    Raises:
        ApiError: 422 `validation_error`.
    """
    if spec.storage_id is not None:
        volume = world.volumes.get(spec.storage_id)
        if volume is None or volume.environment_id != environment.id:
            raise _bad_field("storage_id", "is not a volume of this environment")
    upload_id = None if spec.code is None else spec.code.upload_id
    if upload_id is not None:
        upload = world.uploads.get(upload_id)
        if upload is None or upload.expires_at <= world.moment:
            raise _bad_field("code.upload_id", "is not an upload, or it has expired")
        if upload.file_id is None:
            raise _bad_field("code.upload_id", "has no content yet; PUT it to the upload's URL")


def _new_job(world: Workspace, environment: Environment, spec: JobSpec, at: datetime) -> Job:
    return Job(
        id=world.new_id("job"),
        spec=spec,
        environment_id=environment.id,
        status="queued",
        created_at=at,
        waits_since=at,
        next_attempt_at=at,
        events=(JobEvent(at, "created"),),
    )


def _bad_field(field: str, problem: str) -> ApiError:
    return ApiError(
        422,
        "validation_error",
        f"`{field}` {problem}; nothing was created.",
        details={"field": field},
    )
