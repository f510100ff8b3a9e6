"""Jobs and groups of them: submit, list, read, cancel, rerun, delete; logs, outputs, uploads."""

import asyncio
import base64
import hashlib
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic import Field
from starlette.responses import RedirectResponse, Response

from runcrate_emulator.bodies import Body, parse_body, read_object, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.files import LINK_LIFETIME_S
from runcrate_emulator.infrastructure import job_life
from runcrate_emulator.infrastructure.endpoints import Call, Endpoints
from runcrate_emulator.infrastructure.job_record import STATUSES, Job
from runcrate_emulator.infrastructure.job_spec import JobSpec, is_group, parse_group
from runcrate_emulator.infrastructure.job_views import (
    group_view,
    job_view,
    log_chunks,
    metric_points,
    present_artifacts,
)
from runcrate_emulator.infrastructure.records import JobGroup, Upload
from runcrate_emulator.infrastructure.wire import (
    CREATED,
    Page,
    Result,
    conflict,
    fields,
    not_found,
    parse_time,
)
from runcrate_emulator.world import World

_MAX_PAGE = 100
_DEFAULT_PAGE = 20
_MAX_KEY = 255  # characters; the emulator's own
_KEY_KEPT_FOR = timedelta(hours=24)  # official SDK 0.5.0
_FOLLOW_S = 25.0  # real seconds that a read with `follow` is held (official SDK 0.5.0)
_FOLLOW_STEP_S = 0.02  # real seconds between two checks of the log
_LOG_PAGE = (1, 1000)  # chunks; the emulator's own
_STEP_S = (60, 86_400)  # official SDK 0.5.0
_MAX_BYTES = 1_000_000_000  # 1 GB (official SDK 0.5.0)
_USABLE_FOR = timedelta(hours=24)  # official SDK 0.5.0

routes = Endpoints()
signed_routes = Endpoints()


class _NewUpload(Body):
    bytes: int = Field(ge=1, le=_MAX_BYTES)
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")


@routes.add("POST /jobs/uploads", CREATED)
async def _create_upload(call: Call) -> Result:
    """The same `sha256` gets the same upload."""
    world = call.world
    body = await call.read(_NewUpload)
    known = (
        upload
        for upload in reversed(world.uploads.values())
        if body.sha256 and upload.sha256 == body.sha256 and upload.expires_at > world.moment
    )
    upload = next(known, None)
    if upload is None:
        expires_at = world.moment + _USABLE_FOR
        upload = Upload(world.new_id("upload"), body.bytes, body.sha256, expires_at)
        world.uploads[upload.id] = upload
    is_new = upload.file_id is None
    path = world.signer.sign("PUT", f"/uploads/{upload.id}", LINK_LIFETIME_S)
    return {
        "upload_id": upload.id,
        "url": call.url(path) if is_new else None,
        "url_expires_at": world.moment + timedelta(seconds=LINK_LIFETIME_S) if is_new else None,
        "expires_at": upload.expires_at,
        "max_bytes": _MAX_BYTES,
    }


@signed_routes.add("PUT /uploads/{id}")
async def _put_upload(call: Call) -> Result:
    """Needs no key, but the signature of the link."""
    world = call.world
    world.signer.check("PUT", call.request.url.path, call.query)
    upload = world.uploads.get(call.id)
    if upload is None:
        raise not_found("upload", call.id)
    content = await call.request.body()
    digest = hashlib.sha256(content).hexdigest()
    if len(content) != upload.size or upload.sha256 not in (None, digest):
        problem = f"{len(content)} bytes with SHA-256 {digest} arrived, others were announced"
        raise ApiError(400, "validation_error", f"{problem}; nothing was kept.")
    kept = world.media.add("upload", f"{upload.id}.tar.gz", "application/gzip", content)
    upload.file_id, upload.sha256 = kept.id, digest
    return Response(status_code=200)


@routes.add("POST /jobs", CREATED)
async def _submit(call: Call) -> Result:
    """One job, or a group with `count` or `params`. Deduplicated for 24 hours."""
    world = call.world
    environment = call.environment
    body = await read_object(call.request)
    if is_group(body):
        group = parse_group(body)
        group_id = _once(call, lambda: job_life.submit_group(world, environment, *group))
        made = world.job_groups[group_id]
        jobs = [world.jobs[job_id] for job_id in made.job_ids if job_id in world.jobs]
        views = [job_view(world, job, with_secret=True) for job in jobs]
        secret = {n: v for view in views for n, v in view.items() if n == "webhook_secret"}
        return {**group_view(world, made), "jobs": views, **secret}
    spec = parse_body(JobSpec, body)
    job_id = _once(call, lambda: job_life.submit_job(world, environment, spec))
    return _submitted_job(world, job_id)


@routes.add("POST /jobs/{id}/rerun", CREATED)
async def _rerun(call: Call) -> Result:
    """The spec with changes, as a new job. Deduplicated for 24 hours."""
    world = call.world
    environment = call.environment
    job = call.find(world.jobs, "job")
    changes = await read_object(call.request) if await call.request.body() else {}
    if is_group(changes):
        refuse("count", "cannot be given to a rerun, which is one job", 422)
    body = {**job.spec.model_dump(exclude_unset=True), **changes}
    if isinstance(changes.get("env"), dict):
        body["env"] = {**job.spec.env, **changes["env"]}
    spec = parse_body(JobSpec, {name: value for name, value in body.items() if value is not None})
    job_id = _once(call, lambda: job_life.submit_job(world, environment, spec, rerun_of=job.id))
    return _submitted_job(world, job_id)


def _once(call: Call, create: Callable[[], Job | JobGroup]) -> str:
    """Create something once per API key, route, environment and `Idempotency-Key`."""
    world = call.world
    key = call.request.headers.get("idempotency-key")
    if key is None:
        return create().id
    if not 0 < len(key.strip()) <= _MAX_KEY:
        message = f"An Idempotency-Key has 1 to {_MAX_KEY} characters; nothing was done."
        raise ApiError(400, "validation_error", message)
    environment = call.query.get("environment", "")
    key = f"{call.api_key}\n{call.request.url.path}\n{environment}\n{key}"
    known_id, kept_until = world.idempotency.get(key, ("", world.moment))
    if world.moment < kept_until:
        return known_id
    created = create().id  # a refusal leaves the key free
    world.idempotency[key] = (created, world.moment + _KEY_KEPT_FOR)
    return created


def _submitted_job(world: World, job_id: str) -> dict[str, Any]:
    job = world.jobs.get(job_id)
    if job is None:
        message = f"Job `{job_id}`, which this Idempotency-Key created, was deleted."
        raise ApiError(404, "not_found", message)
    return job_view(world, job, with_secret=True)


@routes.add("GET /jobs")
async def _list_jobs(call: Call) -> Result:
    """Newest first, filtered and paged by cursor."""
    limit = call.integer("limit", _DEFAULT_PAGE, 1, _MAX_PAGE)
    is_wanted = _filter(call)
    try:
        sent = base64.b64decode(call.query.get("cursor", ""), altchars=b"-_", validate=True)
        cursor = sent.decode()
    except ValueError:
        refuse("cursor", "must be the `meta.cursor` of an earlier page")
    found = [
        job
        for job in sorted(call.in_scope(call.world.jobs), key=_position, reverse=True)
        if is_wanted(job)
    ]
    rest = [job for job in found if not cursor or _position(job) < cursor]
    page = rest[:limit]
    has_more = len(rest) > limit
    return Page(
        (job_view(call.world, job) for job in page),
        total=len(found),
        cursor=base64.urlsafe_b64encode(_position(page[-1]).encode()).decode()
        if has_more
        else None,
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
            and (not gpu_type or gpu_type in {str(gpu.gpu_type).casefold() for gpu in job.gpus})
            and any(words in text.casefold() for text in (job.id, job.name, job.spec.command))
            and job.created_at > created_after
        )

    return is_wanted


def _position(job: Job) -> str:
    return f"{job.created_at.isoformat(timespec='microseconds')} {job.id}"


routes.read("/jobs/{id}", lambda call: job_view(call.world, call.find(call.world.jobs, "job")))
routes.read("/jobs/{id}/events", lambda call: call.find(call.world.jobs, "job").events)
routes.read(
    "/job-groups/{id}",
    lambda call: group_view(call.world, call.find(call.world.job_groups, "job group")),
)
routes.read(  # made-up figures, as there is no GPU
    "/jobs/{id}/metrics",
    lambda call: metric_points(
        call.world,
        call.find(call.world.jobs, "job"),
        call.integer("step", _STEP_S[0], *_STEP_S),
    ),
)
routes.read(  # by path; kept 30 days after the end
    "/jobs/{id}/artifacts",
    lambda call: [
        fields(artifact, "path bytes sha256")
        for artifact in present_artifacts(call.find(call.world.jobs, "job"), call.world.moment)
    ],
)


@routes.add("DELETE /jobs/{id}")
async def _delete_job(call: Call) -> Result:
    """A job that ended, with its logs and outputs."""
    world = call.world
    job = call.find(world.jobs, "job")
    if job.is_live:
        raise conflict(
            f"Job `{job.id}` is {job.status}; nothing was deleted. Cancel it first.",
        )
    for artifact in job.artifacts.values():
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
        job_life.cancel(world, job)
    return job_view(world, job)


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


@routes.add("GET /jobs/{id}/logs")
async def _read_logs(call: Call) -> Result:
    """A page after a cursor; `follow` waits while there is nothing new."""
    world = call.world
    job = call.find(world.jobs, "job")
    after = call.integer("after", 0, 0)
    limit = call.integer("limit", _LOG_PAGE[1], *_LOG_PAGE)
    follow = call.choice("follow", ("true", "false", "1", "0")) in ("true", "1")
    until = time.monotonic() + (_FOLLOW_S if follow else 0)
    chunks = log_chunks(job, world.moment, after)
    while not chunks and job.is_live and time.monotonic() < until:
        await asyncio.sleep(_FOLLOW_STEP_S)
        world.settle()
        job = world.jobs.get(job.id, job)
        chunks = log_chunks(job, world.moment, after)
    page = chunks[:limit]
    return {
        "job_id": job.id,
        "status": job.status,
        "chunks": page,
        "cursor": page[-1]["seq"] if page else after,
        "truncated": False,
        "done": not job.is_live and len(page) == len(chunks),
    }


@routes.add("GET /jobs/{id}/artifacts/{path:path}")
async def _get_artifact(call: Call) -> Result:
    """Redirects to a signed link that is valid for an hour."""
    world = call.world
    job = call.find(world.jobs, "job")
    path: str = call.request.path_params["path"]
    for artifact in present_artifacts(job, world.moment):
        if artifact.path == path:
            return RedirectResponse(call.url(world.media.link(artifact.file_id)), 302)
    raise not_found(f"output of job `{job.id}`", path)
