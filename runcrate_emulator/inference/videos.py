"""POST /v1/videos, GET /v1/videos/{id}, GET /v1/videos/{id}/download.

As in seed 002: a job is submitted, polled, and its MP4 downloaded when it is completed. The names
`duration_seconds` and `image_url` of the service's OpenAPI page are understood as well.
"""

import io
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runcrate_emulator.bodies import Fields, read_object
from runcrate_emulator.errors import ApiError
from runcrate_emulator.inference.catalogued import required_model
from runcrate_emulator.inference.media_requests import (
    MAX_SIDE_PX,
    MIN_SIDE_PX,
    in_thread,
    seed_of,
)
from runcrate_emulator.inference.model_catalogue import Model
from runcrate_emulator.inference.source_images import load_source
from runcrate_emulator.inference.video_jobs import VideoJob

_SIZES = {"16:9": (1280, 720), "9:16": (720, 1280), "1:1": (720, 720)}
_CONTENT_TYPE = "video/mp4"
_DEFAULT_RATIO = "16:9"
_DEFAULT_SECONDS = 5
_ANY_SECONDS = range(1, 21)  # of models whose durations no document states


async def create(request: Request) -> Response:
    """POST /videos."""
    world = request.app.state.world
    body = await read_object(request)
    model = required_model(body, "video")
    fields = Fields(body)
    prompt = fields.required("prompt", fields.text("prompt"))
    seconds = _requested_seconds(fields, model)
    size = _requested_size(fields)
    seed = seed_of(request, fields)
    first_image = await _first_image(request, fields)
    world.require_credit()

    def make(failure: str | None) -> VideoJob:
        return VideoJob(
            id=world.new_id("video"),
            model=model.id,
            prompt=prompt,
            seed=seed,
            seconds=seconds,
            size=size,
            created_at=world.clock.now(),
            first_image=first_image,
            failure=failure,
        )

    job = world.videos.add(make)
    if job.failure is None:
        world.charge_inference(
            model=model.id,
            cost_usd=model.unit_usd * seconds,
            description=f"Video by {model.id}, {seconds} s",
        )
    return JSONResponse(job.to_wire(world.clock.now()))


async def retrieve(request: Request) -> Response:
    """GET /videos/{id}."""
    return JSONResponse(_job(request).to_wire(request.app.state.world.clock.now()))


async def download(request: Request) -> Response:
    """GET /videos/{id}/download."""
    world = request.app.state.world
    job = _job(request)
    status = job.status(world.clock.now())
    if status != "completed":
        raise ApiError(
            404,
            "not_found",
            f"There is no video yet: the job is {status}. Poll it and download it once completed."
            if job.failure is None or status != "failed"
            else f"There is no video: the job failed. {job.failure}",
        )
    video = await in_thread(request, world.videos.file, job)
    name = f"{job.id}.mp4"
    if world.videos.is_first_fetch(job):
        world.media.add("video", name, _CONTENT_TYPE, video)  # for the emulator's own page
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(video, media_type=_CONTENT_TYPE, headers=headers)


def _job(request: Request) -> VideoJob:
    job: VideoJob | None = request.app.state.world.videos.get(request.path_params["id"])
    if job is None:
        raise ApiError(404, "not_found", "There is no video job of this id.")
    return job


def _requested_seconds(fields: Fields, model: Model) -> int:
    choices = model.durations or tuple(_ANY_SECONDS)
    name = "duration" if fields.raw("duration") is not None else "duration_seconds"
    value = fields.number(name, 0, float(max(choices)) * 1000)
    if value is None:
        return _DEFAULT_SECONDS if _DEFAULT_SECONDS in choices else choices[0]
    if value not in choices:  # 6.0, as the official SDK sends it, is in (4, 6, 8)
        offered = ", ".join(map(str, choices))
        fields.bad_value(name, f"of {model.id} must be one of {offered} seconds")
    return int(value)


def _requested_size(fields: Fields) -> tuple[int, int]:
    """Read `width` and `height`, which win, and `aspect_ratio`."""
    width = fields.integer("width", MIN_SIDE_PX, MAX_SIDE_PX)
    height = fields.integer("height", MIN_SIDE_PX, MAX_SIDE_PX)
    across, down = _SIZES[fields.one_of("aspect_ratio", tuple(_SIZES)) or _DEFAULT_RATIO]
    return width or across, height or down


async def _first_image(request: Request, fields: Fields) -> bytes | None:
    for name in ("image", "start_image", "image_url"):
        value: Any = fields.raw(name)
        if value is not None:
            image = await load_source(request, fields, name, value)
            file = io.BytesIO()
            await in_thread(request, image.save, file, "PNG")
            return file.getvalue()
    return None


routes = [
    Route("/videos", create, methods=["POST"]),
    Route("/videos/{id}", retrieve, methods=["GET"]),
    Route("/videos/{id}/download", download, methods=["GET"]),
]
