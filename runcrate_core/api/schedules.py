"""Schedules: start an instance or a job later, once or repeatedly.

Facts: the official SDK 0.5.0. A schedule starts within about two minutes of its time; there may
be 50 in an environment and 200 in a workspace.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from runcrate_core.api.envelope import ApiModel, UtcDatetime, parse_empty, parse_item, parse_list
from runcrate_core.api.instances import LAUNCH_FIELDS, Instance
from runcrate_core.api.job_submissions import JOB_FIELDS
from runcrate_core.api.job_types import Job
from runcrate_core.api.known_values import Credential, Overlap, ScheduleKind, ScheduleStatus
from runcrate_core.api.lifetimes import checked_lifetime
from runcrate_core.api.resources import AsyncResource, SyncResource, async_endpoint, endpoint
from runcrate_core.protocol.json_body import (
    UNCHANGED,
    Unchanged,
    changes,
    refuse_misspelt,
    without_none,
)
from runcrate_core.protocol.reconcile import Creation, by_name, create_once, same
from runcrate_core.protocol.request import (
    ReadTimeout,
    Request,
    RetrySafety,
    infrastructure_request,
    new_idempotency_key,
    timestamp,
)
from runcrate_core.protocol.steps import Call, Flow


class Schedule(ApiModel):
    """A launch that happens later.

    Attributes:
        kind: `instance` or `job`.
        run_as: Whom it launches as: who created it, or last changed or resumed it.
        run_as_credential: Their kind of sign-in: `user`, `api_key`, `agent` or new.
        spec: What it launches: the body of that kind's creation.
        run_at: Its only time, for one that runs once.
        cron: Its times, for one that runs repeatedly, read in `timezone`.
        overlap: What happens while the last run is still live: `skip` or `allow`.
        enabled: Whether it runs; a paused one does not.
        last_status: `launched`, `failed`, `skipped_budget`, `skipped_overlap`, `no_access`,
            `credential_revoked` or new.
        recovered: Whether the response to its creation was lost and it was found by its name.
    """

    id: str
    name: str = ""
    kind: ScheduleKind = ""
    environment_id: str | None = None
    created_by: str | None = None
    run_as: str | None = None
    run_as_credential: Credential | None = None
    # It may hold the values of environment variables.
    spec: dict[str, Any] = Field(default_factory=dict, repr=False)
    max_runtime_minutes: int | None = None
    run_at: UtcDatetime | None = None
    cron: str | None = None
    timezone: str | None = None
    overlap: Overlap | None = None
    enabled: bool | None = None
    next_run_at: UtcDatetime | None = None
    last_run_at: UtcDatetime | None = None
    last_status: ScheduleStatus | None = None
    last_error: str | None = None
    last_instance_id: str | None = None
    last_job_id: str | None = None
    run_count: int | None = None
    created_at: UtcDatetime | None = None
    updated_at: UtcDatetime | None = None
    recovered: bool = False


class ScheduleRun(ApiModel):
    """The launched resource, and the updated schedule."""

    schedule: Schedule
    instance: Instance | None = None
    job: Job | None = None


def _about(method: str, schedule_id: str, **options: Any) -> Request:
    return infrastructure_request(
        method,
        "/schedules/{schedule_id}",
        RetrySafety.SAFE,
        identifiers={"schedule_id": schedule_id},
        **options,
    )


def create(
    *,
    kind: str,
    spec: Mapping[str, Any],
    run_at: datetime | str | None = None,
    cron: str | None = None,
    timezone: str | None = None,
    overlap: str | None = None,
    name: str | None = None,
    enabled: bool | None = None,
) -> Flow[Schedule]:
    """Schedule an instance or a job. Each run costs what the launch costs.

    The request is never sent twice unless the first was certainly not acted on. When its response
    is lost, the schedule is looked up by its name.

    Args:
        kind: `instance` or `job`.
        spec: What `instances.create` or `jobs.run` would send; `max_runtime_minutes` is required.
        run_at: Start once, at this time, at most 365 days ahead; with a time zone.
        cron: Start repeatedly: five fields (`0 2 * * *`), at least 15 minutes apart.
        timezone: Where `cron` is read, such as `Europe/London`; UTC when not given.
        overlap: While the last run is still live: `skip` (when not given) or `allow` the next.
        name: Name; that of the spec when not given.
        enabled: `False` makes it paused.

    Returns:
        The schedule, with its `next_run_at`.

    Raises:
        ValueError: Neither or both of `run_at` and `cron`, or a time without a time zone; nothing
            was sent.
        UnprocessableEntityError: A field is wrong.
        AmbiguousLaunchError: The response was lost and no schedule of this name was found.

    Example:
        ```python
        nightly = client.schedules.create(
            kind="job",
            cron="0 2 * * *",
            timezone="Europe/London",
            name="nightly-train",
            spec={"command": "python train.py", "gpu_type": "H100", "max_runtime_minutes": 120},
        )
        print(nightly.next_run_at)
        ```
    """
    if (run_at is None) == (cron is None):
        raise ValueError("Give either `run_at` (once) or `cron` (repeatedly). Nothing was sent.")
    refuse_misspelt(spec, JOB_FIELDS if kind == "job" else LAUNCH_FIELDS)
    request = infrastructure_request(
        "POST",
        "/schedules",
        RetrySafety.NEVER,
        idempotency_key=new_idempotency_key(),
        body=without_none(
            kind=kind,
            spec=dict(spec),
            run_at=None if run_at is None else timestamp(run_at, "run_at"),
            cron=cron,
            timezone=timezone,
            overlap=overlap,
            name=name,
            enabled=enabled,
        ),
    )
    called = name or spec.get("name")
    creation = Creation(
        label="schedule",
        name=called,
        look_up="schedules.list()",
        find=None
        if called is None
        else by_name(called, list_schedules, matches=lambda schedule: same(cron, schedule.cron)),
    )
    created = create_once(Call(request, parse_item(Schedule, request)), creation)
    return checked_lifetime(created, spec.get("max_runtime_minutes"))


def list_schedules() -> Call[list[Schedule]]:
    """List the schedules of the environment, newest first.

    Returns:
        All of them; the API does not page them.

    Example:
        ```python
        for schedule in client.schedules.list():
            print(schedule.name, schedule.next_run_at, schedule.last_status)
        ```
    """
    request = infrastructure_request("GET", "/schedules", RetrySafety.SAFE)
    return Call(request, parse_list(Schedule, request))


def get(schedule_id: str) -> Call[Schedule]:
    """Return a schedule.

    Args:
        schedule_id: Identifier.

    Raises:
        ValueError: `schedule_id` is not an identifier; nothing was sent.
        NotFoundError: There is none with this identifier in the environment.

    Example:
        ```python
        print(client.schedules.get(nightly.id).last_job_id)
        ```
    """
    request = _about("GET", schedule_id)
    return Call(request, parse_item(Schedule, request))


def update(
    schedule_id: str,
    *,
    enabled: bool | Unchanged = UNCHANGED,
    run_at: datetime | str | Unchanged = UNCHANGED,
    cron: str | Unchanged = UNCHANGED,
    timezone: str | Unchanged = UNCHANGED,
    overlap: str | Unchanged = UNCHANGED,
    name: str | Unchanged = UNCHANGED,
    spec: Mapping[str, Any] | Unchanged = UNCHANGED,
) -> Call[Schedule]:
    """Change a schedule. Whoever changes its times or spec, or resumes it, becomes its owner.

    Args:
        schedule_id: Identifier.
        enabled: `False` pauses it, `True` resumes it from its next time on.
        run_at: Makes it run once, at this time; with a time zone.
        cron: Makes it run repeatedly.
        timezone: Where `cron` is read.
        overlap: `skip` or `allow`.
        name: New name.
        spec: Replaces the complete spec, environment variables included.

    Returns:
        The schedule as it is now.

    Raises:
        ValueError: Nothing to change, both of `run_at` and `cron`, a time without a time zone, or
            `schedule_id` is not an identifier; nothing was sent.
        NotFoundError: There is none with this identifier in the environment.
        UnprocessableEntityError: A field is wrong.

    Example:
        ```python
        client.schedules.update(nightly.id, enabled=False)  # pause
        client.schedules.update(nightly.id, cron="0 3 * * 1-5")
        ```
    """
    if run_at is not UNCHANGED and cron is not UNCHANGED:
        raise ValueError("Give either `run_at` (once) or `cron` (repeatedly). Nothing was sent.")
    body = changes(
        enabled=enabled,
        run_at=timestamp(run_at, "run_at") if isinstance(run_at, datetime | str) else run_at,
        cron=cron,
        timezone=timezone,
        overlap=overlap,
        name=name,
        spec=dict(spec) if isinstance(spec, Mapping) else spec,
    )
    request = _about("PATCH", schedule_id, body=body)
    return Call(request, parse_item(Schedule, request))


def delete(schedule_id: str) -> Call[None]:
    """Delete a schedule. What it launched keeps running.

    Args:
        schedule_id: Identifier.

    Raises:
        ValueError: `schedule_id` is not an identifier; nothing was sent.
        NotFoundError: There is none with this identifier in the environment.

    Example:
        ```python
        client.schedules.delete(nightly.id)
        ```
    """
    request = _about("DELETE", schedule_id)
    return Call(request, parse_empty(request))


def run_now(schedule_id: str) -> Flow[ScheduleRun]:
    """Run a schedule now, even if it is paused. It costs money.

    The request is never sent twice unless the first was certainly not acted on. Its times do not
    move.

    Args:
        schedule_id: Identifier.

    Returns:
        The schedule, and the instance or job that was launched.

    Raises:
        ValueError: `schedule_id` is not an identifier; nothing was sent.
        InsufficientCreditsError: No credits, or the environment's budget is spent.
        NotFoundError: There is none with this identifier in the environment.
        AmbiguousLaunchError: The response was lost; check the schedule's `last_run_at`.

    Example:
        ```python
        run = client.schedules.run_now(nightly.id)
        print(run.job or run.instance)
        ```
    """
    request = infrastructure_request(
        "POST",
        "/schedules/{schedule_id}/run-now",
        RetrySafety.NEVER,
        identifiers={"schedule_id": schedule_id},
        read_timeout=ReadTimeout.LAUNCH,
    )
    creation: Creation[ScheduleRun] = Creation(
        label=f"run of the schedule {schedule_id!r}", look_up=f"schedules.get({schedule_id!r})"
    )
    return create_once(Call(request, parse_item(ScheduleRun, request)), creation)


class Schedules(SyncResource):
    """`client.schedules`."""

    create = endpoint(create)
    list = endpoint(list_schedules)
    get = endpoint(get)
    update = endpoint(update)
    delete = endpoint(delete)
    run_now = endpoint(run_now)


class AsyncSchedules(AsyncResource):
    """`client.schedules` of the asynchronous client."""

    create = async_endpoint(create)
    list = async_endpoint(list_schedules)
    get = async_endpoint(get)
    update = async_endpoint(update)
    delete = async_endpoint(delete)
    run_now = async_endpoint(run_now)
