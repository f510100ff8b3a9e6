"""Pictures, speech and films as tools for agents: written once, for both frameworks.

The program chooses the folder and the model; a language model only says what is to be made. File
names are made here, never by a model. What comes back is short text and a record of plain values;
bytes stay in the files.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from runcrate_core.api import audio, images, videos
from runcrate_core.errors import APITimeoutError, ConfigurationError
from runcrate_core.io.files import path_inside, write_whole
from runcrate_core.media_costs import cost_facts
from runcrate_core.protocol.media import is_url
from runcrate_core.protocol.media_types import media_type, suffix_of, type_of_suffix
from runcrate_core.protocol.polling import Progress
from runcrate_core.protocol.redaction import redact
from runcrate_core.protocol.steps import RunInThread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runcrate_core.api.video_types import Video
    from runcrate_core.media_arguments import ImageArguments, SpeechArguments, VideoArguments
    from runcrate_core.protocol.steps import Flow

# What the documentation speaks of; pcm has no header that would tell its rate.
SpeechFormat = Literal["mp3", "pcm"]
# Seeds stay within what every documented example uses.
_SEEDS: Final = 2**31
_NAME_BYTES: Final = 4


@dataclass(frozen=True)
class MediaFile:
    """A file that was made.

    Attributes:
        path: Where it is.
        content_type: Its media type.
        size: Bytes.
        seed: What the picture was made from, when that was asked for.
        content: The bytes, kept only where they were asked for.
    """

    path: Path
    content_type: str
    size: int
    seed: int | None = None
    content: bytes | None = field(default=None, repr=False)

    def record(self) -> dict[str, Any]:
        """Return it as plain values."""
        seed = {} if self.seed is None else {"seed": self.seed}
        path = str(self.path)
        return {"path": path, "content_type": self.content_type, "bytes": self.size, **seed}


@dataclass(frozen=True)
class MediaResult:
    """What a tool made.

    Attributes:
        text: What a model is told, a line or a few.
        record: The same for programs, as JSON values: `files`, `model` and what is known besides.
        files: The files, with their bytes where they were asked for.
    """

    text: str
    record: dict[str, Any]
    files: tuple[MediaFile, ...] = ()


@dataclass(frozen=True)
class MediaGenerator:
    """The settings of the media tools, and what they do.

    The record of what was made has its cost (`cost_usd`, `cost_source`) where that is known: the
    API told it, or documents print the price of a picture. Otherwise it has none.

    Attributes:
        folder: Where files go; made when it does not exist.
        image_model: For pictures without a source.
        edit_model: For changing a picture.
        speech_model: For speech.
        voice: The voice when none is asked for.
        speech_format: `mp3` or `pcm`.
        video_model: For films.
        most_images: Most pictures of one call.
        keep_content: Whether the bytes of pictures are returned as well.
        wait: Whether a film is waited for; otherwise its job is returned at once.
        timeout: Most seconds to wait for a film.
        poll_interval: Seconds between two looks at it.
    """

    folder: Path
    image_model: str = "black-forest-labs/FLUX.1-schnell"
    edit_model: str = "black-forest-labs/FLUX.1-kontext-pro"
    speech_model: str = "hexgrad/Kokoro-82M"
    voice: str | None = None
    speech_format: SpeechFormat = "mp3"
    video_model: str = "google/veo-3.0"
    most_images: int = 4
    keep_content: bool = False
    wait: bool = True
    timeout: float = 900.0
    poll_interval: float = 5.0

    def make_images(self, args: ImageArguments) -> Flow[MediaResult]:
        """Make or change pictures, one request each.

        Raises:
            ConfigurationError: The folder cannot be made.
            ValueError: More pictures than are allowed, or the source is not usable.
            RuncrateError: A request failed; pictures made before it are named in a note.
        """
        if args.count > self.most_images:
            raise ValueError(
                f"{args.count} pictures are not allowed; {self.most_images} are the most. "
                "Nothing was made."
            )
        yield from self._prepare()
        source = yield from self._source(args.image)
        model = self.image_model if source is None else self.edit_model
        made: list[MediaFile] = []
        answers: list[dict[str, Any]] = []
        for number in range(args.count):
            seed = None if args.seed is None else (args.seed + number) % _SEEDS
            try:
                result = yield from images.generate(
                    args.prompt,
                    model=model,
                    width=args.width,
                    height=args.height,
                    seed=seed,
                    negative_prompt=args.negative_prompt,
                    image=source,
                    response_format="b64_json",
                )
                answers.append(result.to_dict())
                content = yield from _content_of(result.image)
                made.append((yield from self._save("image", content, seed=seed)))
            except BaseException as error:
                if made:
                    names = ", ".join(item.path.name for item in made)
                    error.add_note(f"Made before this failed: {names}.")
                raise
        facts = {
            "seed": args.seed,
            "width": args.width,
            "height": args.height,
            **cost_facts(answers, model=model, pictures=len(made)),
        }
        return _answer("picture", made, model, facts)

    def generate_speech(self, args: SpeechArguments) -> Flow[MediaResult]:
        """Turn text into speech.

        Raises:
            ConfigurationError: The folder cannot be made.
            RuncrateError: The request failed.
        """
        yield from self._prepare()
        extra: dict[str, Any] = {} if args.speed is None else {"speed": args.speed}
        voice = args.voice or self.voice
        speech = yield from audio.create_speech(
            args.text,
            model=self.speech_model,
            voice=voice,
            response_format=self.speech_format,
            **extra,
        )
        made = yield from self._save("speech", speech.content, speech.content_type)
        facts = {"voice": voice, "characters": len(args.text)}
        return _answer("recording", [made], self.speech_model, facts)

    def generate_video(
        self,
        args: VideoArguments,
        on_status: Callable[[Video], Any] | None = None,
        *,
        each_percent: bool = False,
    ) -> Flow[MediaResult]:
        """Make a film, or look at one that was begun earlier.

        Args:
            args: What is wanted.
            on_status: Called with the job at first and at each change of its status.
            each_percent: Whether it is called as well when more is done than before, where the API
                tells how much that is.

        Returns:
            The film; or, where it is not waited for or takes too long, its job.

        Raises:
            ConfigurationError: The folder cannot be made.
            ValueError: The source is not usable; nothing was begun.
            RuncrateError: A request or the job failed. Once there is a job, a note on the error
                names it, also when the flow is cancelled.
        """
        yield from self._prepare()
        if args.video_id is not None:
            job = yield from videos.retrieve(args.video_id)
        else:
            source = yield from self._source(args.image)
            job = yield from videos.create(
                args.prompt or "",
                model=self.video_model,
                duration=args.duration,
                aspect_ratio=args.aspect_ratio,
                image=source,
            )
        # A job tells its model where the API does; one begun earlier may be of another model.
        model = str(job.to_dict().get("model") or self.video_model)
        if not (self.wait or job.is_completed or job.has_failed):
            return _pending(job, job.status, model, "It is being made")
        try:
            progress: Progress[Video] = Progress(
                key=lambda job: job.status,
                on_change=on_status,
                detail=lambda job: job.fraction_done if each_percent else None,
            )
            return (yield from self._developed(job.id, model, args.duration, progress))
        except BaseException as error:
            # With attempts, a request had no answer; it is not that the time is over.
            if isinstance(error, APITimeoutError) and not error.attempts:
                status = (error.details or {}).get("last", job.status)
                return _pending(job, status, model, f"It is not done after {self.timeout:.0f} s")
            error.add_note(f"The film's video_id is {job.id!r}.")
            raise

    def _developed(
        self, video_id: str, model: str, duration: int | None, progress: Progress[Video]
    ) -> Flow[MediaResult]:
        job = yield from videos.follow(
            video_id, progress, timeout=self.timeout, poll_interval=self.poll_interval
        )
        path = yield from videos.download(video_id, self._target("video"))
        size = yield from RunInThread(lambda: path.stat().st_size)
        made = MediaFile(path, type_of_suffix(path.suffix) or "video/mp4", size)
        facts = {"video_id": video_id, "duration_s": duration, **cost_facts([job.to_dict()])}
        return _answer("film", [made], model, facts)

    def _prepare(self) -> Flow[None]:
        """Make the folder, before anything is paid for that has to go there."""
        try:
            yield from RunInThread(
                functools.partial(self.folder.mkdir, parents=True, exist_ok=True)
            )
        except OSError as error:
            raise ConfigurationError(
                f"The folder for media cannot be made ({error.strerror}). Choose another. Nothing "
                "was sent."
            ) from None

    def _save(
        self, what: str, content: bytes, declared: str = "", seed: int | None = None
    ) -> Flow[MediaFile]:
        target = self._target(what)
        target = target.with_name(target.name + suffix_of(content[:512], declared))
        yield from RunInThread(functools.partial(write_whole, target, content))
        kind = media_type(content[:512], declared)
        kept = content if self.keep_content else None
        return MediaFile(target, kind, len(content), seed, kept)

    def _target(self, what: str) -> Path:
        return self.folder / f"{what}-{secrets.token_hex(_NAME_BYTES)}"

    def _source(self, named: str | None) -> Flow[str | Path | None]:
        """Return the picture a model has named: an address, a data URI, or one made before."""
        if named is None or is_url(named) or named[:5].lower() == "data:":
            return named
        return (yield from RunInThread(functools.partial(self._made_before, named)))

    def _made_before(self, name: str) -> Path:
        # Only a bare name: a model may have written a path to anything.
        if name and Path(name).name == name:
            with contextlib.suppress(ValueError):  # it is no name, or a link out of the folder
                path = path_inside(self.folder, name)
                if path.name == name and path.is_file():
                    return path
        raise ValueError(
            f"{redact(name[:80])!r} is no picture in the folder. Give the file name of one that "
            "was made before, an https address or a data URI. Nothing was made."
        )


def _content_of(image: images.GeneratedImage) -> Flow[bytes]:
    at_hand = image.content_at_hand()
    return at_hand if at_hand is not None else (yield from image.fetch())


def _answer(what: str, made: Sequence[MediaFile], model: str, facts: dict[str, Any]) -> MediaResult:
    known = {name: value for name, value in facts.items() if value is not None}
    number = f"{len(made)} {what}{'s' if len(made) > 1 else ''}"
    files = ", ".join(f"{item.path.name} ({item.size:,} bytes)" for item in made)
    record = {"files": [item.record() for item in made], "model": model, **known}
    return MediaResult(f"Made {number} with {model}: {files}.", record, tuple(made))


def _pending(job: Video, status: str, model: str, why: str) -> MediaResult:
    facts = {"video_id": job.id, "status": status, **cost_facts([job.to_dict()])}
    return MediaResult(
        f"The film {job.id!r} has been begun and is paid for. {why} (status `{status}`). Call "
        f"this tool later with video_id={job.id!r} to fetch it; do not begin it again.",
        {"files": [], "model": model, **facts},
    )
