"""Video jobs: what was asked for, and what has become of it by a moment of the emulated clock."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from runcrate_emulator.media.images import ImageSpec, open_image
from runcrate_emulator.media.videos import render_video, video_size

VideoStatus = Literal["queued", "processing", "completed", "failed"]

# The service's guide speaks of 30 seconds to several minutes; a clip of 4 s takes 31 s here.
_QUEUED_S = 5.0
_STARTING_S = 10.0
_SECONDS_PER_VIDEO_SECOND = 4.0


@dataclass(frozen=True)
class VideoJob:
    """One job; its status is not stored but follows from the time."""

    id: str
    model: str
    prompt: str
    seed: int
    seconds: int
    """Length of the video."""
    size: tuple[int, int]
    """Asked width and height in pixels; the video has their proportions, see `video_size`."""
    created_at: datetime
    first_image: bytes | None = field(default=None, repr=False)
    """Image to animate, as a file."""
    failure: str | None = None
    """Why the job is going to fail; None if it is not."""

    @property
    def starts_at(self) -> datetime:
        """When it leaves the queue."""
        return self.created_at + timedelta(seconds=_QUEUED_S)

    @property
    def ends_at(self) -> datetime:
        """When it is completed or has failed."""
        working_s = _STARTING_S + _SECONDS_PER_VIDEO_SECOND * self.seconds
        return self.starts_at + timedelta(seconds=working_s)

    def status(self, now: datetime) -> VideoStatus:
        """Return the status at a moment."""
        if now < self.starts_at:
            return "queued"
        if now < self.ends_at:
            return "processing"
        return "completed" if self.failure is None else "failed"

    def progress(self, now: datetime) -> int:
        """Return how much of the work is done at a moment, in percent."""
        done = (now - self.starts_at) / (self.ends_at - self.starts_at)
        return round(100 * min(max(done, 0.0), 1.0))

    def to_wire(self, now: datetime) -> dict[str, Any]:
        """Return the job as the API shows it.

        `id` and `status` are documented (seed 002); the rest is the emulator's addition.
        """
        status = self.status(now)
        shown: dict[str, Any] = {
            "id": self.id,
            "object": "video",
            "model": self.model,
            "status": status,
            "progress": self.progress(now),
            "created_at": int(self.created_at.timestamp()),
            "duration": self.seconds,
        }
        if status in ("completed", "failed"):
            shown["completed_at"] = int(self.ends_at.timestamp())
        if status == "failed":
            shown["error"] = {"code": "generation_failed", "message": self.failure}
        return shown


@lru_cache(maxsize=16)
def rendered(job: VideoJob) -> bytes:
    """The MP4 file of a job; it takes a while, so call it in a thread."""
    spec = ImageSpec(job.prompt, job.model, job.seed, *video_size(*job.size))
    first = None if job.first_image is None else open_image(job.first_image)
    return render_video(spec, job.seconds, first)
