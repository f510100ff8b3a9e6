"""The speech tool: synthesize speech from text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from runcrate_core.api import audio
from runcrate_core.media_tools.result import MediaResult
from runcrate_core.media_tools.tool import MediaArguments, MediaTool

if TYPE_CHECKING:
    from runcrate_core.media_tools.generator import MediaGenerator
    from runcrate_core.protocol.steps import Flow

MAX_SPEECH_LENGTH: Final = 5_000
# The documented formats; pcm has no header with its sample rate.
SpeechFormat = Literal["mp3", "pcm"]


class SpeechArguments(MediaArguments):
    """Arguments of the speech tool."""

    text: str = Field(min_length=1, max_length=MAX_SPEECH_LENGTH, description="The words to speak.")
    voice: str | None = Field(default=None, max_length=100, description="A voice of the model.")
    speed: float | None = Field(default=None, ge=0.25, le=4.0, description="1 is normal.")


def generate_speech(settings: MediaGenerator, args: SpeechArguments) -> Flow[MediaResult]:
    """Synthesize speech.

    Raises:
        ConfigurationError: The directory cannot be created.
        RuncrateError: The request failed.
    """
    directory = settings.media_directory
    yield from directory.create()
    extra: dict[str, Any] = {} if args.speed is None else {"speed": args.speed}
    voice = args.voice or settings.voice
    speech = yield from audio.create_speech(
        args.text,
        model=settings.speech_model,
        voice=voice,
        response_format=settings.speech_format,
        **extra,
    )
    file = yield from directory.write("speech", speech.content, speech.content_type)
    facts = {"voice": voice, "characters": len(args.text)}
    return MediaResult.of_files("audio file", [file], settings.speech_model, facts)


SPEECH_TOOL: Final = MediaTool(
    "runcrate_text_to_speech",
    "Synthesize speech from text. The audio is saved as a file, whose name is returned. Takes some "
    "seconds and costs money.",
    SpeechArguments,
    lambda settings, args, _: generate_speech(settings, args),
    "audio file",
)
