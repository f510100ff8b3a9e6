"""Images, speech and video as tools for LlamaIndex agents."""

# Annotations are not postponed here: LlamaIndex compares them as objects to find `ctx: Context`.

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from llama_index.core.base.llms.types import AudioBlock, ImageBlock, TextBlock, VideoBlock
from llama_index.core.tools import FunctionTool
from llama_index.core.tools.tool_spec.base import SPEC_FUNCTION_TYPE, BaseToolSpec
from llama_index.core.tools.types import ToolMetadata
from llama_index.core.workflow import Context
from pydantic import SecretStr

from llamaindex_runcrate.tool_progress import NO_CONTEXT, progress_callback
from runcrate_core import AsyncRuncrate, Runcrate, RuncrateError, Video
from runcrate_core.toolkit import (
    IMAGE_TOOL,
    SPEECH_TOOL,
    VIDEO_TOOL,
    ImageArguments,
    MediaFile,
    MediaGenerator,
    MediaResult,
    SpeechArguments,
    SpeechFormat,
    SyncAsyncClients,
    VideoArguments,
    explain_media_failure,
)

Block: TypeAlias = TextBlock | ImageBlock | AudioBlock | VideoBlock
DEFAULT_DIRECTORY: Final = Path("runcrate-media")
_DEFAULTS: Final = MediaGenerator(DEFAULT_DIRECTORY)


_TOOLS: Final = {
    "generate_image": IMAGE_TOOL,
    "text_to_speech": SPEECH_TOOL,
    "generate_video": VIDEO_TOOL,
}


class RuncrateMediaToolSpec(BaseToolSpec):
    """Images, speech and video as tools.

    The program chooses the directory and the models; file names are made here, and a model cannot
    choose another one. Each tool returns text, and the files behind it as blocks. While a
    video is generated in a workflow, `ToolProgressEvent`s in its event stream report the progress.

    Args:
        output_dir: Directory of the files; created when it does not exist.
        image_model: Generates images.
        edit_model: Edits images.
        speech_model: Generates speech.
        video_model: Generates videos.
        voice: The voice when a call names none; the model's own choice otherwise.
        speech_format: `mp3`, or `pcm` for bare samples.
        max_images: Maximum number of images of one call.
        wait: Wait for a video; otherwise its job is returned, to be fetched later.
        timeout: Maximum seconds to wait for a video.
        poll_interval: Seconds between two checks of its job.
        return_media: Return the files as blocks. `RuncrateLLM` shows them to models
            that read them and names them to others; for an LLM class that takes only text in the
            results of tools, turn it off.
        api_key: Runcrate API key, or `RUNCRATE_API_KEY`.
        api_base: Address of the inference API, or `RUNCRATE_API_BASE`.
        client: A `Runcrate` to use instead of one made from key and URL. Not closed.
        async_client: An `AsyncRuncrate` to use. Of the two, one is enough.

    Raises:
        ConfigurationError: There is no key.

    Example:
        ```python
        from llamaindex_runcrate import RuncrateMediaToolSpec

        spec = RuncrateMediaToolSpec("media", max_images=2)
        tools = spec.to_tool_list()  # for FunctionAgent(tools=tools, ...)
        print(spec.generate_image(prompt="A fox in the snow")[0].text)
        ```
    """

    spec_functions: list[SPEC_FUNCTION_TYPE] = [(name, f"a{name}") for name in _TOOLS]  # noqa: RUF012 - LlamaIndex has it so

    def __init__(
        self,
        output_dir: str | os.PathLike[str] = DEFAULT_DIRECTORY,
        *,
        image_model: str = _DEFAULTS.image_model,
        edit_model: str = _DEFAULTS.edit_model,
        speech_model: str = _DEFAULTS.speech_model,
        video_model: str = _DEFAULTS.video_model,
        voice: str | None = None,
        speech_format: SpeechFormat = _DEFAULTS.speech_format,
        max_images: int = _DEFAULTS.max_images,
        wait: bool = _DEFAULTS.wait,
        timeout: float = _DEFAULTS.timeout,
        poll_interval: float = _DEFAULTS.poll_interval,
        return_media: bool = True,
        api_key: SecretStr | str | None = None,
        api_base: str | None = None,
        client: Runcrate | None = None,
        async_client: AsyncRuncrate | None = None,
    ) -> None:
        if isinstance(api_key, str):
            api_key = SecretStr(api_key)  # local variables go into error reports
        self._generator = MediaGenerator(
            Path(output_dir),
            image_model=image_model,
            edit_model=edit_model,
            speech_model=speech_model,
            voice=voice,
            speech_format=speech_format,
            video_model=video_model,
            max_images=max_images,
            wait=wait,
            timeout=timeout,
            poll_interval=poll_interval,
        )
        self._return_media = return_media
        self._own: Runcrate | None = None
        if client is None and async_client is None:
            client = self._own = Runcrate(api_key, inference_url=api_base)
        self._clients = SyncAsyncClients(client, async_client)

    def generate_image(self, prompt: str, **options: Any) -> list[Block]:
        """Generate or edit images.

        Args:
            prompt: What they show, or how to change `image`.
            options: The further fields of `runcrate_core.toolkit.ImageArguments`.

        Returns:
            Text, and an `ImageBlock` for each image.

        Raises:
            ConfigurationError: The directory cannot be created.
            ValueError: An argument is not usable; nothing was generated.
            RuncrateError: A request failed.
        """
        return self._do(self._image_plan, prompt=prompt, **options)

    async def agenerate_image(self, prompt: str, **options: Any) -> list[Block]:
        """Generate or edit images without blocking the event loop; see `generate_image`."""
        return await self._ado(self._image_plan, prompt=prompt, **options)

    def text_to_speech(self, text: str, **options: Any) -> list[Block]:
        """Speak a text.

        Args:
            text: The words.
            options: The further fields of `runcrate_core.toolkit.SpeechArguments`.

        Returns:
            Text, and an `AudioBlock`.

        Raises:
            ConfigurationError: The directory cannot be created.
            ValueError: An argument is not usable; nothing was generated.
            RuncrateError: The request failed.
        """
        return self._do(self._speech_plan, text=text, **options)

    async def atext_to_speech(self, text: str, **options: Any) -> list[Block]:
        """Speak a text without blocking the event loop; see `text_to_speech`."""
        return await self._ado(self._speech_plan, text=text, **options)

    def generate_video(
        self,
        prompt: str | None = None,
        *,
        ctx: Context = None,  # type: ignore[assignment] # LlamaIndex finds no other annotation
        **options: Any,
    ) -> list[Block]:
        """Generate a video, or fetch one that was started earlier.

        Args:
            prompt: What it shows.
            ctx: The context of a workflow's step, whose event stream receives the progress; agents
                give theirs.
            options: The further fields of `runcrate_core.toolkit.VideoArguments`.

        Returns:
            Text, and a `VideoBlock` once there is a video.

        Raises:
            ConfigurationError: The directory cannot be created.
            ValueError: An argument is not usable; nothing was started.
            RuncrateError: A request or the job failed.
        """
        return self._do(partial(self._video_plan, ctx), prompt=prompt, **options)

    async def agenerate_video(
        self,
        prompt: str | None = None,
        *,
        ctx: Context = None,  # type: ignore[assignment] # LlamaIndex finds no other annotation
        **options: Any,
    ) -> list[Block]:
        """Generate a video without blocking the event loop; see `generate_video`."""
        return await self._ado(partial(self._video_plan, ctx), prompt=prompt, **options)

    def to_tool_list(
        self,
        spec_functions: list[SPEC_FUNCTION_TYPE] | None = None,
        func_to_metadata_mapping: dict[str, ToolMetadata] | None = None,
    ) -> list[FunctionTool]:
        """Return the tools, for agents or for use without one.

        Args:
            spec_functions: Names of methods, or pairs of a sync and an async one; all
                tools when not given.
            func_to_metadata_mapping: Other descriptions of some of them for the model.
        """
        tools = super().to_tool_list(spec_functions, func_to_metadata_mapping)
        for tool in tools:
            if tool.requires_context:
                tool.partial_params = dict(NO_CONTEXT)
        return tools

    def get_metadata_from_fn_name(
        self,
        fn_name: str,
        spec_functions: list[SPEC_FUNCTION_TYPE] | None = None,  # noqa: ARG002 - LlamaIndex's signature
    ) -> ToolMetadata | None:
        """Return how a function is shown to a model."""
        tool = _TOOLS.get(fn_name) or _TOOLS[fn_name.removeprefix("a")]
        return ToolMetadata(name=tool.name, description=tool.description, fn_schema=tool.arguments)

    def close(self) -> None:
        """Close the connections that were made here."""
        self._clients.close()
        if self._own is not None:
            self._own.close()

    async def aclose(self) -> None:
        """Close the connections that were made here, of the running event loop as well."""
        await self._clients.aclose()
        self.close()

    def _image_plan(self, **arguments: Any) -> Any:
        return self._generator.generate_images(ImageArguments(**arguments))

    def _speech_plan(self, **arguments: Any) -> Any:
        return self._generator.generate_speech(SpeechArguments(**arguments))

    def _video_plan(self, ctx: Context | None, **arguments: Any) -> Any:
        emit = progress_callback(ctx)
        on_status = None if emit is None else lambda video: emit(_state(video))
        return self._generator.generate_video(
            VideoArguments(**arguments), on_status, each_percent=True
        )

    def _do(self, plan: Callable[..., Any], **arguments: Any) -> list[Block]:
        try:
            return self._blocks(self._clients.sync.run(plan(**arguments)))
        except Exception as error:
            _explain(error)
            raise

    async def _ado(self, plan: Callable[..., Any], **arguments: Any) -> list[Block]:
        try:
            return self._blocks(await self._clients.async_.run(plan(**arguments)))
        except Exception as error:
            _explain(error)
            raise

    def _blocks(self, result: MediaResult) -> list[Block]:
        media = [_block(file) for file in result.files] if self._return_media else []
        return [TextBlock(text=result.text), *media]


def _state(generate_video: Video) -> dict[str, Any]:
    """Return the fields of a `ToolProgressEvent`."""
    return {
        "tool": VIDEO_TOOL.name,
        "id": generate_video.id,
        "status": generate_video.status,
        "fraction": generate_video.fraction_done,
    }


def _block(file: MediaFile) -> Block:
    match file.content_type.partition("/")[0]:
        case "image":
            return ImageBlock(path=file.path, image_mimetype=file.content_type)
        case "audio":
            return AudioBlock(path=file.path, format=file.path.suffix.removeprefix("."))
        case _:
            return VideoBlock(path=file.path, video_mimetype=file.content_type)


def _explain(error: Exception) -> None:
    """Raise an error with an explanation that the model can act on; agents show it the text.

    Raises:
        ValueError: In place of an error that is none of this library's.
    """
    explanation = explain_media_failure(error)
    if explanation is None:
        return
    if not isinstance(error, RuncrateError):
        raise ValueError(explanation) from error  # noqa: TRY004 - of whatever type it was
    error.message = explanation
