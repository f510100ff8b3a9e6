"""Videos: submit a job, wait for it, download its video.

Facts: seed 002 (flow, interval), seed 003 and the reference pages of the endpoints.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from pydantic import PrivateAttr

from runcrate_core.api.envelope import ApiModel, UtcDatetime, parse_model
from runcrate_core.api.known_values import VideoStatus
from runcrate_core.api.media_request import media_request
from runcrate_core.api.notebook import Bundle, file_bundle
from runcrate_core.api.resources import AsyncResource, SyncResource, async_endpoint, endpoint
from runcrate_core.errors import RuncrateError
from runcrate_core.io.files import require_target
from runcrate_core.protocol.downloads import download_flow
from runcrate_core.protocol.failure_reason import failure_code, failure_reason
from runcrate_core.protocol.identifiers import path_segment
from runcrate_core.protocol.json_body import without_none
from runcrate_core.protocol.media import MediaInput
from runcrate_core.protocol.polling import Progress, check_waiting, poll
from runcrate_core.protocol.reconcile import Creation, create_once
from runcrate_core.protocol.redaction import redact_json
from runcrate_core.protocol.request import ReadTimeout, Request, RetrySafety, Surface, json_request
from runcrate_core.protocol.steps import Call, Flow, RunInThread
from runcrate_core.protocol.timeouts import TimeoutLike
from runcrate_core.protocol.transfer import DEFAULT_LIMIT

# The guide speaks of 30 seconds to several minutes; queues may be long.
DEFAULT_WAIT_S: Final = 1800.0
POLL_INTERVAL_S: Final = 5.0  # seed 002
COMPLETED: Final = "completed"
# `failed` is documented (seed 002); the others are what similar services call a failure.
FAILED_STATUSES: Final = frozenset({"failed", "error", "cancelled", "canceled", "expired"})


class Video(ApiModel):
    """A video job. It plays in notebooks once the video is downloaded.

    Attributes:
        status: `queued`, `processing`, `completed` or `failed` (seed 002); open text.
        created_at: When it was submitted, if reported.
    """

    id: str
    status: VideoStatus = ""
    created_at: UtcDatetime | None = None

    _path: Path | None = PrivateAttr(default=None)

    @property
    def is_completed(self) -> bool:
        """True if the video can be downloaded."""
        return self.status.lower() == COMPLETED

    @property
    def has_failed(self) -> bool:
        """True if there will be no video."""
        return self.status.lower() in FAILED_STATUSES

    @property
    def fraction_done(self) -> float | None:
        """Progress from 0 to 1; `None` if the API does not report it.

        Runcrate documents no such member; OpenAI's API has it in percent, as `progress`.
        """
        if self.is_completed:
            return 1.0
        percent = self.to_dict().get("progress")
        if isinstance(percent, bool) or not isinstance(percent, int | float):
            return None
        return percent / 100 if 0 <= percent <= 100 else None  # noqa: PLR2004 - percent

    @property
    def failure_reason(self) -> str | None:
        """The API's reason for a failure; `None` if it gives none."""
        return failure_reason(self.to_dict())

    @property
    def path(self) -> Path | None:
        """Path of the video, if `generate` has downloaded it."""
        return self._path

    def downloaded_to(self, path: Path) -> Self:
        """Remember the path of the video; return the job itself."""
        self._path = path
        return self

    def _repr_mimebundle_(self, **_: Any) -> Bundle:
        if self._path is None:
            return {"text/plain": repr(self)}
        return file_bundle(self._path, repr(self))


def create(
    prompt: str,
    *,
    model: str,
    duration: float | None = None,
    aspect_ratio: str | None = None,
    width: int | None = None,
    height: int | None = None,
    seed: int | None = None,
    negative_prompt: str | None = None,
    image: MediaInput | None = None,
    start_image: MediaInput | None = None,
    extra_headers: Mapping[str, str] | None = None,
    timeout: float | TimeoutLike | None = None,
    **extra: Any,
) -> Flow[Video]:
    """Submit a video job. It costs money and is never submitted twice.

    Args:
        prompt: Description of the video.
        model: Identifier of a video model.
        duration: Seconds; what a model can do varies (`google/veo-3.0`: 4, 6 or 8).
        aspect_ratio: `16:9` or `9:16`; some models take others.
        width: Pixels.
        height: Pixels.
        seed: The same seed gives the same video, where the model can do that.
        negative_prompt: What to avoid.
        image: The image to animate: a `Path`, bytes, a binary file object, an https URL, a
            data URI or base64. Text is never read as a path.
        start_image: The first frame, in the same forms.
        extra_headers: Headers of this call.
        timeout: Seconds of silence while waiting for the response.
        extra: Any other field, passed on to the model's provider; a `Path`, bytes or file object
            in it is sent as an image.

    Returns:
        The job, usually `queued`; see `wait`.

    Raises:
        ValueError: An image is not usable; nothing was sent.
        OSError: A file cannot be read; nothing was sent.
        AmbiguousLaunchError: The response was lost; a job may have been submitted and charged.

    Example:
        ```python
        from pathlib import Path

        job = client.videos.create(
            "Animate this scene",
            model="google/veo-3.0",
            image=Path("first_frame.png"),
            seed=42,
            negative_prompt="blurry",
        )
        job = client.videos.wait(job.id, on_status=lambda job: print(job.status))
        client.videos.download(job.id, "scene.mp4")
        ```
    """
    request = yield from media_request(
        Surface.INFERENCE,
        "POST",
        "/videos",
        retry=RetrySafety.NEVER,
        read_timeout=ReadTimeout.MEDIA,
        body=without_none(
            model=model,
            prompt=prompt,
            duration=_seconds(duration),
            aspect_ratio=aspect_ratio,
            width=width,
            height=height,
            seed=seed,
            negative_prompt=negative_prompt,
            **extra,
        ),
        media={"image": image, "start_image": start_image},
        headers=extra_headers,
        timeout=timeout,
    )
    # The API lists no jobs, so one without a response cannot be found again.
    creation: Creation[Video] = Creation(label="video", look_up="billing.list_transactions()")
    return (yield from create_once(Call(request, parse_model(Video, request)), creation))


def _seconds(duration: float | None) -> float | None:
    """Write whole seconds as whole numbers: seed 002 documents an integer."""
    if isinstance(duration, float) and duration.is_integer():
        return int(duration)
    return duration


def retrieve(video_id: str) -> Call[Video]:
    """Return a video job.

    Args:
        video_id: Identifier.

    Raises:
        ValueError: `video_id` is not an identifier; nothing was sent.
        NotFoundError: There is no such job.
    """
    request = _request(video_id)
    return Call(request, parse_model(Video, request))


def _request(
    video_id: str, rest: str = "", read_timeout: ReadTimeout = ReadTimeout.ORDINARY
) -> Request:
    return json_request(
        Surface.INFERENCE,
        "GET",
        f"/videos/{path_segment(video_id, 'video_id')}{rest}",
        route=f"/videos/{{id}}{rest}",
        retry=RetrySafety.SAFE,
        read_timeout=read_timeout,
    )


def wait(
    video_id: str,
    *,
    timeout: float | None = DEFAULT_WAIT_S,
    poll_interval: float = POLL_INTERVAL_S,
    on_status: Callable[[Video], Any] | None = None,
) -> Flow[Video]:
    """Wait until a video job is completed.

    Args:
        video_id: Identifier of the job.
        timeout: Most seconds to wait; `None` for as long as it takes.
        poll_interval: Seconds between two checks.
        on_status: Called with the job at first and at each change of its status.

    Returns:
        The completed job.

    Raises:
        RuncrateError: The job failed; the message has the API's reason.
        WaitTimeoutError: It is not done yet; it continues and can be waited for again.
        NotFoundError: There is no such job.
    """
    progress: Progress[Video] = Progress(key=lambda job: job.status, on_change=on_status)
    return (yield from follow(video_id, progress, timeout=timeout, poll_interval=poll_interval))


def follow(
    video_id: str, progress: Progress[Video], *, timeout: float | None, poll_interval: float
) -> Flow[Video]:
    """Wait until a video job is completed, reporting changes; see `wait`."""
    video = yield from poll(
        lambda: retrieve(video_id),
        is_done=lambda job: job.is_completed or job.has_failed,
        progress=progress,
        timeout=timeout,
        interval=poll_interval,
        label=f"The video job `{video_id}` is not completed",
        next_step="It continues: wait for it again with `videos.wait`.",
    )
    if not video.is_completed:
        raise RuncrateError(
            f"The video job `{video_id}` ended with status `{video.status}`: "
            f"{video.failure_reason or 'the API gives no reason'}. There is no video; change the "
            "request before submitting it again.",
            code=failure_code(video.to_dict()),
            details=redact_json(video.to_dict().get("error")),
            request_id=video.response.request_id if video.response else None,
        )
    return video


def download(
    video_id: str,
    path: str | os.PathLike[str],
    *,
    limit: int = DEFAULT_LIMIT,
    on_progress: Callable[[int, int | None], Any] | None = None,
) -> Flow[Path]:
    """Download the video of a completed job.

    An existing file stays untouched until the download is complete.

    Args:
        video_id: Identifier of the job.
        path: Where to put it; without a suffix it gets the one of what comes (`.mp4`).
        limit: Most bytes to take.
        on_progress: Called with the bytes done and their total (`None` while it is unknown).

    Returns:
        Where it is.

    Raises:
        NotFoundError: There is no such job, or it is not completed.
        OSError: The file cannot be written.
        ResponseFormatError: The content is not a video, or is larger than `limit`.

    Example:
        ```python
        from runcrate_core import progress_bar

        with progress_bar("video") as bar:
            client.videos.download(job.id, "video.mp4", on_progress=bar)
        ```
    """
    request = _request(video_id, "/download", ReadTimeout.TRANSFER)
    return download_flow(request, Path(path), limit=limit, on_progress=on_progress, media="video")


def generate(
    prompt: str,
    *,
    model: str,
    path: str | os.PathLike[str] | None = None,
    on_status: Callable[[Video], Any] | None = None,
    on_progress: Callable[[int, int | None], Any] | None = None,
    timeout: float | None = DEFAULT_WAIT_S,
    poll_interval: float = POLL_INTERVAL_S,
    duration: float | None = None,
    aspect_ratio: str | None = None,
    width: int | None = None,
    height: int | None = None,
    seed: int | None = None,
    negative_prompt: str | None = None,
    image: MediaInput | None = None,
    start_image: MediaInput | None = None,
    **extra: Any,
) -> Flow[Video]:
    """Generate a video: submit the job, wait for it, and download it.

    Args:
        prompt: Description of the video.
        model: Identifier of a video model.
        path: Target path; without it the video is not downloaded.
        on_status: Called with the job at first and at each change of its status.
        on_progress: Called with the bytes downloaded and their total.
        timeout: Maximum seconds to wait for the video; `None` for as long as it takes.
        poll_interval: Seconds between two checks.
        duration: Seconds; see `create`, also for the following.
        aspect_ratio: `16:9` or `9:16`; some models take others.
        width: Pixels.
        height: Pixels.
        seed: The same seed gives the same video, where the model can do that.
        negative_prompt: What to avoid.
        image: The image to animate.
        start_image: The first frame.
        extra: Any other field, passed on to the model's provider.

    Returns:
        The completed job; its `path` is that of the video.

    Raises:
        RuncrateError: As `create`, `wait` and `download`; once there is a job, a note on the
            error names it, so that the video is not lost.

    Example:
        ```python
        job = client.videos.generate(
            "A drone flying over mountains",
            model="google/veo-3.0",
            duration=8,
            path="output.mp4",
            on_status=lambda job: print("Status:", job.status),
        )
        print(job.path)
        ```
    """
    # Before anything is paid for.
    check_waiting(timeout, poll_interval)
    target = None if path is None else Path(path)
    if target is not None:
        yield from RunInThread(functools.partial(require_target, target))
    video = yield from create(
        prompt,
        model=model,
        duration=duration,
        aspect_ratio=aspect_ratio,
        width=width,
        height=height,
        seed=seed,
        negative_prompt=negative_prompt,
        image=image,
        start_image=start_image,
        **extra,
    )
    try:
        video = yield from wait(
            video.id, timeout=timeout, poll_interval=poll_interval, on_status=on_status
        )
        if target is not None:
            video.downloaded_to((yield from download(video.id, target, on_progress=on_progress)))
    except BaseException as error:
        error.add_note(
            f"The video job is `{video.id}`, and it is billed unless it failed: continue with "
            "`videos.wait` and `videos.download`."
        )
        raise
    return video


class Videos(SyncResource):
    """`client.videos`."""

    create = endpoint(create)
    retrieve = endpoint(retrieve)
    wait = endpoint(wait)
    download = endpoint(download)
    generate = endpoint(generate)


class AsyncVideos(AsyncResource):
    """`client.videos` of the asynchronous client."""

    create = async_endpoint(create)
    retrieve = async_endpoint(retrieve)
    wait = async_endpoint(wait)
    download = async_endpoint(download)
    generate = async_endpoint(generate)
