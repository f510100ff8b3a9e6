"""Output of a job: log, GPU metrics and files."""

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from runcrate_emulator.infrastructure.job_record import Job
from runcrate_emulator.infrastructure.job_views import (
    LogChunk,
    log_chunks,
    metric_points,
    present_artifacts,
)
from runcrate_emulator.infrastructure.jobs import find_job
from runcrate_emulator.infrastructure.wire import (
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
_LAST_CURSOR = 10**9  # only bounds the parameter


async def read_logs(request: Request) -> Response:
    """GET /jobs/{id}/logs: a page after a cursor; `follow` waits while there is nothing new."""
    world = world_of(request)
    job = find_job(request)
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
    step_s = query_integer(request, "step", _STEP_S[0], *_STEP_S)
    return many(metric_points(world_of(request), find_job(request), step_s))


async def list_artifacts(request: Request) -> Response:
    """GET /jobs/{id}/artifacts, by path; kept 30 days after the end."""
    world = world_of(request)
    return many(
        {"path": artifact.path, "bytes": artifact.size, "sha256": artifact.sha256}
        for artifact in present_artifacts(find_job(request), world.moment)
    )


async def get_artifact(request: Request) -> Response:
    """GET /jobs/{id}/artifacts/{path}: redirects to a signed link that is valid for an hour."""
    world = world_of(request)
    job = find_job(request)
    path: str = request.path_params["path"]
    for artifact in present_artifacts(job, world.moment):
        if artifact.path == path:
            return RedirectResponse(absolute(request, world.media.link(artifact.file_id)), 302)
    raise not_found(f"output of job `{job.id}`", path)


def absolute(request: Request, path: str) -> str:
    """A path of this server as a URL, under the host name that the client used."""
    return f"{request.url.scheme}://{request.url.netloc}{path}"


routes = [
    Route("/jobs/{id}/logs", read_logs, methods=["GET"]),
    Route("/jobs/{id}/metrics", read_metrics, methods=["GET"]),
    Route("/jobs/{id}/artifacts", list_artifacts, methods=["GET"]),
    Route("/jobs/{id}/artifacts/{path:path}", get_artifact, methods=["GET"]),
]
