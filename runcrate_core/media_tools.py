"""Pictures, speech and films as tools for agents: written once, for both frameworks.

The program chooses the folder and the model; a language model only says what is to be made. File
names are made here, never by a model. What comes back is short text and a record of plain values;
bytes stay in the files.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from runcrate_core.api import audio, images, videos
from runcrate_core.errors import APITimeoutError, ConfigurationError, RuncrateError
from runcrate_core.io.files import path_inside, write_whole
from runcrate_core.protocol.media import is_url
from runcrate_core.protocol.media_types import media_type, suffix_of
from runcrate_core.protocol.redaction import redact
from runcrate_core.protocol.steps import Do

if TYPE_CHECKING:
    from runcrate_core.protocol.steps import Flow

# Longer prompts are refused before they are paid for; no documented model reads more.
LONGEST_PROMPT: Final = 10_000
LONGEST_SPEECH: Final = 5_000
MOST_IMAGES: Final = 8
# What the emulator and the documentation speak of; pcm has no header that would tell its rate.
SpeechFormat = Literal["mp3", "pcm"]

Prompt = Annotated[str, Field(min_length=1, max_length=LONGEST_PROMPT)]


class MediaArguments(BaseModel):
    """Base of what the tools take: unknown arguments are refused, not dropped."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class ImageArguments(MediaArguments):
    """What a picture is to be."""

    prompt: Prompt = Field(description="What the picture shows, or how to change `image`.")
    image: str | None = Field(
        default=None,
        description="A picture to change: its https address, a data URI, or the file name of a "
        "picture made before.",
    )
    width: int | None = Field(default=None, ge=256, le=2048, description="Pixels.")
    height: int | None = Field(default=None, ge=256, le=2048, description="Pixels.")
    count: int = Field(default=1, ge=1, le=MOST_IMAGES, description="How many pictures.")
    seed: int | None = Field(
        default=None, ge=0, le=2**31 - 1, description="The same seed gives the same picture."
    )
    negative_prompt: str | None = Field(default=None, max_length=2000, description="What to avoid.")


class SpeechArguments(MediaArguments):
    """What is to be spoken."""

    text: str = Field(min_length=1, max_length=LONGEST_SPEECH, description="The words to speak.")
    voice: str | None = Field(default=None, max_length=100, description="A voice of the model.")
    speed: float | None = Field(default=None, ge=0.25, le=4.0, description="1 is normal.")


class VideoArguments(MediaArguments):
    """What a film is to be, or which earlier one is asked for."""

    prompt: str | None = Field(
        default=None, min_length=1, max_length=LONGEST_PROMPT, description="What the film shows."
    )
    video_id: str | None = Field(
        default=None,
        max_length=200,
        description="A film begun earlier, to be looked at or fetched.",
    )
    duration: int | None = Field(default=None, ge=1, le=60, description="Seconds.")
    aspect_ratio: Literal["16:9", "9:16"] | None = Field(default=None)
    image: str | None = Field(
        default=None,
        description="A picture to set in motion: its https address, a data URI, or the file name "
        "of a picture made before.",
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> VideoArguments:
        if (self.prompt is None) == (self.video_id is None):
            raise ValueError(
                "Give either `prompt` for a new film or `video_id` for an earlier one."
            )
        return self


@dataclass(frozen=True)
class MadeFile:
    """A file that was made.

    Attributes:
        path: Where it is.
        content_type: Its media type.
        size: Bytes.
        content: The bytes, kept only where they were asked for.
    """

    path: Path
    content_type: str
    size: int
    content: bytes | None = field(default=None, repr=False)

    def record(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"path": str(self.path), "content_type": self.content_type, "bytes": self.size}


@dataclass(frozen=True)
class MediaAnswer:
    """What a tool made.

    Attributes:
        text: What a model is told, a line or a few.
        record: The same for programs, as JSON values: `files`, `model` and what is known besides.
        files: The files, with their bytes where they were asked for.
    """

    text: str
    record: dict[str, Any]
    files: tuple[MadeFile, ...] = ()


@dataclass(frozen=True)
class MediaStudio:
    """The settings of the media tools, and what they do.

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

    def make_images(self, asked: ImageArguments) -> Flow[MediaAnswer]:
        """Make or change pictures, one request each.

        Raises:
            ValueError: More pictures than are allowed, or the source is not usable.
            RuncrateError: A request failed; pictures made before it are named in a note.
        """
        if asked.count > self.most_images:
            raise ValueError(
                f"{asked.count} pictures are not allowed; {self.most_images} are the most. "
                "Nothing was made."
            )
        source = yield from self._source(asked.image)
        model = self.image_model if source is None else self.edit_model
        made: list[MadeFile] = []
        for number in range(asked.count):
            try:
                result = yield from images.generate(
                    asked.prompt,
                    model=model,
                    width=asked.width,
                    height=asked.height,
                    seed=None if asked.seed is None else asked.seed + number,
                    negative_prompt=asked.negative_prompt,
                    image=source,
                    response_format="b64_json",
                )
                content = yield from _content_of(result.image)
                made.append((yield from self._save("image", content)))
            except RuncrateError as error:
                if made:
                    error.add_note(
                        f"Made before this: {', '.join(str(item.path) for item in made)}"
                    )
                raise
        facts = {"prompt": asked.prompt, "seed": asked.seed}
        return self._answer("picture", made, model, facts)

    def speak(self, asked: SpeechArguments) -> Flow[MediaAnswer]:
        """Turn text into speech."""
        extra: dict[str, Any] = {} if asked.speed is None else {"speed": asked.speed}
        voice = asked.voice or self.voice
        speech = yield from audio.create_speech(
            asked.text,
            model=self.speech_model,
            voice=voice,
            response_format=self.speech_format,
            **extra,
        )
        made = yield from self._save("speech", speech.content, speech.content_type)
        facts = {"voice": voice, "characters": len(asked.text)}
        return self._answer("recording", [made], self.speech_model, facts)

    def film(
        self, asked: VideoArguments, on_status: Callable[[Any], Any] | None = None
    ) -> Flow[MediaAnswer]:
        """Make a film, or look at one that was begun earlier.

        Args:
            asked: What is wanted.
            on_status: Called with the job at first and at each change of its status.

        Returns:
            The film; or, where it is not waited for or takes too long, its job.
        """
        if asked.video_id is not None:
            job = yield from videos.retrieve(asked.video_id)
        else:
            source = yield from self._source(asked.image)
            job = yield from videos.create(
                asked.prompt or "",
                model=self.video_model,
                duration=asked.duration,
                aspect_ratio=asked.aspect_ratio,
                image=source,
            )
        if not self.wait and not (job.is_completed or job.has_failed):
            return self._pending(job, "It is being made")
        try:
            job = yield from videos.wait(
                job.id,
                timeout=self.timeout,
                poll_interval=self.poll_interval,
                on_status=on_status,
            )
        except APITimeoutError:
            return self._pending(job, f"It is not done after {self.timeout:.0f} s")
        target = yield from Do(functools.partial(self._target, "video"))
        path = yield from videos.download(job.id, target)
        size = yield from Do(lambda: path.stat().st_size)
        made = MadeFile(path, "video/mp4", size)
        facts = {"video_id": job.id, "duration_s": asked.duration}
        return self._answer("film", [made], self.video_model, facts)

    def _pending(self, job: Any, why: str) -> MediaAnswer:
        return MediaAnswer(
            f"The film `{job.id}` has been begun and is paid for. {why} (status `{job.status}`). "
            f"Call this tool later with video_id={job.id!r} to fetch it; do not begin it again.",
            {"files": [], "model": self.video_model, "video_id": job.id, "status": job.status},
        )

    def _answer(
        self, what: str, made: Sequence[MadeFile], model: str, facts: dict[str, Any]
    ) -> MediaAnswer:
        known = {name: value for name, value in facts.items() if value is not None}
        number = f"{len(made)} {what}{'s' if len(made) > 1 else ''}"
        files = ", ".join(f"{item.path.name} ({item.size:,} bytes)" for item in made)
        record = {"files": [item.record() for item in made], "model": model, **known}
        return MediaAnswer(f"Made {number} with {model}: {files}.", record, tuple(made))

    def _save(self, what: str, content: bytes, declared: str = "") -> Flow[MadeFile]:
        kind = media_type(content[:512], declared)
        target = yield from Do(functools.partial(self._target, what))
        target = target.with_name(target.name + suffix_of(content[:512], declared))
        yield from Do(functools.partial(write_whole, target, content))
        return MadeFile(target, kind, len(content), content if self.keep_content else None)

    def _target(self, what: str) -> Path:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The folder for media cannot be made ({error.strerror}). Choose another."
            ) from None
        return self.folder / f"{what}-{secrets.token_hex(4)}"

    def _source(self, named: str | None) -> Flow[str | Path | None]:
        """Return the picture a model has named: an address, a data URI, or one made before."""
        if named is None or is_url(named) or named[:5].lower() == "data:":
            return named
        return (yield from Do(functools.partial(self._made_before, named)))

    def _made_before(self, name: str) -> Path:
        unusable = ValueError(
            f"{redact(name[:80])!r} is no picture in the folder. Give the file name of one that "
            "was made before, an https address or a data URI. Nothing was made."
        )
        # Only a bare name: a model may have written a path to anything.
        if Path(name).name != name or not self.folder.is_dir():
            raise unusable
        path = path_inside(self.folder, name)
        if path.name != name or not path.is_file():
            raise unusable
        return path


def _content_of(image: images.GeneratedImage) -> Flow[bytes]:
    at_hand = image.content_at_hand()
    return at_hand if at_hand is not None else (yield from image.fetch())
