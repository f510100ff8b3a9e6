"""Video jobs: what was asked for, and what has become of it by a moment of the emulated clock."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from runcrate_emulator.media.image_files import open_image
from runcrate_emulator.media.images import ImageSpec
from runcrate_emulator.media.videos import render_video, video_size

__all__ = ["VideoJob", "VideoJobs", "VideoStatus"]

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

    def render(self) -> bytes:
        """Make the MP4 file."""
        spec = ImageSpec(self.prompt, self.model, self.seed, *video_size(*self.size))
        first = None if self.first_image is None else open_image(self.first_image)
        return render_video(spec, self.seconds, first)


class VideoJobs:
    """All video jobs of a workspace, and their videos once somebody asked for them."""

    def __init__(self) -> None:
        self._jobs: dict[str, VideoJob] = {}
        self._files: dict[str, bytes] = {}
        self._fetched: set[str] = set()
        self._rendering = threading.Lock()
        self._next_failure: str | None = None

    def add(self, make: Callable[[str | None], VideoJob]) -> VideoJob:
        """Add the job that `make` returns; its argument is the reason to fail, if any."""
        job = make(self._next_failure)
        self._next_failure = None
        self._jobs[job.id] = job
        return job

    def get(self, job_id: str) -> VideoJob | None:
        """The job of this id, or None."""
        return self._jobs.get(job_id)

    def fail_next(self, reason: str = "The video could not be generated.") -> None:
        """Let the next submitted job fail at its end; it is not charged."""
        self._next_failure = reason

    def file(self, job: VideoJob) -> bytes:
        """Give the video of a job, rendering it the first time; blocks, call it in a thread."""
        with self._rendering:  # one at a time: rendering uses a whole core
            if job.id not in self._files:
                self._files[job.id] = job.render()
            return self._files[job.id]

    def is_first_fetch(self, job: VideoJob) -> bool:
        """True if the video of this job is fetched for the first time; asking counts as that."""
        is_first = job.id not in self._fetched
        self._fetched.add(job.id)
        return is_first
