"""A job's life: queued, launched, run, retried, ended. What is due happens in `settle`."""

import contextlib
import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from runcrate_emulator.bodies import OUT_OF_RANGE, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import credit, webhooks
from runcrate_emulator.infrastructure.catalogue import InstanceType
from runcrate_emulator.infrastructure.instance_life import Instance, StopReason
from runcrate_emulator.infrastructure.instances import (
    choose_type,
    start_instance,
    volume_of,
)
from runcrate_emulator.infrastructure.job_program import trace_of_attempt
from runcrate_emulator.infrastructure.job_record import (
    Artifact,
    Attempt,
    Job,
    JobStatus,
    QueueReason,
)
from runcrate_emulator.infrastructure.job_spec import GpuCandidate, GroupSpec, JobSpec
from runcrate_emulator.infrastructure.job_views import job_view
from runcrate_emulator.infrastructure.records import Environment, JobGroup
from runcrate_emulator.world import World

_DEFAULT_EVENTS = ("finished",)  # "signed POST when finished" (official SDK 0.5.0)
_LAUNCH_INTERVAL = timedelta(minutes=1)  # between two tries to find an instance; emulator's own
_STOP_REASONS: dict[JobStatus, StopReason] = {"timed_out": "max_runtime", "cancelled": "user"}
_INSTANCE_ERRORS = {
    "low_balance": "The balance was used up.",
    "budget": "The environment's monthly budget was spent.",
    "user": "The instance was terminated.",
}


def submit_job(
    world: World, environment: Environment, spec: JobSpec, *, rerun_of: str | None = None
) -> Job:
    """Create a job and try to launch it at once; a refusal has created nothing."""
    _check_references(world, environment, spec)
    credit.require_credit(world, environment, "launched")
    return _try_launch(world, replace(_new_job(world, environment, spec), rerun_of=rerun_of))


def submit_group(world: World, environment: Environment, spec: GroupSpec) -> JobGroup:
    """Create a group and launch as many of its jobs as may run at once."""
    for job_spec in spec.jobs:
        _check_references(world, environment, job_spec)
    credit.require_credit(world, environment, "launched")
    jobs = [_new_job(world, environment, job_spec) for job_spec in spec.jobs]
    group = JobGroup(
        id=world.new_id("group"),
        environment_id=environment.id,
        max_parallel=spec.max_parallel,
        created_at=world.moment,
        job_ids=tuple(job.id for job in jobs),
    )
    world.job_groups[group.id] = group
    for index, job in enumerate(jobs):
        world.keep_job(replace(job, group_id=group.id, job_index=index))
    for job_id in group.job_ids:
        _try_launch(world, world.jobs[job_id])
    return group


def cancel(world: World, job: Job) -> Job:
    """End a live job because its owner wants so."""
    end = _finish if job.status == "queued" else _end_attempt
    return end(world, job, "cancelled")


def job_due(world: World, job: Job) -> datetime | None:
    """When a live job is next launched, starts, or ends."""
    if job.status == "queued":
        return job.next_attempt_at
    instance = _instance(world, job)
    if not instance.is_live:
        return world.moment
    if job.status == "starting":
        return instance.runs_from
    attempt = job.attempts[-1]
    limit_s = job.spec.max_runtime_minutes * 60
    started_at = attempt.started_at or job.created_at
    return started_at + timedelta(seconds=min(attempt.trace.duration_s, limit_s))


def settle_job(world: World, job: Job) -> None:
    """Let a job do what is due."""
    if job.status == "queued":
        _try_launch(world, job)
    elif not (instance := _instance(world, job)).is_live:
        # A failure, which only an instance failure may retry.
        reason = instance.stop_reason or "failed"
        error = _INSTANCE_ERRORS.get(reason, "The instance failed.")
        _end_attempt(world, job, "failed", error=error, is_instance_failure=reason == "failed")
    elif job.status == "starting":
        _start(world, job)
    else:
        _end_run(world, job)


def _instance(world: World, job: Job) -> Instance:
    return world.instances[job.attempts[-1].instance_id]


def _new_job(world: World, environment: Environment, spec: JobSpec) -> Job:
    now = world.moment
    job = Job(
        id=world.new_id("job"),
        spec=spec,
        environment_id=environment.id,
        status="queued",
        created_at=now,
        waits_since=now,
        next_attempt_at=now,
    )
    return job.noted(now, "created")


def _check_references(world: World, environment: Environment, spec: JobSpec) -> None:
    """Check what a spec refers to in the workspace."""
    if spec.storage_id is not None:
        volume_of(world, environment, spec.storage_id)
    upload_id = None if spec.code is None else spec.code.upload_id
    if upload_id is not None:
        upload = world.uploads.get(upload_id)
        if upload is None or upload.expires_at <= world.moment:
            refuse("code.upload_id", "is not an upload, or it has expired", OUT_OF_RANGE)
        if upload.file_id is None:
            refuse("code.upload_id", "has no content yet; PUT it to the upload's URL", OUT_OF_RANGE)


def _try_launch(world: World, job: Job) -> Job:
    """Give a queued job its instance, or let it wait for a reason."""
    environment = world.environments[job.environment_id]
    running = sum(other.status != "queued" for other in _siblings(world, job))
    if job.group_id is not None and running >= world.job_groups[job.group_id].max_parallel:
        return _wait(world, job, "max_parallel", None)
    if credit.floating_balance(world) <= 0:
        return _finish(world, job, "failed", error=_INSTANCE_ERRORS["low_balance"])
    if credit.is_budget_spent(world, environment):
        return _wait_or_give_up(world, job, "budget")
    storage_id = job.spec.storage_id
    if storage_id is not None and world.instance_with_volume(storage_id) is not None:
        return _wait_or_give_up(world, job, "volume_busy")
    in_stock: list[InstanceType] = []  # of the candidates, in the order that was asked for
    for candidate in job.spec.candidates:
        with contextlib.suppress(ApiError):
            in_stock.append(choose_type(world, job.spec.wanted(candidate)))
    if not in_stock:
        return _wait_or_give_up(world, job, "no_capacity")
    chosen, number = in_stock[0], len(job.attempts) + 1
    job = job.noted(world.moment, "launch_attempt", chosen.gpu_type, number)
    try:
        instance = start_instance(
            world,
            environment,
            chosen,
            name=job.name,
            template=job.spec.template,
            storage_id=storage_id,
            job_id=job.id,
        )
    except ApiError as refusal:
        return _finish(world, job, "failed", error=refusal.message)
    attempt = Attempt(
        number=number,
        instance_id=instance.id,
        gpu=GpuCandidate(chosen.gpu_type, chosen.gpu_count),
        region=chosen.region.id,
        status="starting",
        trace=trace_of_attempt(world, job, chosen, number),
    )
    job = replace(job, status="starting", attempts=(*job.attempts, attempt))
    return world.keep_job(replace(job, queue_reason=None, next_attempt_at=None))


def _siblings(world: World, job: Job) -> list[Job]:
    """The other live jobs of its group, in their order."""
    return [
        other
        for other in world.live_jobs.values()
        if job.group_id is not None and other.group_id == job.group_id and other.id != job.id
    ]


def _wait_or_give_up(world: World, job: Job, reason: QueueReason) -> Job:
    minutes = job.spec.capacity_wait_minutes
    gives_up_at = job.waits_since + timedelta(minutes=minutes)
    if world.moment >= gives_up_at:
        error = f"No instance within {minutes} minutes ({reason})."
        return _finish(world, job, "failed", error=error)
    return _wait(world, job, reason, min(world.moment + _LAUNCH_INTERVAL, gives_up_at))


def _wait(world: World, job: Job, reason: QueueReason, until: datetime | None) -> Job:
    if job.queue_reason != reason:
        job = job.noted(world.moment, "queued", reason)
    return world.keep_job(replace(job, queue_reason=reason, next_attempt_at=until))


def _start(world: World, job: Job) -> None:
    attempt = job.attempts[-1]
    attempt.trace.start()
    job = job.with_attempt(replace(attempt, status="running", started_at=world.moment))
    job = job.noted(world.moment, "started", attempt.gpu.gpu_type, attempt.number)
    _announce(world, world.keep_job(replace(job, status="running")))


def _end_run(world: World, job: Job) -> None:
    """End a job whose command has ended, or has run for as long as it may."""
    attempt = job.attempts[-1]
    code = attempt.trace.exit_code
    if attempt.ran_s(world.moment) < attempt.trace.duration_s:
        error = f"It ran longer than {job.spec.max_runtime_minutes} minutes."
        _end_attempt(world, job, "timed_out", error=error)
    elif code == 0:
        _end_attempt(world, job, "succeeded", exit_code=0)
    else:
        error = f"The command ended with exit code {code}."
        _end_attempt(world, job, "failed", exit_code=code, error=error)


def _end_attempt(
    world: World,
    job: Job,
    status: JobStatus,
    *,
    exit_code: int | None = None,
    error: str | None = None,
    is_instance_failure: bool = False,
) -> Job:
    now, attempt, instance = world.moment, job.attempts[-1], _instance(world, job)
    if instance.is_live:
        credit.stop_instance(world, instance, _STOP_REASONS.get(status, "system"))
    attempt.trace.stop()
    attempt = replace(attempt, status=status, ended_at=now, exit_code=exit_code, error=error)
    job = job.with_attempt(attempt)
    job = job.noted(now, "exited", error or f"exit code {exit_code}", attempt.number)
    kept = {artifact.path: artifact for artifact in job.artifacts}
    for file in attempt.trace.files:  # they replace what an earlier attempt wrote
        if file.at_s <= attempt.ran_s(now):
            stored = world.media.add(
                "artifact", file.path, "application/octet-stream", file.content
            )
            digest = hashlib.sha256(file.content).hexdigest()
            kept[file.path] = Artifact(file.path, stored.id, len(file.content), digest)
    job = replace(job, artifacts=tuple(kept[path] for path in sorted(kept)))
    if _may_retry(job, is_instance_failure=is_instance_failure):
        job = job.noted(now, "retry", None, attempt.number + 1)
        return world.keep_job(replace(job, status="queued", waits_since=now, next_attempt_at=now))
    return _finish(world, job, status, error=error)


def _may_retry(job: Job, *, is_instance_failure: bool) -> bool:
    """Above 0 retries an instance failure is always retried, an exit code only when asked for."""
    spec, attempt = job.spec, job.attempts[-1]
    if attempt.status != "failed" or len(job.attempts) > spec.max_retries:
        return False
    return is_instance_failure or (
        attempt.exit_code is not None
        and "nonzero_exit" in spec.retry_on
        and (not spec.retry_exit_codes or attempt.exit_code in spec.retry_exit_codes)
    )


def _finish(world: World, job: Job, status: JobStatus, *, error: str | None = None) -> Job:
    kind = "cancelled" if status == "cancelled" else "finished"
    job = job.noted(world.moment, kind, status)
    job = replace(job, status=status, ended_at=world.moment, error=error)
    job = world.keep_job(replace(job, queue_reason=None, next_attempt_at=None))
    _announce(world, job)
    for other in _siblings(world, job):
        if other.queue_reason == "max_parallel":  # the next one may try, now that a place is free
            now = world.moment
            world.keep_job(replace(other, waits_since=now, next_attempt_at=now))
            break
    return job


def _announce(world: World, job: Job) -> None:
    """Leave word for the job's webhook that it runs, or that it has ended."""
    event: webhooks.WebhookEvent = "started" if job.is_live else "finished"
    if job.spec.webhook_url is not None and event in (job.spec.webhook_events or _DEFAULT_EVENTS):
        view = job_view(world, job)
        world.announcements.append(webhooks.announce(job, event, view, world.moment))
