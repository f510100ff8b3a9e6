"""Schedules: start an instance or a job later, once or repeatedly.

Day of month, day of week and changes of the clock count as in Debian's cron.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from pydantic import BeforeValidator

from runcrate_emulator.bodies import OUT_OF_RANGE, Body, Name, Text, must, parse_body, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import credit, instances
from runcrate_emulator.infrastructure.endpoints import Call, Endpoints
from runcrate_emulator.infrastructure.instance_life import Instance
from runcrate_emulator.infrastructure.instances import LaunchSpec, launch_instance
from runcrate_emulator.infrastructure.job_life import submit_job
from runcrate_emulator.infrastructure.job_record import Job
from runcrate_emulator.infrastructure.job_spec import JobSpec, is_group
from runcrate_emulator.infrastructure.job_views import job_view
from runcrate_emulator.infrastructure.records import Schedule, ScheduleKind, ScheduleOutcome
from runcrate_emulator.infrastructure.wire import CREATED, Result, parse_time
from runcrate_emulator.keys import OWNER
from runcrate_emulator.world import World

_FARTHEST_RUN = timedelta(days=365)  # official SDK 0.5.0, as are the next three
_LEAST_GAP_MINUTES = 15
_MAX_PER_ENVIRONMENT = 50
_MAX_PER_WORKSPACE = 200


def shortest_gap_minutes(expression: str) -> int:
    """The least minutes between two runs that an expression allows, day borders included."""
    if len(expression.split()) != 5:  # noqa: PLR2004 - named in the text
        raise ValueError("must have five fields: minute hour day month weekday")
    try:
        cron = CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"has an invalid field: {error}") from None
    minutes, hours = sorted(cron.minutes), sorted(cron.hours)
    within = [b - a for a, b in pairwise(minutes)]
    over_the_hour = [
        (b - a) * 60 + minutes[0] - minutes[-1] for a, b in pairwise([*hours, hours[0] + 24])
    ]
    return min([*within, *over_the_hour])


def _time(text: object) -> datetime:
    if not isinstance(text, str):
        refuse("run_at", "must be a string")
    moment = parse_time(text)
    if moment is None:
        raise ValueError("must be an ISO 8601 time with an offset")
    return moment


Cron = Annotated[
    Text,
    must(
        lambda text: shortest_gap_minutes(text) >= _LEAST_GAP_MINUTES,
        f"must leave {_LEAST_GAP_MINUTES} minutes between two runs",
    ),
]

Timezone = Annotated[
    Text,
    must(
        lambda name: name in available_timezones(), "must be an IANA timezone such as Europe/London"
    ),
]


class _Change(Body):
    name: Name | None = None
    spec: dict[str, Any] | None = None
    run_at: Annotated[datetime, BeforeValidator(_time)] | None = None
    cron: Cron | None = None
    timezone: Timezone = "UTC"
    overlap: Literal["skip", "allow"] = "skip"
    enabled: bool = True


class _NewSchedule(_Change):
    kind: ScheduleKind
    spec: dict[str, Any]


routes = Endpoints()


routes.read("/schedules", lambda call: [_view(s) for s in call.in_scope(call.world.schedules)])
routes.read("/schedules/{id}", lambda call: _view(call.find(call.world.schedules, "schedule")))


@routes.add("POST /schedules", CREATED)
async def _create_schedule(call: Call) -> Result:
    """Not deduplicated by `Idempotency-Key`."""
    world = call.world
    environment = call.environment
    body = await call.read(_NewSchedule)
    _check_spec(body.kind, body.spec)
    if (body.run_at is None) == (body.cron is None):
        refuse("run_at", "or `cron` is required, and only one of them", OUT_OF_RANGE)
    next_run_at = _next_run(body, world.moment)
    here = sum(1 for one in world.schedules.values() if one.environment_id == environment.id)
    if here >= _MAX_PER_ENVIRONMENT or len(world.schedules) >= _MAX_PER_WORKSPACE:
        raise ApiError(
            OUT_OF_RANGE,
            "validation_error",
            f"At most {_MAX_PER_ENVIRONMENT} schedules in an environment and "
            f"{_MAX_PER_WORKSPACE} in a workspace; nothing was created. Delete one first.",
        )
    name = body.name or body.spec.get("name") or f"{body.kind} schedule"
    schedule = Schedule(
        **dict(body) | {"name": name},
        id=world.new_id("schedule"),
        environment_id=environment.id,
        api_key=call.api_key,
        next_run_at=next_run_at if body.enabled else None,
        created_at=world.moment,
        updated_at=world.moment,
    )
    world.schedules[schedule.id] = schedule
    return _view(schedule)


@routes.add("PATCH /schedules/{id}")
async def _update_schedule(call: Call) -> Result:
    """A `spec` replaces the whole spec; resuming skips what was missed."""
    world = call.world
    schedule = call.find(world.schedules, "schedule")
    body = await call.read(_Change)
    sent = {name: getattr(body, name) for name in body.model_fields_set}
    if not sent:
        refuse("enabled", "or another field to change is required")
    if body.spec is not None:
        _check_spec(schedule.kind, body.spec)
    if body.run_at is not None and body.cron is not None:
        refuse("run_at", "and `cron` cannot be given together", OUT_OF_RANGE)
    if body.run_at is not None or body.cron is not None:
        sent |= {"run_at": body.run_at, "cron": body.cron}
    if sent.get("enabled") or sent.keys() & {"run_at", "cron", "timezone", "spec"}:
        # Whoever changes the spec or the timing, or resumes it, is whom the next run launches as.
        sent["api_key"] = call.api_key
    changed = replace(schedule, **sent, updated_at=world.moment, next_run_at=None)
    if sent.keys() & {"run_at", "cron"}:
        _next_run(changed, world.moment)  # refuses a time that never comes
    if changed.enabled:
        changed.next_run_at = following_run(changed, world.moment)
        if changed.next_run_at is None:
            problem = "cannot be switched on: its time is over; set a new `run_at`"
            refuse("enabled", problem, OUT_OF_RANGE)
    world.schedules[changed.id] = changed
    return _view(changed)


@routes.add("DELETE /schedules/{id}")
async def _delete_schedule(call: Call) -> Result:
    """Delete a schedule; the instances and jobs that it launched keep running."""
    del call.world.schedules[call.find(call.world.schedules, "schedule").id]
    return None


@routes.add("POST /schedules/{id}/run-now")
async def _run_now(call: Call) -> Result:
    """Launches at once. Not deduplicated in any way."""
    world = call.world
    schedule = call.find(world.schedules, "schedule")
    launched = launch(world, schedule)
    if isinstance(launched, Instance):
        view = instances.view(launched, world.moment)
    else:
        view = job_view(world, launched, with_secret=True)
    return {"schedule": _view(schedule), schedule.kind: view}


def _check_spec(kind: ScheduleKind, spec: dict[str, Any]) -> None:
    """Check the create body of the kind as if it were sent now."""
    if spec.get("max_runtime_minutes") is None:
        refuse("spec", "must set `max_runtime_minutes`", OUT_OF_RANGE)
    if kind == "instance":
        parse_body(LaunchSpec, spec)
    elif is_group(spec):
        refuse("spec", "must be one job, not a group", OUT_OF_RANGE)
    else:
        parse_body(JobSpec, spec)


def _next_run(timing: "Schedule | _NewSchedule", now: datetime) -> datetime:
    """The next run of a timing that was sent; `run_at` lies at most a year ahead."""
    if timing.run_at is not None and not now < timing.run_at <= now + _FARTHEST_RUN:
        problem = f"must be in the future, at most {_FARTHEST_RUN.days} days away"
        refuse("run_at", problem, OUT_OF_RANGE)
    following = following_run(timing, now)
    if following is None:
        refuse("cron", "never comes", OUT_OF_RANGE)
    return following


def following_run(timing: "Schedule | _NewSchedule", after: datetime) -> datetime | None:
    """Time of an enabled schedule's next run."""
    if timing.cron is not None:
        try:
            run = next(CronSim(timing.cron, after.astimezone(ZoneInfo(timing.timezone))), None)
        except OverflowError:  # the last year that a date can have
            return None
        return run and run.astimezone(UTC)
    return timing.run_at if timing.run_at is not None and timing.run_at > after else None


def launch(world: World, schedule: Schedule) -> Instance | Job:
    """Launch what a schedule describes, and note it on the schedule."""
    environment = world.environments[schedule.environment_id]
    launched: Instance | Job
    if schedule.kind == "instance":
        launched = launch_instance(world, environment, parse_body(LaunchSpec, schedule.spec))
        schedule.last_instance_id = launched.id
    else:
        launched = submit_job(world, environment, parse_body(JobSpec, schedule.spec))
        schedule.last_job_id = launched.id
    schedule.run_count += 1
    _note(world, schedule, "launched")
    return launched


def fire(world: World, schedule: Schedule) -> None:
    """Launch what is due, or skip it for a reason."""
    following = None if schedule.cron is None else following_run(schedule, world.moment)
    schedule.enabled, schedule.next_run_at = schedule.enabled and following is not None, following
    last = schedule.last_instance_id in world.live_instances or (
        schedule.last_job_id in world.live_jobs
    )
    if schedule.api_key in world.deactivated_keys:
        schedule.enabled, schedule.next_run_at = False, None
        reason = "The API key that it launches as was deactivated."
        _note(world, schedule, "credential_revoked", reason)
    elif credit.is_budget_spent(world, world.environments[schedule.environment_id]):
        reason = "The environment's monthly budget is spent."
        _note(world, schedule, "skipped_budget", reason)
    elif schedule.overlap == "skip" and last:
        _note(world, schedule, "skipped_overlap", "The last run is still live.")
    else:
        try:
            launch(world, schedule)
        except ApiError as refusal:
            _note(world, schedule, "failed", refusal.message)


def _note(
    world: World, schedule: Schedule, status: ScheduleOutcome, error: str | None = None
) -> None:
    schedule.last_run_at, schedule.last_status, schedule.last_error = world.moment, status, error


def _view(schedule: Schedule) -> dict[str, Any]:
    own = {name: value for name, value in vars(schedule).items() if name != "api_key"}
    return own | {
        "created_by": OWNER,
        "run_as": OWNER,
        "run_as_credential": "api_key",
        "max_runtime_minutes": schedule.spec.get("max_runtime_minutes"),
    }
