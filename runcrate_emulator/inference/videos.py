"""POST /v1/videos, GET /v1/videos/{id}, GET /v1/videos/{id}/download.

As in seed 002: a job is submitted, polled, and its MP4 downloaded when it is completed. The names
`duration_seconds` and `image_url` of the service's OpenAPI page are understood as well.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runcrate_emulator.bodies import OUT_OF_RANGE, parse_body, read_object, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.inference.model_catalogue import Model
from runcrate_emulator.inference.requests import (
    DrawingBody,
    in_thread,
    require_credit,
    required_model,
    seed_of,
)
from runcrate_emulator.inference.source_images import load_sources
from runcrate_emulator.media.images import ImageSpec
from runcrate_emulator.media.videos import render_video, video_size

# The service's guide speaks of 30 seconds to several minutes; a clip of 4 s takes 31 s here.
_QUEUED_S = 5.0
_STARTING_S = 10.0
_SECONDS_PER_VIDEO_SECOND = 4.0


@dataclass(frozen=True)
class VideoJob:
    """One job; its status is not stored but follows from the time."""

    id: str
    spec: ImageSpec
    seconds: int
    """Length of the video."""
    created_at: datetime
    first_image: Image.Image | None = field(default=None, repr=False)
    """Image to animate."""
    failure: str | None = None
    """Reason of the job's later failure; None if it will succeed."""

    @property
    def starts_at(self) -> datetime:
        """Time at which it leaves the queue."""
        return self.created_at + timedelta(seconds=_QUEUED_S)

    @property
    def ends_at(self) -> datetime:
        """Time at which it completes or fails."""
        working_s = _STARTING_S + _SECONDS_PER_VIDEO_SECOND * self.seconds
        return self.starts_at + timedelta(seconds=working_s)

    def status(self, now: datetime) -> str:
        """Return the status at a moment: `queued`, `processing`, `completed` or `failed`."""
        if now < self.starts_at:
            return "queued"
        if now < self.ends_at:
            return "processing"
        return "completed" if self.failure is None else "failed"

    def to_wire(self, now: datetime) -> dict[str, Any]:
        """Return the job as the API shows it.

        `id` and `status` are documented (seed 002); the rest is the emulator's addition.
        """
        status = self.status(now)
        done = (now - self.starts_at) / (self.ends_at - self.starts_at)
        shown: dict[str, Any] = {
            "id": self.id,
            "object": "video",
            "model": self.spec.model,
            "status": status,
            "progress": round(100 * min(max(done, 0.0), 1.0)),  # percent
            "created_at": int(self.created_at.timestamp()),
            "duration": self.seconds,
        }
        if status in ("completed", "failed"):
            shown["completed_at"] = int(self.ends_at.timestamp())
        if status == "failed":
            shown["error"] = {"code": "generation_failed", "message": self.failure}
        return shown


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
    size = video_size(body.width or across, body.height or down)
    spec = ImageSpec(body.prompt, model.id, seed_of(request, body), *size)
    sources = await load_sources(request, body, ("image", "start_image", "image_url"))
    require_credit(world)
    job = VideoJob(
        id=world.new_id("video"),
        spec=spec,
        seconds=seconds,
        created_at=world.clock.now(),
        first_image=next(iter(sources), None),
        failure=world.next_video_failure,
    )
    world.videos[job.id] = job
    world.next_video_failure = None
    if job.failure is None:
        world.charge_inference(
            model.id, model.unit_usd * seconds, f"Video by {model.id}, {seconds} s"
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
    name = f"{job.id}.mp4"
    stored = world.media.find(name)
    if stored is None:  # the first download, or newer files took its place
        video = await in_thread(request, render_video, job.spec, job.seconds, job.first_image)
        stored = world.media.find(name) or world.media.add("video", name, _CONTENT_TYPE, video)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(stored.data, media_type=_CONTENT_TYPE, headers=headers)


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


routes = [
    Route("/videos", create, methods=["POST"]),
    Route("/videos/{id}", retrieve, methods=["GET"]),
    Route("/videos/{id}/download", download, methods=["GET"]),
]
