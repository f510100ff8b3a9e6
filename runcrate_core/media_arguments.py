"""What a language model says of the media it wants: bounded and described arguments of tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from runcrate_core.agent_tools.arguments import drop_empty_optionals

# Longer prompts are refused before they are paid for; no documented model reads more.
MAX_PROMPT_LENGTH: Final = 10_000
MAX_SPEECH_LENGTH: Final = 5_000
MAX_IMAGES: Final = 8

Prompt = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_LENGTH)]


class MediaArguments(BaseModel):
    """Base of what the tools take: unknown arguments are refused, not dropped."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_not_given(cls, values: Any) -> Any:
        return drop_empty_optionals(cls, values)


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
    count: int = Field(default=1, ge=1, le=MAX_IMAGES, description="How many pictures.")
    seed: int | None = Field(
        default=None, ge=0, le=2**31 - 1, description="The same seed gives the same picture."
    )
    negative_prompt: str | None = Field(default=None, max_length=2000, description="What to avoid.")


class SpeechArguments(MediaArguments):
    """What is to be spoken."""

    text: str = Field(min_length=1, max_length=MAX_SPEECH_LENGTH, description="The words to speak.")
    voice: str | None = Field(default=None, max_length=100, description="A voice of the model.")
    speed: float | None = Field(default=None, ge=0.25, le=4.0, description="1 is normal.")


class VideoArguments(MediaArguments):
    """What a film is to be, or which earlier one is asked for."""

    prompt: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_PROMPT_LENGTH,
        description="What the film shows; for every new film.",
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
            raise ValueError("Give either `prompt` for a new film or `video_id` for an earlier one")
        return self


@dataclass(frozen=True, slots=True)
class MediaTool:
    """How a tool is shown to a model.

    Attributes:
        name: Its name.
        description: What it does, how long it takes and that it costs.
        arguments: What it takes.
    """

    name: str
    description: str
    arguments: type[MediaArguments]


IMAGE_TOOL: Final = MediaTool(
    "runcrate_generate_image",
    "Make one or more pictures from a description, or change a picture. They are saved as files, "
    "whose names are returned. Takes some seconds; each picture costs money.",
    ImageArguments,
)
SPEECH_TOOL: Final = MediaTool(
    "runcrate_text_to_speech",
    "Speak a text aloud. The recording is saved as a file, whose name is returned. Takes some "
    "seconds and costs money.",
    SpeechArguments,
)
VIDEO_TOOL: Final = MediaTool(
    "runcrate_generate_video",
    "Make a film of some seconds from a description, or set a picture in motion; or fetch a film "
    "that was begun earlier, by its video_id. It is saved as a file, whose name is returned. Takes "
    "minutes and costs far more money than a picture.",
    VideoArguments,
)
