"""Jobs: submit, list, read, cancel, rerun, delete. What they leave behind is in `job_outputs`."""

import base64
import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runcrate_emulator.bodies import parse_body, read_object, read_optional_object, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import job_life
from runcrate_emulator.infrastructure.endpoints import Call, Endpoints
from runcrate_emulator.infrastructure.idempotency import checked_key
from runcrate_emulator.infrastructure.job_life import submit_group, submit_job
from runcrate_emulator.infrastructure.job_record import STATUSES, Job
from runcrate_emulator.infrastructure.job_spec import JobSpec, is_group, parse_group
from runcrate_emulator.infrastructure.job_views import group_view, job_view
from runcrate_emulator.infrastructure.records import JobGroup
from runcrate_emulator.infrastructure.wire import (
    CREATED,
    Page,
    Result,
    conflict,
    fields,
    parse_time,
)

if TYPE_CHECKING:
    from runcrate_emulator.world import World

_MAX_PAGE = 100
_DEFAULT_PAGE = 20


routes = Endpoints()


@routes.add("POST /jobs", CREATED)
async def _submit(call: Call) -> Result:
    """One job, or a group with `count` or `params`. Deduplicated for 24 hours."""
    world = call.world
    environment = call.environment
    body = await read_object(call.request)
    if is_group(body):
        group = parse_group(body)
        group_id = await _once(call, lambda: submit_group(world, environment, group))
        return _submitted_group(world, group_id)
    spec = parse_body(JobSpec, body)
    job_id = await _once(call, lambda: submit_job(world, environment, spec))
    return _submitted_job(world, job_id)


@routes.add("POST /jobs/{id}/rerun", CREATED)
async def _rerun(call: Call) -> Result:
    """The spec with changes, as a new job. Deduplicated for 24 hours."""
    world = call.world
    environment = call.environment
    job = call.find(world.jobs, "job")
    changes = await read_optional_object(call.request)
    if is_group(changes):
        refuse("count", "cannot be given to a rerun, which is one job", 422)
    body = {**job.spec.sent, **changes}
    if isinstance(changes.get("env"), dict):
        body["env"] = {**job.spec.env, **changes["env"]}
    spec = parse_body(JobSpec, {name: value for name, value in body.items() if value is not None})
    job_id = await _once(call, lambda: submit_job(world, environment, spec, rerun_of=job.id))
    return _submitted_job(world, job_id)


async def _once(call: Call, create: Callable[[], Job | JobGroup]) -> str:
    """Create something once per API key, route, environment and `Idempotency-Key`."""
    world = call.world
    key = checked_key(call.request.headers.get("idempotency-key"))
    if key is not None:
        environment = call.query.get("environment", "")
        key = f"{call.api_key}\n{call.request.url.path}\n{environment}\n{key}"

    async def work() -> str:
        await world.take_launch_time()
        return create().id

    return await world.idempotency.once(key, world.moment, work)


def _submitted_job(world: "World", job_id: str) -> dict[str, Any]:
    job = world.jobs.get(job_id)
    if job is None:
        message = f"Job `{job_id}`, which this Idempotency-Key created, was deleted."
        raise ApiError(404, "not_found", message)
    return job_view(world, job, with_secret=True)


def _submitted_group(world: "World", group_id: str) -> dict[str, Any]:
    group = world.job_groups[group_id]
    jobs = [world.jobs[job_id] for job_id in group.job_ids if job_id in world.jobs]
    views = [job_view(world, job, with_secret=True) for job in jobs]
    secret = views[0].get("webhook_secret") if views else None
    response = {**group_view(world, group), "jobs": views}
    return response if secret is None else {**response, "webhook_secret": secret}


@routes.add("GET /jobs")
async def _list_jobs(call: Call) -> Result:
    """Newest first, filtered and paged by cursor."""
    limit = call.integer("limit", _DEFAULT_PAGE, 1, _MAX_PAGE)
    is_wanted = _filter(call)
    cursor = _read_cursor(call.query.get("cursor"))
    found = [
        job
        for job in sorted(call.in_scope(call.world.jobs), key=_position, reverse=True)
        if is_wanted(job)
    ]
    rest = [job for job in found if cursor is None or _position(job) < cursor]
    page = rest[:limit]
    has_more = len(rest) > limit
    return Page(
        (job_view(call.world, job) for job in page),
        total=len(found),
        cursor=_cursor_after(page[-1]) if has_more else None,
        has_more=has_more,
    )


def _filter(call: Call) -> Callable[[Job], bool]:
    """Read every filter of the list."""
    query = call.query
    statuses = [text for text in query.get("status", "").split(",") if text]
    if not set(statuses) <= set(STATUSES):
        refuse("status", f"may hold {', '.join(STATUSES)}")
    tags = [tuple(text.split(":", 1)) for text in query.getlist("tag")]
    if any(len(tag) != 2 for tag in tags):  # noqa: PLR2004 - a key and a value
        refuse("tag", "must be like `key:value`")
    group_id, gpu_type = query.get("group_id"), query.get("gpu_type", "").casefold()
    words = query.get("q", "").casefold()
    created_after = parse_time(query.get("created_after", "0001-01-01T00:00Z"))
    if created_after is None:
        refuse("created_after", "must be an ISO 8601 time with an offset")

    def is_wanted(job: Job) -> bool:
        return (
            (not statuses or job.status in statuses)
            and all((key, value) in job.spec.tags.items() for key, value in tags)
            and group_id in (None, job.group_id)
            and (not gpu_type or gpu_type in {gpu.gpu_type.casefold() for gpu in job.gpus})
            and any(words in text.casefold() for text in (job.id, job.name, job.spec.command))
            and job.created_at > created_after
        )

    return is_wanted


def _position(job: Job) -> tuple[str, str]:
    return job.created_at.isoformat(timespec="microseconds"), job.id


def _cursor_after(job: Job) -> str:
    return base64.urlsafe_b64encode(" ".join(_position(job)).encode()).decode()


def _read_cursor(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    try:
        created_at, job_id = base64.b64decode(text, altchars=b"-_", validate=True).decode().split()
    except (binascii.Error, ValueError):
        refuse("cursor", "must be the `meta.cursor` of an earlier page")
    return created_at, job_id


@routes.add("GET /jobs/{id}")
async def _get_job(call: Call) -> Result:
    return job_view(call.world, call.find(call.world.jobs, "job"))


@routes.add("DELETE /jobs/{id}")
async def _delete_job(call: Call) -> Result:
    """A job that ended, with its logs and outputs."""
    world = call.world
    job = call.find(world.jobs, "job")
    if job.is_live:
        raise conflict(
            f"Job `{job.id}` is {job.status}; nothing was deleted. Cancel it first.",
        )
    for artifact in job.artifacts:
        world.media.remove(artifact.file_id)
    del world.jobs[job.id]
    return None


@routes.add("POST /jobs/{id}/cancel")
async def _cancel_job(call: Call) -> Result:
    """A cancelled job is returned unchanged, another end is a 409."""
    world = call.world
    job = call.find(world.jobs, "job")
    if not job.is_live and job.status != "cancelled":
        raise conflict(f"Job `{job.id}` has {job.status} already; nothing was changed.")
    if job.is_live:
        job = job_life.cancel(world, job)
    return job_view(world, job)


@routes.add("GET /jobs/{id}/events")
async def _list_events(call: Call) -> Result:
    """Oldest first."""
    return [
        fields(event, "at kind detail attempt")
        for event in call.find(call.world.jobs, "job").events
    ]


@routes.add("GET /job-groups/{id}")
async def _get_group(call: Call) -> Result:
    return group_view(call.world, call.find(call.world.job_groups, "job group"))


@routes.add("POST /job-groups/{id}/cancel")
async def _cancel_group(call: Call) -> Result:
    """Cancels its live jobs; a repeat changes nothing."""
    world = call.world
    group = call.find(world.job_groups, "job group")
    # From the last to the first: those that wait for a place must not start when one ends.
    for job_id in reversed(group.job_ids):
        job = world.live_jobs.get(job_id)
        if job is not None:
            job_life.cancel(world, job)
    return group_view(world, group)
