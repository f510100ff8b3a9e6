"""Files of jobs: log, GPU metrics, artifacts, and uploads of code."""

import asyncio
import hashlib
import time
from dataclasses import replace
from datetime import timedelta

from pydantic import Field
from starlette.responses import RedirectResponse, Response

from runcrate_emulator.bodies import Body
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure.endpoints import Call, Endpoints
from runcrate_emulator.infrastructure.job_views import (
    log_chunks,
    metric_points,
    present_artifacts,
)
from runcrate_emulator.infrastructure.records import Upload
from runcrate_emulator.infrastructure.wire import CREATED, Result, not_found

_FOLLOW_S = 25.0  # real seconds that a read with `follow` is held (official SDK 0.5.0)
_FOLLOW_STEP_S = 0.02  # real seconds between two looks at the log
_LOG_PAGE = (1, 1000)  # chunks; the emulator's own
_STEP_S = (60, 86_400)  # official SDK 0.5.0
_MAX_BYTES = 1_000_000_000  # 1 GB (official SDK 0.5.0)
_USABLE_FOR = timedelta(hours=24)  # official SDK 0.5.0
_LINK_LIFETIME = timedelta(hours=1)  # the emulator's own
_LAST_CURSOR = 10**9  # only bounds the parameter


routes = Endpoints()
signed_routes = Endpoints()


@routes.add("GET /jobs/{id}/logs")
async def _read_logs(call: Call) -> Result:
    """A page after a cursor; `follow` waits while there is nothing new."""
    world = call.world
    job = call.find(world.jobs, "job")
    after = call.integer("after", 0, 0, _LAST_CURSOR)
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


@routes.add("GET /jobs/{id}/metrics")
async def _read_metrics(call: Call) -> Result:
    """GPU use per step; made-up figures, as there is no GPU."""
    step_s = call.integer("step", _STEP_S[0], *_STEP_S)
    return metric_points(call.world, call.find(call.world.jobs, "job"), step_s)


@routes.add("GET /jobs/{id}/artifacts")
async def _list_artifacts(call: Call) -> Result:
    """By path; kept 30 days after the end."""
    return [
        {"path": artifact.path, "bytes": artifact.size, "sha256": artifact.sha256}
        for artifact in present_artifacts(call.find(call.world.jobs, "job"), call.now)
    ]


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


class _NewUpload(Body):
    bytes: int = Field(ge=1, le=_MAX_BYTES)
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")


@routes.add("POST /jobs/uploads", CREATED)
async def _create_upload(call: Call) -> Result:
    """The same `sha256` answers the same upload."""
    world = call.world
    body = await call.read(_NewUpload)
    known = [
        upload
        for upload in world.uploads.values()
        if body.sha256 and upload.sha256 == body.sha256 and upload.expires_at > world.moment
    ]
    if known:
        upload = known[-1]
    else:
        expires_at = world.moment + _USABLE_FOR
        upload = Upload(world.new_id("upload"), body.bytes, body.sha256, world.moment, expires_at)
        world.uploads[upload.id] = upload
    is_new = upload.file_id is None
    path = world.signer.sign("PUT", f"/uploads/{upload.id}", _LINK_LIFETIME.total_seconds())
    return {
        "upload_id": upload.id,
        "url": call.url(path) if is_new else None,
        "url_expires_at": world.moment + _LINK_LIFETIME if is_new else None,
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
    problem = None
    if len(content) != upload.size:
        problem = f"{len(content)} bytes arrived, {upload.size} were announced"
    elif upload.sha256 not in (None, digest):
        problem = "The content has another SHA-256"
    if problem is not None:
        raise ApiError(400, "validation_error", f"{problem}; nothing was kept.")
    kept = world.media.add("upload", f"{upload.id}.tar.gz", "application/gzip", content)
    world.uploads[upload.id] = replace(upload, file_id=kept.id, sha256=digest)
    return Response(status_code=200)
