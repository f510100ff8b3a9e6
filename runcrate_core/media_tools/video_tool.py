"""The video tool: generate a video, or fetch one that was submitted earlier."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, model_validator

from runcrate_core.api import videos
from runcrate_core.errors import WaitTimeoutError
from runcrate_core.media_tools.cost import cost_facts
from runcrate_core.media_tools.result import MediaFile, MediaResult
from runcrate_core.media_tools.tool import MAX_PROMPT_LENGTH, MediaArguments, MediaTool
from runcrate_core.protocol.media_types import type_of_suffix
from runcrate_core.protocol.polling import Progress, check_waiting
from runcrate_core.protocol.steps import RunInThread

if TYPE_CHECKING:
    from collections.abc import Callable

    from runcrate_core.api.videos import Video
    from runcrate_core.media_tools.generator import MediaGenerator
    from runcrate_core.protocol.steps import Flow


class VideoArguments(MediaArguments):
    """Arguments of the video tool: a prompt for a new video, or the id of an earlier one."""

    prompt: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_PROMPT_LENGTH,
        description="Description of the video; required for a new one.",
    )
    video_id: str | None = Field(
        default=None,
        max_length=200,
        description="A video submitted earlier, to check or to fetch.",
    )
    duration: int | None = Field(default=None, ge=1, le=60, description="Seconds.")
    aspect_ratio: Literal["16:9", "9:16"] | None = Field(default=None)
    image: str | None = Field(
        default=None,
        description="An image to animate: its https URL, a data URI, or the file name of an image "
        "generated before.",
    )

    @model_validator(mode="after")
    def _prompt_or_video_id(self) -> VideoArguments:
        if (self.prompt is None) == (self.video_id is None):
            raise ValueError(
                "Give either `prompt` for a new video or `video_id` for an earlier one"
            )
        return self


def generate_video(
    settings: MediaGenerator,
    args: VideoArguments,
    on_status: Callable[[Video], Any] | None = None,
    *,
    each_percent: bool = False,
) -> Flow[MediaResult]:
    """Generate a video, or check one that was submitted earlier.

    Args:
        settings: The directory, the model, and the time to wait.
        args: The validated arguments.
        on_status: Called with the job at first and at each change of its status.
        each_percent: Whether it is also called when more is done than before, where the API
            reports a percentage.

    Returns:
        The video; or its job, when it is not waited for or takes too long.

    Raises:
        ConfigurationError: The directory cannot be created.
        ValueError: The source is not usable; nothing was submitted.
        RuncrateError: A request or the job failed. Once there is a job, a note on the error
            names it, also when the flow is cancelled.
    """
    check_waiting(settings.timeout, settings.poll_interval)
    directory = settings.media_directory
    yield from directory.create()
    if args.video_id is not None:
        job = yield from videos.retrieve(args.video_id)
    else:
        source = yield from directory.resolve(args.image)
        job = yield from videos.create(
            args.prompt or "",
            model=settings.video_model,
            duration=args.duration,
            aspect_ratio=args.aspect_ratio,
            image=source,
        )
    # A job names its model where the API does; one submitted earlier may be of another model.
    model = str(job.to_dict().get("model") or settings.video_model)
    if not (settings.wait or job.is_completed or job.has_failed):
        return _pending(job, job.status, model, "It is being generated")
    try:
        progress: Progress[Video] = Progress(
            key=lambda job: job.status,
            on_change=on_status,
            detail=lambda job: job.fraction_done if each_percent else None,
        )
        return (yield from _completed(settings, job.id, model, args.duration, progress))
    except BaseException as error:
        if isinstance(error, WaitTimeoutError):
            status = (error.details or {}).get("last", job.status)
            return _pending(job, status, model, f"It is not done after {settings.timeout:.0f} s")
        error.add_note(f"The video_id is {job.id!r}.")
        raise


def _completed(
    settings: MediaGenerator,
    video_id: str,
    model: str,
    duration: int | None,
    progress: Progress[Video],
) -> Flow[MediaResult]:
    """Wait for the video and download it."""
    job = yield from videos.follow(
        video_id, progress, timeout=settings.timeout, poll_interval=settings.poll_interval
    )
    path = yield from videos.download(video_id, settings.media_directory.new_path("video"))
    size = yield from RunInThread(lambda: path.stat().st_size)
    file = MediaFile(path, type_of_suffix(path.suffix) or "video/mp4", size)
    facts = {"video_id": video_id, "duration_s": duration, **cost_facts([job.to_dict()])}
    return MediaResult.of_files("video", [file], model, facts)


def _pending(job: Video, status: str, model: str, reason: str) -> MediaResult:
    facts = {"video_id": job.id, "status": status, **cost_facts([job.to_dict()])}
    return MediaResult(
        f"Video job {job.id!r} was submitted and will be billed. {reason} (status `{status}`). "
        f"Call this tool later with video_id={job.id!r} to fetch it; do not submit it again.",
        {"files": [], "model": model, **facts},
    )


VIDEO_TOOL: Final = MediaTool(
    "runcrate_generate_video",
    "Generate a video of some seconds from a description, or animate an image; or fetch a video "
    "that was submitted earlier, by its video_id. It is saved as a file, whose name is returned. "
    "Takes minutes and costs far more money than an image.",
    VideoArguments,
    lambda settings, args, on_status: generate_video(settings, args, on_status, each_percent=True),
    "video",
    # Fetching a video that was paid for before is free.
    lambda _, args: None if args.video_id is None else Decimal(0),
)
