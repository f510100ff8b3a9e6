"""Job lifecycle: queued, launched, run, retried, ended. What is due happens in `settle`."""

import contextlib
import hashlib
from datetime import datetime, timedelta

from runcrate_emulator.bodies import OUT_OF_RANGE, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import credit, webhooks
from runcrate_emulator.infrastructure.catalogue import InstanceType
from runcrate_emulator.infrastructure.instance_life import StopReason
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
from runcrate_emulator.infrastructure.job_spec import JobSpec
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
    job = _new_job(world, environment, spec)
    job.rerun_of = rerun_of
    _try_launch(world, job)
    return job


def submit_group(
    world: World, environment: Environment, specs: list[JobSpec], max_parallel: int
) -> JobGroup:
    """Create a group and launch as many of its jobs as may run at once."""
    for spec in specs:
        _check_references(world, environment, spec)
    credit.require_credit(world, environment, "launched")
    jobs = [_new_job(world, environment, spec) for spec in specs]
    group = JobGroup(
        id=world.new_id("group"),
        environment_id=environment.id,
        max_parallel=max_parallel,
        created_at=world.moment,
        job_ids=tuple(job.id for job in jobs),
    )
    world.job_groups[group.id] = group
    for index, job in enumerate(jobs):
        job.group_id, job.job_index = group.id, index
    for job in jobs:
        _try_launch(world, job)
    return group


def cancel(world: World, job: Job) -> None:
    """Cancel a live job."""
    end = _finish if job.status == "queued" else _end_attempt
    end(world, job, "cancelled")


def job_due(world: World, job: Job) -> datetime | None:
    """Time at which a live job is next launched, starts, or ends."""
    if job.status == "queued":
        return job.next_attempt_at
    attempt = job.attempts[-1]
    if not attempt.instance.is_live:
        return world.moment
    if job.status == "starting":
        return attempt.instance.runs_from
    limit_s = job.spec.max_runtime_minutes * 60
    started_at = attempt.started_at or job.created_at
    return started_at + timedelta(seconds=min(attempt.trace.duration_s, limit_s))


def settle_job(world: World, job: Job) -> None:
    """Let a job do what is due: launch, fail with its instance, start, or end."""
    if job.status == "queued":
        _try_launch(world, job)
        return
    attempt = job.attempts[-1]
    code = attempt.trace.exit_code
    if not attempt.instance.is_live:
        reason = attempt.instance.stop_reason or "failed"
        error = _INSTANCE_ERRORS.get(reason, "The instance failed.")
        _end_attempt(world, job, "failed", error=error, is_instance_failure=reason == "failed")
    elif job.status == "starting":
        attempt.trace.start()
        job.status = attempt.status = "running"
        attempt.started_at = world.moment
        job.note(world.moment, "started", attempt.instance.type.gpu_type, attempt.number)
        _announce(world, job)
    elif attempt.ran_s(world.moment) < attempt.trace.duration_s:
        error = f"It ran longer than {job.spec.max_runtime_minutes} minutes."
        _end_attempt(world, job, "timed_out", error=error)
    elif code == 0:
        _end_attempt(world, job, "succeeded", exit_code=0)
    else:
        error = f"The command ended with exit code {code}."
        _end_attempt(world, job, "failed", exit_code=code, error=error)


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
    job.note(now, "created")
    world.jobs[job.id] = world.live_jobs[job.id] = job
    return job


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


def _try_launch(world: World, job: Job) -> None:
    """Give a queued job its instance, or let it wait for a reason."""
    environment = world.environments[job.environment_id]
    group, storage_id = world.job_groups.get(job.group_id or ""), job.spec.storage_id
    running = sum(other.status != "queued" for other in _siblings(world, job))
    in_stock: list[InstanceType] = []  # of the candidates, in the order that was asked for
    for candidate in job.spec.candidates:
        with contextlib.suppress(ApiError):
            in_stock.append(choose_type(world, candidate))
    if group is not None and running >= group.max_parallel:
        _wait(world, job, "max_parallel")
    elif credit.floating_balance(world) <= 0:
        _finish(world, job, "failed", error=_INSTANCE_ERRORS["low_balance"])
    elif credit.is_budget_spent(world, environment):
        _wait(world, job, "budget")
    elif storage_id is not None and world.instance_with_volume(storage_id) is not None:
        _wait(world, job, "volume_busy")
    elif not in_stock:
        _wait(world, job, "no_capacity")
    else:
        _launch(world, environment, job, in_stock[0])


def _launch(world: World, environment: Environment, job: Job, kind: InstanceType) -> None:
    number = len(job.attempts) + 1
    job.note(world.moment, "launch_attempt", kind.gpu_type, number)
    try:
        instance = start_instance(
            world,
            environment,
            kind,
            name=job.name,
            template=job.spec.template,
            storage_id=job.spec.storage_id,
            job_id=job.id,
        )
    except ApiError as refusal:
        _finish(world, job, "failed", error=refusal.message)
        return
    trace = trace_of_attempt(world, job, kind, number)
    job.attempts.append(Attempt(number, instance, "starting", trace))
    job.status, job.queue_reason, job.next_attempt_at = "starting", None, None


def _siblings(world: World, job: Job) -> list[Job]:
    """The other live jobs of its group, in their order."""
    return [
        other
        for other in world.live_jobs.values()
        if job.group_id is not None and other.group_id == job.group_id and other.id != job.id
    ]


def _wait(world: World, job: Job, reason: QueueReason) -> None:
    """Let a job wait for a place in its group, or for its instance as long as it wants to."""
    until = None
    if reason != "max_parallel":
        minutes = job.spec.capacity_wait_minutes
        gives_up_at = job.waits_since + timedelta(minutes=minutes)
        if world.moment >= gives_up_at:
            error = f"No instance within {minutes} minutes ({reason})."
            _finish(world, job, "failed", error=error)
            return
        until = min(world.moment + _LAUNCH_INTERVAL, gives_up_at)
    if job.queue_reason != reason:
        job.note(world.moment, "queued", reason)
    job.queue_reason, job.next_attempt_at = reason, until


def _end_attempt(
    world: World,
    job: Job,
    status: JobStatus,
    *,
    exit_code: int | None = None,
    error: str | None = None,
    is_instance_failure: bool = False,
) -> None:
    now, attempt, spec = world.moment, job.attempts[-1], job.spec
    if attempt.instance.is_live:
        credit.stop_instance(world, attempt.instance, _STOP_REASONS.get(status, "system"))
    attempt.trace.stop()
    attempt.status, attempt.ended_at = status, now
    attempt.exit_code, attempt.error = exit_code, error
    job.note(now, "exited", error or f"exit code {exit_code}", attempt.number)
    for at_s, path, content in attempt.trace.files:  # they replace what an earlier attempt wrote
        if at_s <= attempt.ran_s(now):
            stored = world.media.add("artifact", path, "application/octet-stream", content)
            digest = hashlib.sha256(content).hexdigest()
            job.artifacts[path] = Artifact(path, stored.id, len(content), digest)
    # Above 0 retries an instance failure is always retried, an exit code only when asked for.
    is_retried_code = (
        exit_code is not None
        and "nonzero_exit" in spec.retry_on
        and (not spec.retry_exit_codes or exit_code in spec.retry_exit_codes)
    )
    has_retries = status == "failed" and len(job.attempts) <= spec.max_retries
    if has_retries and (is_instance_failure or is_retried_code):
        job.note(now, "retry", None, attempt.number + 1)
        job.status, job.waits_since, job.next_attempt_at = "queued", now, now
    else:
        _finish(world, job, status, error=error)


def _finish(world: World, job: Job, status: JobStatus, *, error: str | None = None) -> None:
    now = world.moment
    job.note(now, "cancelled" if status == "cancelled" else "finished", status)
    job.status, job.ended_at, job.error = status, now, error
    job.queue_reason, job.next_attempt_at = None, None
    del world.live_jobs[job.id]
    _announce(world, job)
    for other in _siblings(world, job):
        if other.queue_reason == "max_parallel":  # the next one may try, now that a place is free
            other.waits_since = other.next_attempt_at = now
            break


def _announce(world: World, job: Job) -> None:
    """Queue the job's webhook: it runs, or it has ended."""
    event: webhooks.WebhookEvent = "started" if job.is_live else "finished"
    if job.spec.webhook_url is not None and event in (job.spec.webhook_events or _DEFAULT_EVENTS):
        view = job_view(world, job)
        world.announcements.append(webhooks.announce(job, event, view, world.moment))
