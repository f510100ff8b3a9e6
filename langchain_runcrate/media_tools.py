"""Image, speech and video generation as tools for LangChain agents."""

from __future__ import annotations

import base64
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from langchain_core.tools import BaseTool
from langchain_core.tools.base import ArgsSchema
from pydantic import Field, model_validator

from langchain_runcrate.given_clients import GivenClients
from langchain_runcrate.progress import InjectedRuntime, Progress
from langchain_runcrate.tool_failures import tool_errors
from runcrate_core.toolkit import (
    IMAGE_TOOL,
    SPEECH_TOOL,
    VIDEO_TOOL,
    ImageArguments,
    MediaGenerator,
    MediaResult,
    SpeechArguments,
    SpeechFormat,
    VideoArguments,
    explain_media_failure,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from runcrate_core import Video

DEFAULT_DIRECTORY: Final = Path("runcrate-media")
_STUDIO: Final = MediaGenerator(DEFAULT_DIRECTORY)


class RuncrateMediaTool(GivenClients, BaseTool, extra="forbid"):  # `BaseTool` ignores misspelt ones
    """Base of the media tools: connection, directory, failures. Use one of its subclasses.

    The program chooses the directory and the model; the tool chooses file names. The message to
    the model is short text; the artifact is a dictionary of JSON values with `files` (each with
    `path`, `content_type`, `bytes`), `model` and what is known besides: `seed`, sizes, the cost as
    `cost_usd` with its `cost_source` (`server`, or `catalogue` for a published price).

    What a model can act on reaches it as text, without secrets. A missing key or an unusable
    directory is raised to the program.
    """

    args_schema: ArgsSchema = ImageArguments
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    handle_tool_error: Any = True
    handle_validation_error: Any = explain_media_failure

    output_dir: Path = DEFAULT_DIRECTORY
    """Directory of the files; created if it does not exist."""

    request_timeout: float | None = None
    """Seconds of silence after which a request is given up."""

    def _run(self, text: str | None = None, /, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        progress = Progress(self.name, arguments.pop("runtime", None))
        client = self._sync_client()
        with tool_errors(explain_media_failure):
            operation = self._operation(
                self._flow_of_call(text, arguments),
                functools.partial(self._report, progress.report),
            )
            return self._content_and_artifact(client.run(operation))

    async def _arun(
        self, text: str | None = None, /, **arguments: Any
    ) -> tuple[Any, dict[str, Any]]:
        progress = Progress(self.name, arguments.pop("runtime", None))
        client = self._async_client()
        with tool_errors(explain_media_failure):
            operation = self._operation(
                self._flow_of_call(text, arguments),
                functools.partial(self._report, progress.areport),
            )
            return self._content_and_artifact(await client.run(operation))

    def _operation(self, args: Any, on_status: Callable[[Video], Any]) -> Any:
        """Return the flow of a call."""
        raise NotImplementedError

    def _flow_of_call(self, text: str | None, arguments: dict[str, Any]) -> Any:
        schema: Any = self.args_schema
        first = {} if text is None else {next(iter(schema.model_fields)): text}
        return schema(**first, **arguments)

    @staticmethod
    def _report(report: Callable[[dict[str, Any]], Any], job: Video) -> Any:
        return report({"id": job.id, "status": job.status})

    def _content_and_artifact(self, result: MediaResult) -> tuple[Any, dict[str, Any]]:
        blocks = [
            {
                "type": "image",
                "base64": base64.b64encode(file.content).decode(),
                "mime_type": file.content_type,
            }
            for file in result.files
            if file.content is not None
        ]
        text = {"type": "text", "text": result.text}
        return ([text, *blocks] if blocks else result.text), result.data


class RuncrateImageTool(RuncrateMediaTool):
    """Generate images from a prompt, or edit one.

    Setup:
        ```bash
        pip install "runcrate-integrations[langchain]"
        export RUNCRATE_API_KEY="rc_live_..."
        ```

    Instantiate:
        ```python
        from langchain_runcrate import RuncrateImageTool

        tool = RuncrateImageTool(output_dir="images", max_images=2)
        ```

    Use:
        ```python
        call = {"name": tool.name, "args": {"prompt": "A fox"}, "id": "1", "type": "tool_call"}
        message = tool.invoke(call)
        print(message.content, message.artifact["files"][0]["path"])
        ```

    An image is edited by its https URL, a data URI, or the name of a file that was made
    before: a model cannot name any other file.
    """

    name: str = IMAGE_TOOL.name
    description: str = IMAGE_TOOL.description
    args_schema: ArgsSchema = ImageArguments

    model: str = _STUDIO.image_model
    """Model that generates images."""

    edit_model: str = _STUDIO.edit_model
    """Model that edits images."""

    max_images: int = Field(default=_STUDIO.max_images, ge=1, le=8)
    """Maximum number of images per call."""

    return_image: bool = False
    """Show the images to the model, as blocks of its tool message.

    For models that read images, on servers that take them in tool messages; many do not. The
    images are then part of the conversation, and of its checkpoints.
    """

    def _operation(self, args: ImageArguments, on_status: Callable[[Video], Any]) -> Any:  # noqa: ARG002 - it is made at once
        return MediaGenerator(
            self.output_dir,
            image_model=self.model,
            edit_model=self.edit_model,
            max_images=self.max_images,
            keep_content=self.return_image,
        ).generate_images(args)


class RuncrateSpeechTool(RuncrateMediaTool):
    """Turn text into speech.

    Instantiate:
        ```python
        from langchain_runcrate import RuncrateSpeechTool

        tool = RuncrateSpeechTool(output_dir="speech", voice="af_heart")
        ```

    Use:
        ```python
        print(tool.invoke({"text": "Hello from Runcrate!"}))
        ```

    The audio is a file named in the artifact, never a part of the message: LangChain would write
    it out as text.
    """

    name: str = SPEECH_TOOL.name
    description: str = SPEECH_TOOL.description
    args_schema: ArgsSchema = SpeechArguments

    model: str = _STUDIO.speech_model
    """Speaks."""

    voice: str | None = None
    """The voice when a call names none; the model's own choice otherwise."""

    audio_format: SpeechFormat = _STUDIO.speech_format
    """`mp3`, or `pcm` for bare samples. `response_format` is taken for it as well."""

    @model_validator(mode="before")
    @classmethod
    def _sound_is_no_message(cls, values: Any) -> Any:
        # The API's name for it is LangChain's name for what a tool returns.
        if isinstance(values, dict) and values.get("response_format") in get_args(SpeechFormat):
            rest = {name: value for name, value in values.items() if name != "response_format"}
            return {"audio_format": values["response_format"], **rest}
        return values

    def _operation(self, args: SpeechArguments, on_status: Callable[[Video], Any]) -> Any:  # noqa: ARG002 - it is made at once
        return MediaGenerator(
            self.output_dir,
            speech_model=self.model,
            voice=self.voice,
            speech_format=self.audio_format,
        ).generate_speech(args)


class VideoToolArguments(VideoArguments):
    """Arguments of the video tool, and the runtime that receives its progress."""

    runtime: InjectedRuntime = None


class RuncrateVideoTool(RuncrateMediaTool):
    """Generate a video from a prompt, or animate an image.

    Instantiate:
        ```python
        from langchain_runcrate import RuncrateVideoTool

        tool = RuncrateVideoTool(output_dir="videos", timeout=600)
        ```

    Use:
        ```python
        print(tool.invoke({"prompt": "Waves at night", "duration": 4}))
        ```

    A video takes minutes. Meanwhile, each change of its status is reported to listeners:
    as custom event `runcrate_progress`, to the stream writer of a graph, and as output delta of
    the tool call. A video that is not waited for, or not done in time, is fetched later by calling
    the same tool with its `video_id`. A cancelled call leaves the job running: it is paid for.
    """

    name: str = VIDEO_TOOL.name
    description: str = VIDEO_TOOL.description
    args_schema: ArgsSchema = VideoToolArguments

    model: str = _STUDIO.video_model
    """Model that generates videos."""

    wait: bool = _STUDIO.wait
    """Wait for the video; otherwise the tool returns its job immediately."""

    timeout: float = Field(default=_STUDIO.timeout, ge=0)
    """Maximum seconds to wait for the video."""

    poll_interval: float = Field(default=_STUDIO.poll_interval, gt=0)
    """Seconds between two checks of the job."""

    def _operation(self, args: VideoArguments, on_status: Callable[[Video], Any]) -> Any:
        return MediaGenerator(
            self.output_dir,
            video_model=self.model,
            wait=self.wait,
            timeout=self.timeout,
            poll_interval=self.poll_interval,
        ).generate_video(args, on_status)
