"""Firing schedules: what a run launches, and why it may not."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import credit
from runcrate_emulator.infrastructure.cron import next_run, parse_cron
from runcrate_emulator.infrastructure.job_record import Job
from runcrate_emulator.infrastructure.job_spec import parse_job
from runcrate_emulator.infrastructure.job_submit import submit_job
from runcrate_emulator.infrastructure.launches import launch_instance, parse_launch
from runcrate_emulator.infrastructure.machines import Machine
from runcrate_emulator.infrastructure.records import Schedule, ScheduleOutcome
from runcrate_emulator.workspace import Workspace


@dataclass(frozen=True)
class Launched:
    """The resource that a run created: one of the two."""

    instance: Machine | None = None
    job: Job | None = None


def next_schedule_event(world: Workspace) -> datetime | None:
    """When a schedule fires next."""
    return min(
        (s.next_run_at for s in world.schedules.values() if s.next_run_at is not None),
        default=None,
    )


def live_through_schedule_events(world: Workspace, at: datetime) -> None:
    """Fire every schedule that is due."""
    for schedule in list(world.schedules.values()):
        if schedule.next_run_at is not None and schedule.next_run_at <= at:
            _fire(world, schedule, at)


def following_run(schedule: Schedule, after: datetime) -> datetime | None:
    """When an enabled recurring schedule runs after a moment."""
    if schedule.cron is None:
        return None
    return next_run(parse_cron(schedule.cron), after, ZoneInfo(schedule.timezone))


def launch(world: Workspace, schedule: Schedule, at: datetime) -> tuple[Schedule, Launched]:
    """Launch what a schedule describes, and note it on the schedule.

    Raises:
        ApiError: The launch was refused; nothing was created.
    """
    environment = world.environments[schedule.environment_id]
    if schedule.kind == "instance":
        machine = launch_instance(world, environment, parse_launch(schedule.spec), at)
        launched = Launched(instance=machine)
        noted = replace(schedule, last_instance_id=machine.id)
    else:
        job = submit_job(world, environment, parse_job(schedule.spec), at)
        launched = Launched(job=job)
        noted = replace(schedule, last_job_id=job.id)
    noted = replace(noted, run_count=schedule.run_count + 1)
    return _kept(world, noted, "launched", None, at), launched


def _fire(world: Workspace, schedule: Schedule, at: datetime) -> None:
    following = following_run(schedule, at)
    schedule = replace(
        schedule, next_run_at=following, enabled=schedule.enabled and following is not None
    )
    if schedule.api_key in world.deactivated_keys:
        paused = replace(schedule, enabled=False, next_run_at=None)
        reason = "The API key that it launches as was deactivated."
        _kept(world, paused, "credential_revoked", reason, at)
        return
    environment = world.environments[schedule.environment_id]
    if credit.is_budget_spent(world, environment, at):
        reason = "The environment's monthly budget is spent."
        _kept(world, schedule, "skipped_budget", reason, at)
    elif schedule.overlap == "skip" and _last_run_is_live(world, schedule):
        _kept(world, schedule, "skipped_overlap", "The last run is still live.", at)
    else:
        _attempt(lambda: launch(world, schedule, at), world, schedule, at)


def _attempt(run: Callable[[], object], world: Workspace, schedule: Schedule, at: datetime) -> None:
    try:
        run()
    except ApiError as refusal:
        _kept(world, schedule, "failed", refusal.message, at)


def _last_run_is_live(world: Workspace, schedule: Schedule) -> bool:
    return (
        schedule.last_instance_id in world.live_machines or schedule.last_job_id in world.live_jobs
    )


def _kept(
    world: Workspace, schedule: Schedule, status: ScheduleOutcome, error: str | None, at: datetime
) -> Schedule:
    noted = replace(schedule, last_run_at=at, last_status=status, last_error=error)
    world.schedules[noted.id] = noted
    return noted
