"""Schedules: start an instance or a job later, once or again and again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcrate_emulator.bodies import OUT_OF_RANGE, Fields, read_object
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import instances, schedule_runs
from runcrate_emulator.infrastructure.cron import next_run, parse_cron, shortest_gap_minutes
from runcrate_emulator.infrastructure.environments import scope
from runcrate_emulator.infrastructure.job_spec import is_group, parse_job
from runcrate_emulator.infrastructure.job_views import job_view
from runcrate_emulator.infrastructure.launches import LONGEST_NAME, parse_launch
from runcrate_emulator.infrastructure.records import Schedule, ScheduleKind
from runcrate_emulator.infrastructure.wire import (
    CREATED,
    iso,
    many,
    not_found,
    nothing,
    one,
    parse_time,
    world_of,
)
from runcrate_emulator.keys import bearer_token
from runcrate_emulator.workspace import OWNER
from runcrate_emulator.world import World

_FARTHEST_RUN = timedelta(days=365)  # official SDK 0.5.0, as are the next three
_LEAST_GAP_MINUTES = 15
_MAX_PER_ENVIRONMENT = 50
_MAX_PER_WORKSPACE = 200


@dataclass(frozen=True)
class _Timing:
    """When a schedule runs: exactly one of `run_at` and `cron`."""

    run_at: datetime | None
    cron: str | None
    timezone: str


async def list_schedules(request: Request) -> Response:
    """GET /schedules, newest first."""
    world = world_of(request)
    environment = scope(request)
    return many(
        _view(schedule)
        for schedule in reversed(world.schedules.values())
        if schedule.environment_id == environment.id
    )


async def create_schedule(request: Request) -> Response:
    """POST /schedules. Not deduplicated by `Idempotency-Key`."""
    world = world_of(request)
    environment = scope(request)
    fields = Fields(await read_object(request))
    kind = _kind(fields)
    spec = _spec(fields, kind)
    timing = _timing(fields, world.moment)
    overlap = _overlap(fields) or "skip"
    name = fields.text("name", longest=LONGEST_NAME) or spec.get("name") or f"{kind} schedule"
    enabled = fields.boolean("enabled") is not False
    fields.finish()
    _check_limits(world, environment.id)
    schedule = Schedule(
        id=world.new_id("schedule"),
        name=name,
        kind=kind,
        environment_id=environment.id,
        api_key=bearer_token(request.headers) or "",
        spec=spec,
        run_at=timing.run_at,
        cron=timing.cron,
        timezone=timing.timezone,
        overlap=overlap,
        enabled=enabled,
        next_run_at=_next_run(timing, world.moment) if enabled else None,
        created_at=world.moment,
        updated_at=world.moment,
    )
    world.schedules[schedule.id] = schedule
    return one(_view(schedule), CREATED)


async def get_schedule(request: Request) -> Response:
    """GET /schedules/{id}."""
    return one(_view(_find(request)))


async def update_schedule(request: Request) -> Response:
    """PATCH /schedules/{id}: a `spec` replaces the whole spec; resuming skips what was missed."""
    world = world_of(request)
    schedule = _find(request)
    fields = Fields(await read_object(request))
    enabled = fields.boolean("enabled")
    spec = _spec(fields, schedule.kind) if fields.raw("spec") is not None else None
    is_retimed = any(fields.raw(name) is not None for name in ("run_at", "cron", "timezone"))
    timing = _changed_timing(fields, schedule, world.moment)
    overlap = _overlap(fields)
    name = fields.text("name", longest=LONGEST_NAME)
    fields.finish()
    if not is_retimed and all(value is None for value in (enabled, spec, overlap, name)):
        fields.bad_shape("enabled", "or another field to change is required")
    changed = replace(
        schedule,
        name=name or schedule.name,
        spec=spec or schedule.spec,
        run_at=timing.run_at,
        cron=timing.cron,
        timezone=timing.timezone,
        overlap=overlap or schedule.overlap,
        enabled=schedule.enabled if enabled is None else enabled,
        updated_at=world.moment,
    )
    if is_retimed or spec is not None or enabled:
        # Whoever changes the spec or the timing, or resumes it, is whom the next run launches as.
        changed = replace(changed, api_key=bearer_token(request.headers) or "")
    changed = _rescheduled(fields, changed, timing, world.moment)
    world.schedules[changed.id] = changed
    return one(_view(changed))


def _rescheduled(fields: Fields, schedule: Schedule, timing: _Timing, now: datetime) -> Schedule:
    if not schedule.enabled:
        return replace(schedule, next_run_at=None)
    following = _next_run(timing, now)
    if following is None:
        fields.bad_value("enabled", "cannot be switched on: its time is over; set a new `run_at`")
    return replace(schedule, next_run_at=following)


async def delete_schedule(request: Request) -> Response:
    """DELETE /schedules/{id}; what it launched goes on."""
    world = world_of(request)
    del world.schedules[_find(request).id]
    return nothing()


async def run_now(request: Request) -> Response:
    """POST /schedules/{id}/run-now: launches at once. Not deduplicated in any way."""
    world = world_of(request)
    schedule = _find(request)
    await world.take_launch_time()
    changed, launched = schedule_runs.launch(world, schedule, world.moment)
    answer: dict[str, Any] = {"schedule": _view(changed)}
    if launched.instance is not None:
        answer["instance"] = instances.view(launched.instance, world.moment)
    if launched.job is not None:
        answer["job"] = job_view(world, launched.job, with_secret=True)
    return one(answer)


def _kind(fields: Fields) -> ScheduleKind:
    kind = fields.required("kind", fields.one_of("kind", ("instance", "job")))
    return "instance" if kind == "instance" else "job"


def _overlap(fields: Fields) -> Literal["skip", "allow"] | None:
    overlap = fields.one_of("overlap", ("skip", "allow"))
    if overlap is None:
        return None
    return "skip" if overlap == "skip" else "allow"


def _spec(fields: Fields, kind: ScheduleKind) -> Mapping[str, Any]:
    """The create body of the kind, checked as if it were sent now."""
    spec = fields.required("spec", fields.object("spec"))
    if spec.get("max_runtime_minutes") is None:
        fields.bad_value("spec", "must set `max_runtime_minutes`")
    if kind == "instance":
        parse_launch(spec)
    elif is_group(spec):
        fields.bad_value("spec", "must be one job, not a group")
    else:
        parse_job(spec)
    return spec


def _timing(fields: Fields, now: datetime) -> _Timing:
    run_at = _run_at(fields, now)
    cron = _cron(fields)
    timezone = _timezone(fields) or "UTC"
    if (run_at is None) == (cron is None):
        fields.bad_value("run_at", "or `cron` is required, and only one of them")
    return _checked(fields, _Timing(run_at, cron, timezone), now)


def _changed_timing(fields: Fields, schedule: Schedule, now: datetime) -> _Timing:
    run_at = _run_at(fields, now)
    cron = _cron(fields)
    timezone = _timezone(fields) or schedule.timezone
    if run_at is not None and cron is not None:
        fields.bad_value("run_at", "and `cron` cannot be given together")
    if run_at is None and cron is None:
        return _Timing(schedule.run_at, schedule.cron, timezone)
    return _checked(fields, _Timing(run_at, cron, timezone), now)


def _checked(fields: Fields, timing: _Timing, now: datetime) -> _Timing:
    if _next_run(timing, now) is None:
        fields.bad_value("cron" if timing.cron else "run_at", "never comes")
    return timing


def _next_run(timing: _Timing, now: datetime) -> datetime | None:
    if timing.cron is not None:
        return next_run(parse_cron(timing.cron), now, ZoneInfo(timing.timezone))
    return timing.run_at if timing.run_at is not None and timing.run_at > now else None


def _run_at(fields: Fields, now: datetime) -> datetime | None:
    text = fields.text("run_at")
    if text is None:
        return None
    moment = parse_time(text)
    if moment is None:
        fields.bad_value("run_at", "must be an ISO 8601 time with an offset")
    if not now < moment <= now + _FARTHEST_RUN:
        fields.bad_value("run_at", f"must be in the future, at most {_FARTHEST_RUN.days} days away")
    return moment


def _cron(fields: Fields) -> str | None:
    text = fields.text("cron")
    if text is None:
        return None
    try:
        cron = parse_cron(text)
    except ValueError as problem:
        fields.bad_value("cron", str(problem))
    if shortest_gap_minutes(cron) < _LEAST_GAP_MINUTES:
        fields.bad_value("cron", f"must leave {_LEAST_GAP_MINUTES} minutes between two runs")
    return text


def _timezone(fields: Fields) -> str | None:
    name = fields.text("timezone")
    if name is None:
        return None
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        fields.bad_value("timezone", "must be an IANA timezone such as Europe/London")
    return name


def _check_limits(world: World, environment_id: str) -> None:
    here = sum(1 for s in world.schedules.values() if s.environment_id == environment_id)
    if here >= _MAX_PER_ENVIRONMENT or len(world.schedules) >= _MAX_PER_WORKSPACE:
        raise ApiError(
            OUT_OF_RANGE,
            "validation_error",
            f"At most {_MAX_PER_ENVIRONMENT} schedules in an environment and "
            f"{_MAX_PER_WORKSPACE} in a workspace; nothing was created. Delete one first.",
        )


def _find(request: Request) -> Schedule:
    world = world_of(request)
    identifier: str = request.path_params["id"]
    schedule = world.schedules.get(identifier)
    if schedule is None or schedule.environment_id != scope(request).id:
        raise not_found("schedule", identifier)
    return schedule


def _view(schedule: Schedule) -> dict[str, Any]:
    return {
        "id": schedule.id,
        "name": schedule.name,
        "kind": schedule.kind,
        "environment_id": schedule.environment_id,
        "created_by": OWNER,
        "run_as": OWNER,
        "run_as_credential": "api_key",
        "spec": dict(schedule.spec),
        "max_runtime_minutes": schedule.spec.get("max_runtime_minutes"),
        "run_at": iso(schedule.run_at),
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "overlap": schedule.overlap,
        "enabled": schedule.enabled,
        "next_run_at": iso(schedule.next_run_at),
        "last_run_at": iso(schedule.last_run_at),
        "last_status": schedule.last_status,
        "last_error": schedule.last_error,
        "last_instance_id": schedule.last_instance_id,
        "last_job_id": schedule.last_job_id,
        "run_count": schedule.run_count,
        "created_at": iso(schedule.created_at),
        "updated_at": iso(schedule.updated_at),
    }


routes = [
    Route("/schedules", list_schedules, methods=["GET"]),
    Route("/schedules", create_schedule, methods=["POST"]),
    Route("/schedules/{id}", get_schedule, methods=["GET"]),
    Route("/schedules/{id}", update_schedule, methods=["PATCH"]),
    Route("/schedules/{id}", delete_schedule, methods=["DELETE"]),
    Route("/schedules/{id}/run-now", run_now, methods=["POST"]),
]
