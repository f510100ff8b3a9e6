"""Files of jobs: log, GPU metrics, artifacts, and uploads of code."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from runcrate_emulator.bodies import Body, read_body
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure.job_record import Job
from runcrate_emulator.infrastructure.job_views import (
    LogChunk,
    log_chunks,
    metric_points,
    present_artifacts,
)
from runcrate_emulator.infrastructure.records import Upload
from runcrate_emulator.infrastructure.wire import (
    CREATED,
    find,
    iso,
    many,
    not_found,
    one,
    query_choice,
    query_integer,
    world_of,
)

if TYPE_CHECKING:
    from runcrate_emulator.world import World

_FOLLOW_S = 25.0  # real seconds that a read with `follow` is held (official SDK 0.5.0)
_FOLLOW_STEP_S = 0.02  # real seconds between two looks at the log
_LOG_PAGE = (1, 1000)  # chunks; the emulator's own
_STEP_S = (60, 86_400)  # official SDK 0.5.0
_MAX_BYTES = 1_000_000_000  # 1 GB (official SDK 0.5.0)
_USABLE_FOR = timedelta(hours=24)  # official SDK 0.5.0
_LINK_LIFETIME = timedelta(hours=1)  # the emulator's own
_LAST_CURSOR = 10**9  # only bounds the parameter


async def read_logs(request: Request) -> Response:
    """GET /jobs/{id}/logs: a page after a cursor; `follow` waits while there is nothing new."""
    world = world_of(request)
    job = find(request, world.jobs, "job")
    after = query_integer(request, "after", 0, 0, _LAST_CURSOR)
    limit = query_integer(request, "limit", _LOG_PAGE[1], *_LOG_PAGE)
    follow = query_choice(request, "follow", ("true", "false", "1", "0")) in ("true", "1")
    chunks = _unread(world, job, after)
    if follow and not chunks and job.is_live:
        job, chunks = await _wait_for_output(world, job, after)
    page = chunks[:limit]
    return one(
        {
            "job_id": job.id,
            "status": job.status,
            "chunks": [{"seq": c.seq, "ts": iso(c.at), "text": c.text} for c in page],
            "cursor": page[-1].seq if page else after,
            "truncated": False,
            "done": not job.is_live and len(page) == len(chunks),
        }
    )


async def _wait_for_output(world: "World", job: Job, after: int) -> tuple[Job, list[LogChunk]]:
    loop = asyncio.get_running_loop()
    until = loop.time() + _FOLLOW_S
    chunks: list[LogChunk] = []
    while not chunks and job.is_live and loop.time() < until:
        await asyncio.sleep(_FOLLOW_STEP_S)
        world.settle()
        job = world.jobs.get(job.id, job)
        chunks = _unread(world, job, after)
    return job, chunks


def _unread(world: "World", job: Job, after: int) -> list[LogChunk]:
    return [chunk for chunk in log_chunks(job, world.moment) if chunk.seq > after]


async def read_metrics(request: Request) -> Response:
    """GET /jobs/{id}/metrics: GPU use per step; made-up figures, as there is no GPU."""
    world = world_of(request)
    step_s = query_integer(request, "step", _STEP_S[0], *_STEP_S)
    return many(metric_points(world, find(request, world.jobs, "job"), step_s))


async def list_artifacts(request: Request) -> Response:
    """GET /jobs/{id}/artifacts, by path; kept 30 days after the end."""
    world = world_of(request)
    return many(
        {"path": artifact.path, "bytes": artifact.size, "sha256": artifact.sha256}
        for artifact in present_artifacts(find(request, world.jobs, "job"), world.moment)
    )


async def get_artifact(request: Request) -> Response:
    """GET /jobs/{id}/artifacts/{path}: redirects to a signed link that is valid for an hour."""
    world = world_of(request)
    job = find(request, world.jobs, "job")
    path: str = request.path_params["path"]
    for artifact in present_artifacts(job, world.moment):
        if artifact.path == path:
            return RedirectResponse(absolute(request, world.media.link(artifact.file_id)), 302)
    raise not_found(f"output of job `{job.id}`", path)


def absolute(request: Request, path: str) -> str:
    """A path of this server as a URL, under the host name that the client used."""
    return f"{request.url.scheme}://{request.url.netloc}{path}"


class _NewUpload(Body):
    bytes: int = Field(ge=1, le=_MAX_BYTES)
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")


async def create_upload(request: Request) -> Response:
    """POST /jobs/uploads; the same `sha256` answers the same upload."""
    world = world_of(request)
    body = await read_body(request, _NewUpload)
    size, sha256 = body.bytes, body.sha256
    known = [
        upload
        for upload in world.uploads.values()
        if sha256 is not None and upload.sha256 == sha256 and upload.expires_at > world.moment
    ]
    upload = known[-1] if known else _new_upload(world, size, sha256)
    is_new = upload.file_id is None
    path = world.signer.sign("PUT", f"/uploads/{upload.id}", _LINK_LIFETIME.total_seconds())
    return one(
        {
            "upload_id": upload.id,
            "url": absolute(request, path) if is_new else None,
            "url_expires_at": iso(world.moment + _LINK_LIFETIME) if is_new else None,
            "expires_at": iso(upload.expires_at),
            "max_bytes": _MAX_BYTES,
        },
        CREATED,
    )


def _new_upload(world: "World", size: int, sha256: str | None) -> Upload:
    upload = Upload(
        id=world.new_id("upload"),
        size=size,
        sha256=sha256,
        created_at=world.moment,
        expires_at=world.moment + _USABLE_FOR,
    )
    world.uploads[upload.id] = upload
    return upload


async def put_upload(request: Request) -> Response:
    """PUT /uploads/{id}: needs no key, but the signature of the link."""
    world = world_of(request)
    query = request.query_params
    world.signer.check(
        "PUT", request.url.path, query.get("expires", ""), query.get("signature", "")
    )
    identifier: str = request.path_params["id"]
    upload = world.uploads.get(identifier)
    if upload is None:
        raise not_found("upload", identifier)
    content = await request.body()
    if len(content) != upload.size:
        raise ApiError(
            400,
            "validation_error",
            f"{len(content)} bytes arrived, {upload.size} were announced; nothing was kept.",
        )
    digest = hashlib.sha256(content).hexdigest()
    if upload.sha256 not in (None, digest):
        raise ApiError(
            400, "validation_error", "The content has another SHA-256; nothing was kept."
        )
    kept = world.media.add("upload", f"{upload.id}.tar.gz", "application/gzip", content)
    world.uploads[upload.id] = replace(upload, file_id=kept.id, sha256=digest)
    return Response(status_code=200)


signed_routes = [Route("/uploads/{id}", put_upload, methods=["PUT"])]


routes = [
    Route("/jobs/uploads", create_upload, methods=["POST"]),
    Route("/jobs/{id}/logs", read_logs, methods=["GET"]),
    Route("/jobs/{id}/metrics", read_metrics, methods=["GET"]),
    Route("/jobs/{id}/artifacts", list_artifacts, methods=["GET"]),
    Route("/jobs/{id}/artifacts/{path:path}", get_artifact, methods=["GET"]),
]
