"""Settings of the media tools: the directory and the models are the program's to choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runcrate_core.api.videos import Video
from runcrate_core.media_tools import image_tool, speech_tool, video_tool
from runcrate_core.media_tools.image_tool import ImageArguments
from runcrate_core.media_tools.media_directory import MediaDirectory
from runcrate_core.media_tools.result import MediaResult
from runcrate_core.media_tools.speech_tool import SpeechArguments, SpeechFormat
from runcrate_core.media_tools.video_tool import VideoArguments
from runcrate_core.protocol.steps import Flow


@dataclass(frozen=True)
class MediaGenerator:
    """Generates media for agents: a model describes the media, the program sets everything else.

    The data of a result has its cost (`cost_usd`, `cost_source`) where it is known: the API
    reported it, or the documents print the price of an image. Otherwise it has none.

    Attributes:
        directory: Directory of the files; created when it does not exist.
        image_model: Model for images without a source.
        edit_model: Model for editing an image.
        speech_model: Model for speech.
        voice: The voice when a call names none.
        speech_format: `mp3` or `pcm`.
        video_model: Model for videos.
        transcription_model: Model for transcription.
        max_images: Maximum number of images of one call.
        keep_content: Whether the bytes of images and audio are returned as well.
        wait: Whether to wait for a video; otherwise its job is returned at once.
        timeout: Maximum seconds to wait for a video.
        poll_interval: Seconds between two status requests.
    """

    directory: Path
    image_model: str = "black-forest-labs/FLUX.1-schnell"
    edit_model: str = "black-forest-labs/FLUX.1-kontext-pro"
    speech_model: str = "hexgrad/Kokoro-82M"
    voice: str | None = None
    speech_format: SpeechFormat = "mp3"
    video_model: str = "google/veo-3.0"
    transcription_model: str = "openai/whisper-1"
    max_images: int = 4
    keep_content: bool = False
    wait: bool = True
    timeout: float = 900.0
    poll_interval: float = 5.0

    @property
    def media_directory(self) -> MediaDirectory:
        """The directory, which names and writes the files."""
        return MediaDirectory(self.directory, self.keep_content)

    def generate_images(self, args: ImageArguments) -> Flow[MediaResult]:
        """Generate or edit images; see `media_tools.image_tool.generate_images`."""
        return image_tool.generate_images(self, args)

    def generate_speech(self, args: SpeechArguments) -> Flow[MediaResult]:
        """Synthesize speech; see `media_tools.speech_tool.generate_speech`."""
        return speech_tool.generate_speech(self, args)

    def generate_video(
        self,
        args: VideoArguments,
        on_status: Callable[[Video], Any] | None = None,
        *,
        each_percent: bool = False,
    ) -> Flow[MediaResult]:
        """Generate a video or check one; see `media_tools.video_tool.generate_video`."""
        return video_tool.generate_video(self, args, on_status, each_percent=each_percent)
