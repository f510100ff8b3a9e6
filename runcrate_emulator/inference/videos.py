"""POST /v1/videos, GET /v1/videos/{id}, GET /v1/videos/{id}/download.

As in seed 002: a job is submitted, polled, and its MP4 downloaded when it is completed. The names
`duration_seconds` and `image_url` of the service's OpenAPI page are understood as well.
"""

import io
from typing import Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runcrate_emulator.bodies import OUT_OF_RANGE, parse_body, read_object, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.inference.model_catalogue import Model
from runcrate_emulator.inference.requests import DrawingBody, in_thread, required_model, seed_of
from runcrate_emulator.inference.source_images import load_source
from runcrate_emulator.inference.video_jobs import VideoJob, rendered

_SIZES = {"16:9": (1280, 720), "9:16": (720, 1280), "1:1": (720, 720)}
_CONTENT_TYPE = "video/mp4"
_DEFAULT_SECONDS = 5
_ANY_SECONDS = range(1, 21)  # of models whose durations no document states


class VideoBody(DrawingBody):
    """Fields of a request for a video."""

    duration: float | None = None
    duration_seconds: float | None = None
    aspect_ratio: Literal["16:9", "9:16", "1:1"] = "16:9"
    image: str | None = None
    start_image: str | None = None
    image_url: str | None = None


async def create(request: Request) -> Response:
    """POST /videos."""
    world = request.app.state.world
    values = await read_object(request)
    model = required_model(values, "video")
    body = parse_body(VideoBody, values)
    seconds = _requested_seconds(body, model)
    across, down = _SIZES[body.aspect_ratio]
    seed = seed_of(request, body)
    first_image = await _first_image(request, body)
    world.require_credit()
    job = VideoJob(
        id=world.new_id("video"),
        model=model.id,
        prompt=body.prompt,
        seed=seed,
        seconds=seconds,
        size=(body.width or across, body.height or down),
        created_at=world.clock.now(),
        first_image=first_image,
        failure=world.next_video_failure,
    )
    world.videos[job.id] = job
    world.next_video_failure = None
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
    video = await in_thread(request, rendered, job)
    name = f"{job.id}.mp4"
    if not world.media.has(name):  # it is for the emulator's own page
        world.media.add("video", name, _CONTENT_TYPE, video)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(video, media_type=_CONTENT_TYPE, headers=headers)


def _job(request: Request) -> VideoJob:
    job: VideoJob | None = request.app.state.world.videos.get(request.path_params["id"])
    if job is None:
        raise ApiError(404, "not_found", "There is no video job of this id.")
    return job


def _requested_seconds(body: VideoBody, model: Model) -> int:
    choices = model.durations or tuple(_ANY_SECONDS)
    name = "duration_seconds" if body.duration is None else "duration"
    value = body.duration_seconds if body.duration is None else body.duration
    if value is None:
        return _DEFAULT_SECONDS if _DEFAULT_SECONDS in choices else choices[0]
    if value not in choices:  # 6.0, as the official SDK sends it, is in (4, 6, 8)
        offered = ", ".join(map(str, choices))
        refuse(name, f"of {model.id} must be one of {offered} seconds", OUT_OF_RANGE)
    return int(value)


async def _first_image(request: Request, body: VideoBody) -> bytes | None:
    for name in ("image", "start_image", "image_url"):
        value = getattr(body, name)
        if value is not None:
            image = await load_source(request, name, value)
            file = io.BytesIO()
            await in_thread(request, image.save, file, "PNG")
            return file.getvalue()
    return None


routes = [
    Route("/videos", create, methods=["POST"]),
    Route("/videos/{id}", retrieve, methods=["GET"]),
    Route("/videos/{id}/download", download, methods=["GET"]),
]
