"""A job's life: queued, launched, run, retried, ended. What is due happens in `settle`."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from runcrate_emulator.bodies import OUT_OF_RANGE, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import credit, webhooks
from runcrate_emulator.infrastructure.catalogue import InstanceType
from runcrate_emulator.infrastructure.credit import require_launch_credit
from runcrate_emulator.infrastructure.instance_life import Instance, StopReason
from runcrate_emulator.infrastructure.instances import Wanted, choose_type, start_instance
from runcrate_emulator.infrastructure.job_program import trace_of_attempt
from runcrate_emulator.infrastructure.job_record import (
    Artifact,
    Attempt,
    Job,
    JobEvent,
    JobStatus,
    QueueReason,
)
from runcrate_emulator.infrastructure.job_spec import GpuCandidate, GroupSpec, JobSpec
from runcrate_emulator.infrastructure.records import Environment, JobGroup
from runcrate_emulator.workspace import Workspace

_LAUNCH_INTERVAL = timedelta(minutes=1)  # between two tries to find an instance; emulator's own
_STOP_REASONS: dict[JobStatus, StopReason] = {
    "timed_out": "max_runtime",
    "cancelled": "user",
}
_INSTANCE_ERRORS = {
    "low_balance": "The balance was used up.",
    "budget": "The environment's monthly budget was spent.",
    "user": "The instance was terminated.",
}


def next_job_event(world: Workspace) -> datetime | None:
    """When a job is next launched, starts, or ends."""
    moments = (_next_event(world, job) for job in world.live_jobs.values())
    return min((moment for moment in moments if moment is not None), default=None)


def live_through_job_events(world: Workspace, at: datetime) -> None:
    """Let every live job do what is due."""
    for job_id in list(world.live_jobs):
        job = world.live_jobs.get(job_id)
        if job is None:
            continue
        if job.status == "queued" and job.next_attempt_at is not None and job.next_attempt_at <= at:
            try_launch(world, job, at)
        elif job.status == "starting":
            _start_if_ready(world, job, at)
        elif job.status == "running":
            _end_if_over(world, job, at)


def _next_event(world: Workspace, job: Job) -> datetime | None:
    if job.status == "queued":
        return job.next_attempt_at
    attempt, instance = _present(world, job)
    if not instance.is_live:
        return world.moment
    return instance.runs_from if job.status == "starting" else _planned_end(job, attempt)


def _present(world: Workspace, job: Job) -> tuple[Attempt, Instance]:
    attempt = job.attempts[-1]
    return attempt, world.instances[attempt.instance_id]


def _planned_end(job: Job, attempt: Attempt) -> datetime:
    started = attempt.started_at or job.created_at
    limit = timedelta(minutes=job.spec.max_runtime_minutes)
    return started + min(timedelta(seconds=attempt.trace.duration_s), limit)


def try_launch(world: Workspace, job: Job, at: datetime) -> Job:
    """Give a queued job its instance, or let it wait for a reason."""
    environment = world.environments[job.environment_id]
    if _siblings_running(world, job) >= _max_parallel(world, job):
        return _wait(world, job, "max_parallel", None, at)
    if credit.floating_balance(world, at) <= 0:
        return _finish(world, job, "failed", at, error=_INSTANCE_ERRORS["low_balance"])
    if credit.is_budget_spent(world, environment, at):
        return _wait_or_give_up(world, job, "budget", at)
    storage_id = job.spec.storage_id
    if storage_id is not None and world.instance_with_volume(storage_id) is not None:
        return _wait_or_give_up(world, job, "volume_busy", at)
    chosen = _choose(world, job)
    if chosen is None:
        return _wait_or_give_up(world, job, "no_capacity", at)
    number = len(job.attempts) + 1
    job = _noted(job, at, "launch_attempt", chosen.gpu_type, number)
    try:
        instance = start_instance(
            world,
            environment,
            name=job.name,
            kind=chosen,
            at=at,
            template=job.spec.template,
            storage_id=storage_id,
            job_id=job.id,
        )
    except ApiError as refusal:
        return _finish(world, job, "failed", at, error=refusal.message)
    attempt = Attempt(
        number=number,
        instance_id=instance.id,
        gpu=GpuCandidate(chosen.gpu_type, chosen.gpu_count),
        region=chosen.region.id,
        status="starting",
        trace=trace_of_attempt(world, job, chosen, number),
    )
    return world.keep_job(
        replace(
            job,
            status="starting",
            attempts=(*job.attempts, attempt),
            queue_reason=None,
            next_attempt_at=None,
        )
    )


def cancel(world: Workspace, job: Job, at: datetime) -> Job:
    """End a live job because its owner wants so."""
    if job.status == "queued":
        return _finish(world, job, "cancelled", at)
    return _end_attempt(world, job, at, "cancelled", exit_code=None, error=None)


def _choose(world: Workspace, job: Job) -> InstanceType | None:
    """The first candidate that is in stock, in the order that was asked for."""
    for candidate in job.spec.candidates:
        wanted = Wanted(
            gpu_type=candidate.gpu_type,
            gpu_count=None if candidate.gpu_type.casefold() == "cpu" else candidate.gpu_count,
            region=job.spec.region,
        )
        try:
            return choose_type(world, wanted)
        except ApiError:
            continue
    return None


def _siblings_running(world: Workspace, job: Job) -> int:
    return sum(1 for other in _siblings(world, job) if other.status in ("starting", "running"))


def _siblings(world: Workspace, job: Job) -> Iterable[Job]:
    group = None if job.group_id is None else world.job_groups[job.group_id]
    for job_id in () if group is None else group.job_ids:
        if job_id in world.live_jobs and job_id != job.id:
            yield world.live_jobs[job_id]


def _max_parallel(world: Workspace, job: Job) -> int:
    return 1 if job.group_id is None else world.job_groups[job.group_id].max_parallel


def _wait_or_give_up(world: Workspace, job: Job, reason: QueueReason, at: datetime) -> Job:
    gives_up_at = job.waits_since + timedelta(minutes=job.spec.capacity_wait_minutes)
    if at >= gives_up_at:
        error = f"No instance within {job.spec.capacity_wait_minutes} minutes ({reason})."
        return _finish(world, job, "failed", at, error=error)
    return _wait(world, job, reason, min(at + _LAUNCH_INTERVAL, gives_up_at), at)


def _wait(
    world: Workspace, job: Job, reason: QueueReason, until: datetime | None, at: datetime
) -> Job:
    if job.queue_reason != reason:
        job = _noted(job, at, "queued", reason)
    return world.keep_job(replace(job, queue_reason=reason, next_attempt_at=until))


def _start_if_ready(world: Workspace, job: Job, at: datetime) -> None:
    attempt, instance = _present(world, job)
    if not instance.is_live:
        _instance_ended(world, job, instance, at)
    elif instance.runs_from <= at:
        attempt.trace.start()
        attempt = replace(attempt, status="running", started_at=at)
        job = _noted(job, at, "started", instance.type.gpu_type, attempt.number)
        attempts = (*job.attempts[:-1], attempt)
        _announce(world, world.keep_job(replace(job, status="running", attempts=attempts)), at)


def _end_if_over(world: Workspace, job: Job, at: datetime) -> None:
    attempt, instance = _present(world, job)
    if not instance.is_live:
        _instance_ended(world, job, instance, at)
    elif _planned_end(job, attempt) <= at:
        ran_s = (at - (attempt.started_at or at)).total_seconds()
        code = attempt.trace.exit_code
        if ran_s < attempt.trace.duration_s:
            limit = f"It ran longer than {job.spec.max_runtime_minutes} minutes."
            _end_attempt(world, job, at, "timed_out", exit_code=None, error=limit)
        elif code == 0:
            _end_attempt(world, job, at, "succeeded", exit_code=0, error=None)
        else:
            error = f"The command ended with exit code {code}."
            _end_attempt(world, job, at, "failed", exit_code=code, error=error)


def _instance_ended(world: Workspace, job: Job, instance: Instance, at: datetime) -> None:
    """The instance stopped under a job: a failure, which only an instance failure may retry."""
    reason = instance.stop_reason or "failed"
    error = _INSTANCE_ERRORS.get(reason, "The instance failed.")
    _end_attempt(
        world,
        job,
        at,
        "failed",
        exit_code=None,
        error=error,
        is_instance_failure=reason == "failed",
    )


def _end_attempt(
    world: Workspace,
    job: Job,
    at: datetime,
    status: JobStatus,
    *,
    exit_code: int | None,
    error: str | None,
    is_instance_failure: bool = False,
) -> Job:
    attempt, instance = _present(world, job)
    if instance.is_live:
        credit.stop_instance(world, instance, at, _STOP_REASONS.get(status, "system"))
    attempt.trace.stop()
    attempt = replace(attempt, status=status, ended_at=at, exit_code=exit_code, error=error)
    job = replace(job, attempts=(*job.attempts[:-1], attempt))
    job = _noted(job, at, "exited", error or f"exit code {exit_code}", attempt.number)
    job = replace(job, artifacts=_collect_artifacts(world, job, attempt, at))
    if _may_retry(job, status, exit_code, is_instance_failure=is_instance_failure):
        job = _noted(job, at, "retry", None, attempt.number + 1)
        return world.keep_job(
            replace(job, status="queued", waits_since=at, next_attempt_at=at, queue_reason=None)
        )
    return _finish(world, job, status, at, error=error)


def _may_retry(
    job: Job, status: JobStatus, exit_code: int | None, *, is_instance_failure: bool
) -> bool:
    """Above 0 retries an instance failure is always retried, an exit code only when asked for."""
    spec = job.spec
    if status != "failed" or len(job.attempts) > spec.max_retries:
        return False
    if is_instance_failure:
        return True
    return (
        exit_code is not None
        and "nonzero_exit" in spec.retry_on
        and (not spec.retry_exit_codes or exit_code in spec.retry_exit_codes)
    )


def _collect_artifacts(
    world: Workspace, job: Job, attempt: Attempt, at: datetime
) -> tuple[Artifact, ...]:
    """The outputs after an attempt: what it wrote replaces what an earlier one wrote."""
    kept = {artifact.path: artifact for artifact in job.artifacts}
    ran_s = 0.0 if attempt.started_at is None else (at - attempt.started_at).total_seconds()
    for file in attempt.trace.files:
        if attempt.started_at is not None and file.at_s <= ran_s:
            stored = world.media.add(
                "artifact", file.path, "application/octet-stream", file.content
            )
            digest = hashlib.sha256(file.content).hexdigest()
            kept[file.path] = Artifact(file.path, stored.id, len(file.content), digest)
    return tuple(kept[path] for path in sorted(kept))


def _finish(
    world: Workspace, job: Job, status: JobStatus, at: datetime, *, error: str | None = None
) -> Job:
    kind = "cancelled" if status == "cancelled" else "finished"
    job = _noted(job, at, kind, status)
    job = world.keep_job(
        replace(
            job,
            status=status,
            ended_at=at,
            error=error,
            queue_reason=None,
            next_attempt_at=None,
        )
    )
    _announce(world, job, at)
    _wake_sibling(world, job, at)
    return job


def _announce(world: Workspace, job: Job, at: datetime) -> None:
    """Leave word for the job's webhook that it runs, or that it has ended."""
    event: webhooks.WebhookEvent = "started" if job.is_live else "finished"
    if webhooks.wants(job, event):
        world.announcements.append(webhooks.Announcement(at, job, event))


def _wake_sibling(world: Workspace, job: Job, at: datetime) -> None:
    """Let the next job of the group try, now that a place is free."""
    for other in _siblings(world, job):
        if other.status == "queued" and other.queue_reason == "max_parallel":
            world.keep_job(replace(other, waits_since=at, next_attempt_at=at))
            return


def _noted(
    job: Job, at: datetime, kind: str, detail: str | None = None, attempt: int | None = None
) -> Job:
    return replace(job, events=(*job.events, JobEvent(at, kind, detail, attempt)))


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
            refuse("storage_id", "is not a volume of this environment", OUT_OF_RANGE)
    upload_id = None if spec.code is None else spec.code.upload_id
    if upload_id is not None:
        upload = world.uploads.get(upload_id)
        if upload is None or upload.expires_at <= world.moment:
            refuse("code.upload_id", "is not an upload, or it has expired", OUT_OF_RANGE)
        if upload.file_id is None:
            refuse("code.upload_id", "has no content yet; PUT it to the upload's URL", OUT_OF_RANGE)


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
